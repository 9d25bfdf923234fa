from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from luthier.bundle import Manifest
from luthier.errors import BundleError, DataError, LuthierError, ModelError, UnknownNameError
from luthier.inference import Opening, Predictor, open_fastest
from luthier.inference.backends import _written_out
from luthier.models.encoding import Encoder
from luthier.models.lora import LoraLinear
from luthier.schema import LabelSet
from luthier.tasks import text_classification

TEXTS = ["good", "", "很好", "a much longer text about nothing at all " * 6, "bad bad", "风景很美，工作很忙"] * 3


@pytest.fixture(scope="module")
def predictor(full):
    with Predictor.open(full, threads=1) as opened:
        yield opened


@dataclass
class Counting:
    """A backend without a model: the logits are the first id and the number of tokens, so rows can be told apart."""

    name: str = "counting"
    device: str = "cpu"
    reason: str = "a test"
    max_tokens: int = 2048
    tolerance: float = 0.0
    rows: int = 0
    threads: set = field(default_factory=set)

    def run(self, batch):
        self.rows += len(batch.ids)
        self.threads.add(threading.get_ident())
        return np.stack([batch.ids[:, 1], batch.mask.sum(1)], axis=1).astype(np.float32)

    def run_all(self, batches):
        return map(self.run, batches)

    def close(self):
        pass


@pytest.fixture
def counting(tiny_model):
    encoder = Encoder.load(tiny_model, max_length=32)
    return Predictor(Counting(), encoder, LabelSet(("a", "b")), text_classification, text_classification.Settings(),
                     False, "counting")


def test_predictions_are_those_of_transformers(full, predictor):
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    model = AutoModelForSequenceClassification.from_pretrained(full).eval()
    tokenizer = AutoTokenizer.from_pretrained(full)
    logits, truncated = predictor.logits(TEXTS)
    for row, text in enumerate(TEXTS):
        batch = tokenizer(text, truncation=True, max_length=64, return_tensors="pt")
        with torch.no_grad():
            expected = model(**batch).logits[0].numpy()
        np.testing.assert_allclose(logits[row], expected, atol=1e-5)
    assert model.config.id2label == dict(enumerate(predictor.labels.names))
    assert truncated.tolist() == [len(text) > 100 for text in TEXTS]


def test_a_prediction_says_everything(predictor):
    first, *_ = predictor.predict(TEXTS)
    assert first.names == ("bad", "good", "so so")
    assert first.label in first.names
    assert first.probabilities.sum() == pytest.approx(1)
    assert not first.truncated
    assert predictor.name == "full"
    assert predictor.manifest.length.max_length == 64


def test_the_answer_does_not_depend_on_order_or_company(predictor):
    logits, _ = predictor.logits(TEXTS)
    order = np.random.default_rng(0).permutation(len(TEXTS))
    shuffled, _ = predictor.logits([TEXTS[row] for row in order])
    np.testing.assert_allclose(shuffled, logits[order], atol=1e-5)
    alone = np.concatenate([predictor.logits([text])[0] for text in TEXTS])
    np.testing.assert_allclose(alone, logits, atol=1e-5)


def test_no_texts_give_no_predictions(predictor):
    assert predictor.predict([]) == []
    assert list(predictor.stream([])) == []
    assert predictor.logits([])[0].shape == (0, 3)


def test_odd_texts_are_answered(predictor):
    odd = ["\x00", "\ud800", "👩‍👩‍👧" * 500, "\u202e", " ", "\ufeff", "a" * 100_000]
    assert len(predictor.predict(odd)) == len(odd)


@pytest.mark.parametrize(("rows", "said"), [
    ("good", "expected a list of texts, got one str"),
    (b"good", "got one bytes"),
    (["good", None], "row 1: expected a text, got NoneType None"),
    (["good", 3.5], "row 1: expected a text, got float 3.5"),
    (["good", b"x"], "row 1: expected a text, got bytes"),
    ([("a", "b")], "row 0: expected one text, got tuple"),
])
def test_what_is_no_text_is_refused_by_its_row(predictor, rows, said):
    with pytest.raises(DataError) as caught:
        predictor.predict(rows)
    assert said in caught.value.problem
    assert caught.value.fix


@pytest.mark.parametrize("row", ["one", ("a",), ("a", "b", "c"), ("a", None), {"text": "a", "text_b": "b"}])
def test_what_is_no_pair_is_refused_by_its_row(pairs, row):
    opened = Predictor.open(pairs, check=False)
    with pytest.raises(DataError, match="row 1: expected a pair of texts"):
        opened.predict([("a", "b"), row])
    with pytest.raises(DataError, match="list of pairs"):
        opened.predict("ab")


def test_pairs_are_read_as_pairs(pairs):
    opened = Predictor.open(pairs)
    (ab, ba, listed), _ = opened.logits([("good", "bad bad"), ("bad bad", "good"), ["good", "bad bad"]])
    assert not np.allclose(ab, ba)
    np.testing.assert_allclose(ab, listed, atol=1e-6)


def test_several_labels(several):
    opened = Predictor.open(several)
    for prediction in opened.predict(TEXTS):
        chosen = [name for name, p in zip(prediction.names, prediction.probabilities, strict=True) if p >= 0.5]
        assert list(prediction.labels) == chosen


def test_an_adapter_opens_on_its_base(adapter):
    with Predictor.open(adapter, offline=True) as opened:
        assert opened.manifest.kind == "adapter"
        assert len(opened.predict(TEXTS)) == len(TEXTS)


def test_an_adapter_in_use_is_folded_into_its_base(adapter):
    with Predictor.open(adapter, offline=True, threads=1) as beside:
        layers = [layer for layer in beside.backend.model.modules() if isinstance(layer, LoraLinear)]
        assert any(layer.lora_B.weight.abs().max() > 0 for layer in layers)
        expected, _ = beside.logits(TEXTS)
    folded, _ = open_fastest(adapter, Opening("torch", threads=1))
    with folded:
        assert not any(isinstance(layer, LoraLinear) for layer in folded.backend.model.modules())
        found, _ = folded.logits(TEXTS)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_an_adapter_is_folded_before_its_base_is_rounded(adapter, monkeypatch):
    with Predictor.open(adapter, offline=True, folded=True, threads=1) as exact:
        expected = {name: weight.to(torch.bfloat16) for name, weight in exact.backend.model.state_dict().items()}
    monkeypatch.setattr(_written_out, "_forward", lambda *_, **__: (None, "no such architecture"))
    rounded, reason = open_fastest(adapter, Opening("torch-bf16", threads=1))
    with rounded:
        assert "through transformers: no such architecture" in reason
        found = rounded.backend.model.state_dict()
    assert set(found) == set(expected)
    assert all(torch.equal(found[name], weight) for name, weight in expected.items())


def test_an_adapter_without_its_base_is_refused(adapter, copy_of):
    bundle = copy_of(adapter)
    values = json.loads((bundle / "luthier.json").read_text())
    values["base"]["name"] = str(bundle.parent / "gone")
    (bundle / "luthier.json").write_text(json.dumps(values))
    with pytest.raises(ModelError, match="needs its base model .*gone") as caught:
        Predictor.open(bundle, offline=True)
    assert caught.value.fix


def test_an_adapter_finds_a_base_that_was_moved_with_it(adapter, copy_of, tmp_path, monkeypatch):
    bundle = copy_of(adapter)
    values = json.loads((bundle / "luthier.json").read_text())
    shutil.copytree(values["base"]["name"], tmp_path / "moved" / "base")
    values["base"] |= {"name": str(tmp_path / "gone"), "source": "directory"}
    values["recipe"] = {"model": {"name": "./base"}}
    (bundle / "luthier.json").write_text(json.dumps(values))
    with pytest.raises(ModelError, match="needs its base model .*gone"):
        Predictor.open(bundle, offline=True)
    monkeypatch.chdir(tmp_path / "moved")
    Predictor.open(bundle, offline=True).close()


def test_an_adapter_on_another_base_is_refused(adapter, copy_of, tmp_path):
    from luthier.models import tiny

    bundle = copy_of(adapter)
    values = json.loads((bundle / "luthier.json").read_text())
    values["base"]["name"] = str(tiny.make(tmp_path / "other", seed=7))
    (bundle / "luthier.json").write_text(json.dumps(values))
    with pytest.raises(BundleError, match="was tuned on another .*other.*sha256"):
        Predictor.open(bundle, offline=True)


@pytest.mark.parametrize("form", ["relative", "trailing slash"])
def test_odd_paths(full, tmp_path, monkeypatch, form):
    shutil.copytree(full, tmp_path / "评论 模型")
    monkeypatch.chdir(tmp_path)
    opened = Predictor.open("评论 模型" + ("/" if form == "trailing slash" else ""))
    assert opened.name == "评论 模型"


def test_unknown_backends_devices_and_tasks_are_refused(full, copy_of):
    with pytest.raises(UnknownNameError, match="unknown backend 'tortch'") as caught:
        Predictor.open(full, backend="tortch")
    assert "torch" in caught.value.fix
    with pytest.raises(ModelError, match="'warp' is not there; usable here: cpu"):
        Predictor.open(full, device="warp")
    bundle = copy_of(full)
    text = (bundle / "luthier.json").read_text()
    (bundle / "luthier.json").write_text(text.replace('"text-classification"', '"text-clasification"'))
    with pytest.raises(BundleError, match="task cannot be opened: unknown task"):
        Predictor.open(bundle)
    (bundle / "luthier.json").write_text(text.replace('"threshold": 0.5', '"threshold": 5'))
    with pytest.raises(BundleError, match="settings of task 'text-classification' are not valid: threshold"):
        Predictor.open(bundle)


def test_a_closed_predictor_does_not_answer(full):
    opened = Predictor.open(full)
    opened.close()
    with pytest.raises(RuntimeError, match="closed"):
        opened.predict(["x"])


@pytest.mark.parametrize("window", [1, 2, 7, 100])
def test_a_stream_gives_what_predict_gives_in_order(counting, window):
    streamed = list(counting.stream(iter(TEXTS), window=window))
    for one, other in zip(streamed, counting.predict(TEXTS), strict=True):
        np.testing.assert_array_equal(one.probabilities, other.probabilities)
        assert (one.labels, one.truncated) == (other.labels, other.truncated)


def test_a_stream_reads_no_further_than_two_windows_ahead(counting):
    read = 0

    def rows():
        nonlocal read
        while True:
            read += 1
            yield "endless"

    stream = counting.stream(rows(), window=8)
    for _ in range(20):
        next(stream)
    assert read <= 20 + 2 * 8
    stream.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("luthier-encode")]


def test_a_stream_reads_and_computes_in_the_callers_thread(counting):
    seen = set()

    def rows():
        for _ in range(30):
            seen.add(threading.get_ident())
            yield "text"

    list(counting.stream(rows(), window=4))
    assert seen == counting.backend.threads == {threading.get_ident()}


def test_what_the_rows_raise_comes_through(counting):
    def rows():
        yield from ["text"] * 10
        raise LuthierError("the file ended badly")

    with pytest.raises(LuthierError, match="ended badly"):
        list(counting.stream(rows(), window=4))
    with pytest.raises(DataError, match="row 9: expected a text, got int"):
        list(counting.stream([*["text"] * 9, 3], window=4))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("luthier-encode")]


def test_what_the_encoder_raises_comes_through(counting):
    def encode_ragged(texts, *, offsets):
        raise LuthierError("a broken tokenizer")

    counting.encoder = SimpleNamespace(encode_ragged=encode_ragged)
    with pytest.raises(LuthierError, match="broken tokenizer"):
        list(counting.stream(["text"] * 10, window=4))


def refusing(encoder: Encoder) -> SimpleNamespace:
    """An encoder that cannot encode texts with an x."""

    def encode_ragged(texts, *, offsets):
        for row, text in enumerate(texts):
            if "x" in text:
                raise DataError("it holds an x", "leave it out", row=row)
        return encoder.encode_ragged(texts, offsets=offsets)

    return SimpleNamespace(encode_ragged=encode_ragged, collate=encoder.collate)


@pytest.mark.parametrize("window", [1, 3, 4096])
def test_rows_that_cannot_be_used_are_told_and_the_others_answered(counting, window):
    rows = [f"row number {number}" for number in range(20)]
    expected = [answer.label for answer in counting.predict(rows)]
    counting.encoder = refusing(counting.encoder)
    bad = {2: "x", 3: 7, 8: "a x", 19: "x"}
    told = []
    found = list(counting.stream([bad.get(row, text) for row, text in enumerate(rows)], window=window,
                                 on_bad=lambda row, error: told.append((row, error.row, error.said))))
    assert [answer.label for answer in found] == [label for row, label in enumerate(expected) if row not in bad]
    assert told == [(2, 2, "it holds an x"), (3, 3, "expected a text, got int 7"), (8, 8, "it holds an x"),
                    (19, 19, "it holds an x")]
    assert list(counting.stream(["x"], on_bad=lambda *_: None)) == []


def test_a_row_that_cannot_be_encoded_is_named_as_the_caller_counts(counting):
    counting.encoder = refusing(counting.encoder)
    with pytest.raises(DataError, match="row 2: it holds an x\n  -> leave it out"):
        counting.predict(["a", "b", "x"])
    with pytest.raises(DataError, match="row 9: it holds an x") as caught:
        list(counting.stream([*"abcdefghi", "x"], window=4))
    assert caught.value.row == 9


def test_a_window_of_no_rows_is_refused(counting):
    with pytest.raises(ValueError, match="window must be 1 or more"):
        next(counting.stream(["x"], window=0))


@pytest.mark.slow
def test_memory_does_not_grow_with_the_rows(counting):
    import psutil

    process = psutil.Process()
    rows = (f"short row number {number}" for number in range(120_000))
    resident = []
    for number, _ in enumerate(counting.stream(rows)):
        if number % 10_000 == 9_999:
            resident.append(process.memory_info().rss)
    # After the third mark the allocator has what it needs: 90,000 more rows must not add 30 MB.
    assert max(resident[3:]) - resident[2] < 30e6
    assert counting.backend.rows == 120_000


def test_the_package_opens_without_heavy_libraries():
    code = ("import sys, luthier.inference, luthier.bundle\n"
            "heavy = {'torch', 'transformers', 'sklearn', 'huggingface_hub'} & set(sys.modules)\n"
            "sys.exit(', '.join(heavy) or 0)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_opening_imports_no_tuning_code(full):
    code = ("import sys; from luthier.inference import Predictor\n"
            "Predictor.open(sys.argv[1], threads=1)\n"
            "heavy = {'luthier.tuning', 'luthier.evaluation', 'luthier.pipeline', 'sklearn', 'peft', 'datasets'}\n"
            "sys.exit(', '.join(heavy & set(sys.modules)) or 0)")
    done = subprocess.run([sys.executable, "-c", code, str(full)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""


def test_a_generator_is_a_list_too(counting):
    assert len(counting.predict(text for text in ("good", "bad"))) == 2


@pytest.mark.parametrize("threads", [0, -1, 10**30])
def test_threads_that_no_machine_has(full, threads):
    with pytest.raises(LuthierError, match="expected 1 to 1024"):
        Predictor.open(full, threads=threads)


@pytest.mark.slow
def test_a_bundle_replaced_while_it_is_opened_is_opened_again(full: Path, copy_of, monkeypatch) -> None:
    from luthier.inference import opening as module

    bundle, calls = copy_of(full), []

    def replaced_meanwhile(directory: Path, manifest: Manifest) -> None:
        calls.append(directory)
        if len(calls) == 1:
            bundle.rename(bundle.with_name("old"))
            shutil.copytree(full, bundle)
            raise BundleError("model.safetensors is not what the manifest says")

    monkeypatch.setattr(module, "check_files", replaced_meanwhile)
    assert Predictor.open(bundle).predict(["good"])
    assert len(calls) == 2


@pytest.mark.slow
def test_a_faulty_bundle_that_nobody_replaced_is_refused_at_once(full: Path, copy_of) -> None:
    bundle = copy_of(full)
    (bundle / "config.json").write_text("{}")
    with pytest.raises(BundleError, match="config.json"):
        Predictor.open(bundle)
