"""Runs on conversations: packed rows lose what padded ones do, prompts teach nothing, many words make small batches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_packed_run import losses, packed

from luthier.models.chat import ChatEncoder
from luthier.models.tiny_generators import make_causal
from luthier.recipe import TrainSettings, ValidationSettings
from luthier.schema import GENERATED, Conversation, Example, LabelSet, Turn
from luthier.tasks import TokenTargets
from luthier.tasks import dialogue as task
from luthier.tuning import Encoded, Job
from luthier.tuning.feeding import in_rows, laid_out

LABELS = LabelSet((GENERATED,), "dialogue")


def encoded(encoder: ChatEncoder, numbers: range, *, answer: str = "hi") -> Encoded:
    prompts = [Conversation((Turn("user", "i am " + "ab" * (number % 5)),)) for number in numbers]
    answers = [f"{answer} {number}" for number in numbers]
    ragged = encoder.learned(prompts, answers).ragged
    rows = [Example(f"x:{number}", "", targets=(text,)) for number, text in zip(numbers, answers, strict=True)]
    return Encoded(ragged, task.targets(rows, LABELS, ragged))


def job(directory: Path, base: Path, **changes: Any) -> Job:
    encoder = ChatEncoder.load(base)
    model = task.build(base, LABELS).model.requires_grad_(True)
    settings = TrainSettings(learning_rate=2e-3, precision="fp32", num_train_epochs=1, per_device_train_batch_size=8)
    return Job(**{"model": model, "encoder": encoder, "task": task, "labels": LABELS,
                  "train": encoded(encoder, range(24)), "valid": encoded(encoder, range(24, 40)),
                  "train_settings": settings, "validation": ValidationSettings(), "seed": 7, "directory": directory,
                  "fingerprint": "toy", **changes})


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_causal(tmp_path_factory.mktemp("causal") / "base", width=64)


@pytest.mark.slow
def test_packed_rows_lose_what_padded_ones_do(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = losses(job(tmp_path / "padded", base))
    monkeypatch.setattr("luthier.models.kernels.installed", packed)
    assert losses(job(tmp_path / "packed", base)) == pytest.approx(right, rel=1e-4)


@pytest.mark.slow
def test_the_loss_is_that_of_transformers_with_labels_on_answers_alone(base: Path, tmp_path: Path) -> None:
    one = job(tmp_path, base)
    rows = np.arange(8)
    batch = one.encoder.collate(one.train.ragged, rows)
    marks = one.train.ragged.sequence or []
    labels = torch.full(batch.ids.shape, -100)
    for row in rows:
        ids = torch.tensor(one.train.ragged.ids[row])
        labels[row, : len(ids)] = torch.where(torch.from_numpy(marks[row]) == 1, ids, -100)
    given = {"input_ids": torch.from_numpy(batch.ids), "attention_mask": torch.from_numpy(batch.mask).long()}
    with torch.inference_mode():
        right = one.model(**given, labels=labels)
        targets = one.train.targets
        assert isinstance(targets, TokenTargets)
        ours = task.loss(right.logits, torch.from_numpy(targets[rows])).sum() / targets.counts(rows)
    assert ours.item() == pytest.approx(right.loss.item(), rel=1e-5)


def test_targets_are_the_next_tokens_of_answers(base: Path) -> None:
    found = encoded(ChatEncoder.load(base), range(1))
    (ids,), (row,) = found.ragged.ids, found.targets.rows  # type: ignore[union-attr]  # targets of tokens
    learned = row != -100
    spelt = ChatEncoder.load(base).text_of(row[learned].tolist())
    assert spelt == " hi 0"
    assert ids[-1] == row[-2] == 2
    assert row[-1] == -100
    assert [ids[place + 1] for place in np.flatnonzero(learned)] == row[learned].tolist()


def test_wide_outputs_make_small_batches(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = job(tmp_path, base)
    assert one.batch_tokens == one.train_settings.max_tokens_per_batch
    assert one.decided_width() == {}
    monkeypatch.setattr("luthier.tuning.job.MOST_ON_CPU", 100 * 4 * 260)
    assert one.batch_tokens == 100
    (decided,) = one.decided_width().values()
    assert decided.value == "100 tokens with outputs"
    assert "an output for every word, and 100 fill 0 MiB" in decided.reason


def test_packed_logits_find_their_targets_and_rows() -> None:
    targets, lengths = np.array([[1, 2, -100], [3, -100, -100]]), np.array([3, 1])
    packed_logits = torch.zeros(1, 4, 7)
    assert laid_out(targets, packed_logits, lengths).tolist() == [[1, 2, -100, 3]]
    assert laid_out(targets, torch.zeros(2, 3, 7), lengths) is targets
    numbers = torch.arange(8.0).view(1, 4, 2)
    found = in_rows(numbers, lengths)
    assert found.shape == (2, 3, 2)
    assert found[1, 0].tolist() == [6, 7]
    assert in_rows(found, lengths) is found
