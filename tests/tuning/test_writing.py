"""Tuning what writes: the feed, validation in little memory, adapters, and methods that do not apply."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier import plugins
from luthier.errors import ModelError
from luthier.models.encoding import Encoder
from luthier.models.files import ModelFiles, weights_sha256
from luthier.models.tiny_generators import make_seq2seq
from luthier.recipe import TrainSettings, ValidationSettings
from luthier.schema import GENERATED, Example, LabelSet
from luthier.tasks import TokenTargets
from luthier.tasks import text_to_text as task
from luthier.tuning import Encoded, Events, Job
from luthier.tuning.batching import by_length
from luthier.tuning.fit import fit

LABELS = LabelSet((GENERATED,), "text_generation")


def rows(count: int, seed: int) -> list[Example]:
    random = np.random.default_rng(seed)
    texts = ["".join(random.choice(list("abcd"), random.integers(2, 6))) for _ in range(count)]
    return [Example(f"r:{number}", text, targets=(text[::-1],)) for number, text in enumerate(texts)]


def job(directory: Path, method: str = "full", *, settings: dict[str, Any] | None = None, **train: Any) -> Job:
    base = make_seq2seq(directory / "base", width=32)
    encoder, chosen = Encoder.load(base), plugins.load("tuning.methods", method)

    def encoded(part: list[Example]) -> Encoded:
        wanted = encoder.encode_ragged(task.first_targets(part))
        return Encoded(encoder.encode_ragged([row.text for row in part]), task.targets(part, LABELS, wanted))

    built = task.build(ModelFiles("m", "directory", base, None, None, weights_sha256(base)), LABELS)
    return Job(
        model=chosen.prepare(built, chosen.Settings(**(settings or {})), 0), encoder=encoder, task=task, labels=LABELS,
        train=encoded(rows(64, 0)), valid=encoded(rows(24, 1)), validation=ValidationSettings(
            metric_for_best_model="loss"), head=built.new_modules, seed=3, directory=directory / "run", fingerprint="w",
        train_settings=TrainSettings(**{"learning_rate": 3e-3, "precision": "fp32", "num_train_epochs": 3,
                                        "per_device_train_batch_size": 8, **train}))


def run(one: Job) -> tuple[Any, list[dict[str, Any]]]:
    heard: list[dict[str, Any]] = []
    one.directory.mkdir(parents=True, exist_ok=True)
    with Events(one.directory / "events.jsonl", [heard.append]) as events:
        return fit(one, events), heard


@pytest.mark.slow
def test_a_step_costs_the_tokens_read_and_written_and_the_loss_is_the_models_own(tmp_path: Path) -> None:
    import torch

    one = job(tmp_path, num_train_epochs=1, per_device_train_batch_size=64)
    ids, targets = one.train.ragged.ids, one.train.targets
    assert one.train.lengths.tolist() == [len(a) + len(b) for a, b in zip(ids, targets.rows, strict=True)]
    # transformers shifts the labels itself and means over their tokens: the same loss by another way.
    batch = one.encoder.collate(one.train.ragged, range(64))
    with torch.inference_mode():
        own = one.model(input_ids=torch.from_numpy(batch.ids), attention_mask=torch.from_numpy(batch.mask).long(),
                        labels=torch.from_numpy(targets[np.arange(64)])).loss
    step = next(event for event in run(one)[1] if event["event"] == "step")
    assert step["loss"] == pytest.approx(float(own), rel=1e-4)


@pytest.mark.slow
def test_validation_is_that_of_whole_logits_and_the_same_in_any_batch(tmp_path: Path) -> None:
    one, few = job(tmp_path / "a"), job(tmp_path / "b", max_tokens_per_batch=64)
    first, second = (run(made)[0].history[-1]["metrics"] for made in (one, replace(few, train=one.train)))
    assert set(first) == {"accuracy", "loss"}
    assert second["loss"] == pytest.approx(first["loss"], rel=1e-3)


@pytest.mark.slow
def test_it_learns_and_says_what_does_not_apply(tmp_path: Path) -> None:
    fitted, _ = run(job(tmp_path, num_train_epochs=16))
    losses = [entry["metrics"]["loss"] for entry in fitted.history]
    assert losses[-1] < 0.7 * losses[0]
    told = fitted.decisions
    assert (told["word_table"].value, told["layers"].value) == ("whole", "torch")
    assert told["class_weights"].value == "none"
    assert not fitted.warnings


@pytest.mark.slow
def test_an_adapter_leaves_embeddings_and_the_vocabulary_alone_and_comes_back_to_the_bit(tmp_path: Path) -> None:
    import torch

    one = job(tmp_path, "lora", settings={"lora_rank": 4})
    trained = [name for name, weight in one.model.named_parameters() if weight.requires_grad]
    assert trained
    assert all("lora_" in name for name in trained)
    assert not any("lm_head" in name or "shared" in name for name in trained)
    run(one)
    lora = plugins.load("tuning.methods", "lora")
    base = ModelFiles("m", "directory", tmp_path / "base", None, None, "0")
    lora.save(one.model, tmp_path / "adapter", base=base)
    assert '"task_type": "SEQ_2_SEQ_LM"' in (tmp_path / "adapter" / "adapter_config.json").read_text(encoding="utf-8")
    again = lora.load(tmp_path / "adapter", base_directory=tmp_path / "base")
    ids = torch.tensor([[5, 6, 7]])
    with torch.inference_mode():
        logits = [model.eval()(input_ids=ids, decoder_input_ids=ids).logits for model in (one.model, again)]
        assert torch.equal(*logits)
        merged = lora.merge(again)(input_ids=ids, decoder_input_ids=ids).logits
    assert torch.allclose(merged, logits[0], atol=1e-4)


@pytest.mark.filterwarnings("ignore")  # of peft's own
@pytest.mark.slow
def test_peft_opens_an_adapter_and_gives_the_same_logits(tmp_path: Path) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForSeq2SeqLM

    one = job(tmp_path, "lora", settings={"lora_rank": 4})
    for name, weight in one.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.1)
    base = ModelFiles("m", "directory", tmp_path / "base", None, None, "0")
    plugins.load("tuning.methods", "lora").save(one.model, tmp_path / "adapter", base=base)
    plain = AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "base")
    opened = PeftModel.from_pretrained(plain, tmp_path / "adapter").eval()
    ids = torch.tensor([[5, 6, 7]])
    with torch.inference_mode():
        found, ours = (model.eval()(input_ids=ids, decoder_input_ids=ids).logits for model in (opened, one.model))
    assert torch.allclose(found, ours, atol=1e-5)


@pytest.mark.slow
def test_layers_cannot_be_frozen_by_their_number(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"two stacks of layers, an encoder and a decoder\n.*full or lora"):
        job(tmp_path, "freeze")


LENGTHS = st.lists(st.tuples(st.integers(1, 500), st.integers(1, 500)), min_size=1, max_size=40)


@given(LENGTHS, st.integers(64, 4096), st.integers(1, 4096))
def test_batches_are_bounded_by_what_is_computed_and_by_outputs(lengths: Any, asked: int, wide: int) -> None:
    read, written = np.array(lengths, np.int64).T
    split: Any = SimpleNamespace(targets=TokenTargets([np.zeros(count, np.int64) for count in written], written=True),
                                 writes=True, lengths=read + written)
    job: Any = SimpleNamespace(wide_tokens=wide, batch_tokens=asked)
    for rows in by_length(Job.sizes(job, split), max_tokens=asked):
        assert len(rows) == 1 or len(rows) * (read + written)[rows].max() <= asked
        assert len(rows) == 1 or len(rows) * written[rows].max() <= wide


WIDE = textwrap.dedent("""
    import sys
    from pathlib import Path
    from benchmarks._machine import peak_memory_mib
    from luthier.tuning import job as module
    from tests.tuning.test_writing import job, run

    module.SHARE, module.MOST_ON_CPU = 1, int(sys.argv[2])
    one = job(Path(sys.argv[1]), num_train_epochs=1, per_device_train_batch_size=64)
    one.model.resize_token_embeddings(40_000)
    before = peak_memory_mib()
    _, heard = run(one)
    said = next(event for event in heard if event["event"] == "run_started")["decisions"].get("batch_tokens")
    loss = next(event for event in heard if event["event"] == "step")["loss"]
    print(peak_memory_mib() - before, loss, said)
""")


@pytest.mark.slow
def test_wide_outputs_do_not_fill_the_memory(tmp_path: Path) -> None:
    """64 rows of 40,000 outputs at up to seven tokens: 70 MB of logits at once, several times, unless they are cut."""
    told = [subprocess.run([sys.executable, "-c", WIDE, str(tmp_path / most), most], capture_output=True, text=True,
                           check=True, cwd=Path(__file__).parents[2]).stdout.split(" ", 2)
            for most in (str(1 << 40), str(4 << 20))]
    (whole, loss, nothing), (cut, same, said) = told
    assert nothing.strip() == "None"
    assert "26 written tokens with outputs" in said
    assert float(same) == pytest.approx(float(loss), rel=1e-3)
    assert float(cut) < float(whole) - 100  # MiB; the optimiser's 30 are in both
