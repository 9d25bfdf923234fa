"""The compiled encoder against transformers and the written-out one: all sizes, pairs, every token, hostile input.

Where the machine has no AMX some are left out; a missing compiler fails them.
"""

from __future__ import annotations

import ctypes
import json
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from luthier.errors import ModelError
from luthier.inference import Predictor
from luthier.inference.tiny import make_bundle
from luthier.models import tiny
from luthier.models.mapped import MappedWeights
from luthier.models.native import NativeClassifier, build, unfit
from luthier.schema import Batch

able = pytest.mark.skipif(bool(build.lacking()), reason=f"this machine has no {build.lacking()}")

SHAPES = {
    "bert": (BertForSequenceClassification, BertConfig, {}),
    "one layer": (BertForSequenceClassification, BertConfig, {"num_hidden_layers": 1}),
    "heads of 64": (BertForSequenceClassification, BertConfig, {"num_attention_heads": 1}),
    "wide": (BertForSequenceClassification, BertConfig, {"hidden_size": 160, "num_attention_heads": 5,
                                                         "intermediate_size": 96}),
    "roberta": (RobertaForSequenceClassification, RobertaConfig, {"pad_token_id": 1, "type_vocab_size": 1}),
}


def made(shape: str) -> tuple[torch.nn.Module, dict]:
    family, kind, more = SHAPES[shape]
    config = kind(**{"vocab_size": 90, "hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 2,
                     "intermediate_size": 128, "max_position_embeddings": 330, "num_labels": 5, **more})
    torch.manual_seed(0)
    model = family(config).eval()
    for name, weight in model.named_parameters():
        torch.nn.init.normal_(weight, 1.0 if "LayerNorm.weight" in name else 0.0, 0.15)
    return model, {**config.to_dict(), "architectures": [family.__name__]}


def native(model: torch.nn.Module, config: dict) -> NativeClassifier:
    weights = model.state_dict()
    return NativeClassifier(config, lambda name: weights[name].numpy())


def batch_of(lengths: list[int], *, types: bool = False) -> Batch:
    random = np.random.default_rng(1)
    mask = np.arange(max(lengths)) < np.array(lengths)[:, None]
    ids = np.where(mask, random.integers(5, 90, mask.shape), 1)
    return Batch(ids, mask, np.where(mask, random.integers(0, 2, mask.shape), 0) if types else None,
                 np.zeros(len(lengths), np.bool_))


def given(batch: Batch) -> dict[str, torch.Tensor]:
    found = {"input_ids": batch.ids, "attention_mask": batch.mask.astype(np.int64)}
    if batch.type_ids is not None:
        found["token_type_ids"] = batch.type_ids
    return {name: torch.from_numpy(array) for name, array in found.items()}


LENGTHS = [[1], [2], [15], [16], [17], [31], [32], [33], [1, 1, 1], [16] * 5, [40, 3, 300, 1, 17], [100] * 4, [7] * 90,
           [1] * 256]


@able
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_logits_are_near_those_of_transformers(shape: str, lengths: list[int]) -> None:
    model, config = made(shape)
    batch = batch_of(lengths)
    with torch.inference_mode():
        right = model(**given(batch)).logits.numpy()
    got = native(model, config)(batch)
    assert got.shape == right.shape
    apart = np.abs(got - right) / (1 + np.abs(right))
    assert apart.max() < 0.1
    assert apart.mean() < 0.02


@able
def test_segments_of_pairs_count() -> None:
    model, config = made("bert")
    batch = batch_of([9, 5], types=True)
    with torch.inference_mode():
        right = model(**given(batch)).logits.numpy()
    got = native(model, config)(batch)
    assert (np.abs(got - right) / (1 + np.abs(right))).max() < 0.05
    assert np.abs(got - native(model, config)(batch_of([9, 5]))).max() > 0.1


@able
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_every_token_can_be_had(lengths: list[int]) -> None:
    model, config = made("bert")
    batch, ready = batch_of(lengths), native(model, config)
    with torch.inference_mode():
        right = model.bert(**given(batch)).last_hidden_state.numpy()[batch.mask]
    got = ready.all(batch)
    assert got.shape == right.shape
    assert np.abs(got - right).max() < 0.1
    starts = np.cumsum(lengths) - np.array(lengths)
    np.testing.assert_allclose(ready.first(batch), got[starts], rtol=0, atol=2e-2)


@able
def test_a_row_does_not_know_its_neighbours() -> None:
    model, config = made("bert")
    ready, lengths = native(model, config), [5, 33, 120, 1, 17, 64]
    batch = batch_of(lengths)
    together = ready(batch)
    for row, length in enumerate(lengths):
        part = (slice(row, row + 1), slice(length))
        alone = Batch(batch.ids[part], batch.mask[part], None, np.zeros(1, np.bool_))
        np.testing.assert_array_equal(ready(alone)[0], together[row])


@able
def test_threads_do_not_disturb_each_other() -> None:
    model, config = made("bert")
    ready = native(model, config)
    batches = [batch_of([number, 3 * number, 50]) for number in range(1, 40)]
    right = [ready(batch) for batch in batches]
    wrong: list[int] = []

    def work() -> None:
        for _ in range(5):
            wrong.extend(number for number, batch in enumerate(batches)
                         if not np.array_equal(ready(batch), right[number]))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@able
@pytest.mark.parametrize(("change", "said"), [
    ({"ids": 90}, "token ids: from 90"), ({"ids": -1}, "token ids: from -1"), ({"types": 2}, "segment ids: from 2"),
    ({"tokens": 331}, "expected 1 to 330"), ({"tokens": 0}, "expected 1 to 330"),
])
def test_what_would_be_read_beyond_a_table_is_refused(change: dict[str, int], said: str) -> None:
    model, config = made("bert")
    tokens = change.get("tokens", 4)
    ids = np.full((2, max(tokens, 1)), change.get("ids", 5))
    mask = np.full(ids.shape, tokens > 0)
    types = np.full(ids.shape, change["types"]) if "types" in change else None
    with pytest.raises(IndexError, match=said):
        native(model, config)(Batch(ids, mask, types, np.zeros(2, np.bool_)))


@able
@pytest.mark.parametrize("name", ["bert.embeddings.LayerNorm.weight", "bert.encoder.layer.1.output.dense.weight",
                                  "bert.encoder.layer.2.attention.self.key.bias", "bert.pooler.dense.weight",
                                  "classifier.bias", "bert.embeddings.token_type_embeddings.weight"])
def test_weights_of_another_shape_are_refused(name: str) -> None:
    model, config = made("bert")
    weights = {**model.state_dict(), name: torch.zeros(3, 31)}
    with pytest.raises(ValueError, match="expected shape|must match|dimensions"):
        NativeClassifier(config, lambda asked: weights[asked].numpy())


@able
def test_a_head_is_computed_in_full_precision() -> None:
    random = np.random.default_rng(0)
    x, weight, bias = (random.standard_normal(shape).astype(np.float32) for shape in ((3, 64), (7, 64), (7,)))
    out = np.empty((3, 7), np.float32)
    build.library().luthier_linear(*map(ctypes.c_int64, (3, 7, 64)),
                                   *(ctypes.c_void_p(array.ctypes.data) for array in (x, weight, bias, out)))
    np.testing.assert_allclose(out, x @ weight.T + bias, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("change", "said"), [
    ({"model_type": "distilbert"}, "'distilbert'"), ({"hidden_act": "gelu_new"}, "gelu_new"),
    ({"num_attention_heads": 4}, "no multiple of 32"), ({"intermediate_size": 100}, "no multiple of 32"),
])
def test_what_is_not_fit_is_told(change: dict, said: str) -> None:
    _, config = made("bert")
    assert unfit(config) is None
    assert said in (unfit({**config, **change}) or "")


def test_without_the_processors_help_the_backend_goes_through_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("luthier.inference.backends.native.impossible", lambda: "this machine has no amx_tile")
    bundle = make_bundle(tmp_path / "bundle", base=tiny.make(tmp_path / "base", width=64, heads=2))
    with Predictor.open(bundle, backend="native", threads=1) as predictor:
        assert "by torch-bf16: this machine has no amx_tile" in predictor.backend.reason
        assert predictor.predict(["good"])[0].label


def test_lacking_features_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "processor_features", lambda: frozenset(build.NEEDED) - {"amx_tile"})
    assert build.impossible() == "this machine has no amx_tile"
    build.library.cache_clear()
    with pytest.raises(ModelError, match="the compiled encoder cannot be used: this machine has no amx_tile"):
        build.library()


def test_a_lacking_compiler_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(build, "processor_features", lambda: frozenset(build.NEEDED))
    monkeypatch.setattr(build.platform, "system", lambda: "Linux")
    monkeypatch.setenv("LUTHIER_CACHE", str(tmp_path))
    monkeypatch.setenv("CC", "no-such-compiler")
    assert "there is no C compiler" in (build.impossible() or "")


@able
@pytest.mark.parametrize(("compiler", "said"), [("false", "be compiled with"), ("echo", "be compiled into")])
def test_a_compiler_that_fails_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compiler: str, said: str
) -> None:
    monkeypatch.setenv("CC", compiler)
    monkeypatch.setenv("LUTHIER_CACHE", str(tmp_path))
    build.library.cache_clear()
    with pytest.raises(ModelError, match=said):
        build.library()
    assert not list((tmp_path / "native").iterdir())
    build.library.cache_clear()


@pytest.mark.slow  # compiles
@able
@pytest.mark.parametrize("content", [b"", b"no library", b"\x7fELF" + bytes(60_000)])
def test_a_library_that_cannot_be_opened_is_compiled_once_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    monkeypatch.setenv("LUTHIER_CACHE", str(tmp_path))
    place = build._place()
    place.parent.mkdir()
    place.write_bytes(content)
    build.library.cache_clear()
    assert build.library().luthier_allow_tiles()
    build.library.cache_clear()


@pytest.mark.slow  # compiles
@able
def test_a_place_that_nothing_may_run_from_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> None:
        raise OSError(f"{path}: failed to map segment from shared object")

    monkeypatch.setenv("LUTHIER_CACHE", str(tmp_path))
    monkeypatch.setattr(build.ctypes, "CDLL", refuse)
    build.library.cache_clear()
    with pytest.raises(ModelError, match=r"cannot be opened: .*failed to map segment[\s\S]*LUTHIER_CACHE"):
        build.library()


def test_a_kernel_that_allows_no_tiles_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Library:
        def luthier_allow_tiles(self) -> int:
            return 0

    monkeypatch.setattr(build, "impossible", lambda: None)
    monkeypatch.setattr(build, "_opened", lambda _: Library())
    build.library.cache_clear()
    with pytest.raises(ModelError, match="this kernel does not let programs use AMX tiles"):
        build.library()
    build.library.cache_clear()


@pytest.mark.slow  # compiles
@able
def test_the_code_compiles_without_a_warning(tmp_path: Path) -> None:
    import subprocess

    words = [str(build._compiler()), *map(str, build.SOURCES), "-o", str(tmp_path / "x.so"), *build.FLAGS,
             "-Wall", "-Wextra", "-Werror", "-std=gnu11"]
    assert subprocess.run(words, check=False, capture_output=True, text=True).stderr == ""


@pytest.mark.parametrize("kind", ["float32", "float16", "bfloat16"])
def test_mapped_weights_are_those_of_the_file(tmp_path: Path, kind: str) -> None:
    from safetensors.torch import save_file

    tensors = {"a": torch.randn(3, 5).to(getattr(torch, kind)), "odd": torch.randn(7).to(getattr(torch, kind)),
               "none": torch.zeros(0, 4).to(getattr(torch, kind))}
    save_file(tensors, tmp_path / "x.safetensors", metadata={"format": "pt"})
    weights = MappedWeights(tmp_path / "x.safetensors")
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(weights(name), tensor.float().numpy())
        assert weights(name).dtype == np.float32
    with pytest.raises(KeyError):
        weights("b")


@pytest.mark.parametrize(("content", "said"), [
    (b"", "cannot read the weights"), (b"123", "cannot read the weights"), (b"\xff" * 64, "its header has"),
    (b"\x02" + b"\0" * 7 + b"{]", "cannot read the weights"),
])
def test_a_file_that_holds_no_weights_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(ModelError, match=said):
        MappedWeights(tmp_path / "x")


@pytest.mark.parametrize(("record", "said"), [
    ({"dtype": "F32", "shape": [2], "data_offsets": [0, 800]}, "does not fit"),
    ({"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}, "does not fit"),
    ({"dtype": "F32", "shape": [-2], "data_offsets": [8, 0]}, "does not fit"),
    ({"dtype": "F32", "shape": [2]}, "does not fit"), ({"dtype": "I64", "shape": [1], "data_offsets": [0, 8]}, "I64"),
])
def test_a_record_that_lies_is_refused(tmp_path: Path, record: dict, said: str) -> None:
    header = json.dumps({"a": record}).encode()
    (tmp_path / "x").write_bytes(len(header).to_bytes(8, "little") + header + b"\0" * 8)
    with pytest.raises(ModelError, match=said):
        MappedWeights(tmp_path / "x")("a")


@able
@pytest.mark.slow
def test_labelling_a_file_imports_no_torch(tmp_path: Path) -> None:
    import subprocess
    import sys

    make_bundle(tmp_path / "bundle", base=tiny.make(tmp_path / "base", width=64, heads=2))
    (tmp_path / "texts.csv").write_text("text\nvery good\nvery bad\n", encoding="utf-8")
    code = ("import sys\nfrom luthier.pipeline import predict_file\npredict_file(*sys.argv[1:])\n"
            "assert not {'torch', 'transformers'} & set(sys.modules)")
    words = [sys.executable, "-c", code, *(str(tmp_path / name) for name in ("bundle", "texts.csv", "out.csv"))]
    subprocess.run(words, check=True)
