"""Text to text: targets, loss, what is kept of logits, what a guess scores."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luthier.errors import DataError
from luthier.models.encoding import Ragged
from luthier.schema import GENERATED, Example, Generated, LabelSet
from luthier.tasks import TokenTargets
from luthier.tasks import text_to_text as task

LABELS = LabelSet((GENERATED,), "text_generation")
ROWS = [Example("f:1", "one", targets=("eins", "ein")), Example("f:2", "two", targets=("zwei",))]


@dataclass(frozen=True)
class Made:
    text: str
    score: float
    finish: str


def ragged(*ids: list[int], cut: tuple[bool, ...] = ()) -> Ragged:
    return Ragged(list(ids), None, np.array(cut or [False] * len(ids)))


def test_targets_are_the_tokens_of_the_first_text_and_lose_their_end_where_they_were_cut() -> None:
    found = task.targets(ROWS, LABELS, ragged([5, 6, 2], [7, 8, 2], cut=(False, True)))
    assert found.written
    assert [row.tolist() for row in found.rows] == [[5, 6, 2], [7, 8]]
    assert found.counts(np.array([0, 1])) == 5
    assert found[np.array([1, 0])].tolist() == [[7, 8, -100], [5, 6, 2]]


def test_rows_without_a_target_are_refused() -> None:
    with pytest.raises(DataError, match=r"f:9: expected a text to be written for it, got none\n.*luthier predict"):
        task.targets([Example("f:9", "x")], LABELS, ragged([2]))


def test_what_is_written_becomes_answers() -> None:
    made = [Made("a dog", math.log(0.5), "stop"), Made("", 0.0, "length")]
    assert task.decode(made, ragged([1], [2], cut=(True, False)), ["x", "y"], LABELS, task.Settings()) == [
        Generated("a dog", "stop", 0.5, True), Generated("", "length", 1.0, False)]


def test_a_guess_knows_how_common_tokens_are() -> None:
    train = TokenTargets([np.array([5, 5, 2]), np.array([5, 2])], written=True)
    valid = TokenTargets([np.array([5, 9, 2])], written=True)
    found = task.guessed(train, valid, LABELS)
    assert found["accuracy"] == pytest.approx(1 / 3)
    shares = (3 / 6, 1 / 6, 2 / 6)  # the tokens seen, and one more that stands for all that are new
    assert found["loss"] == pytest.approx(-np.log(shares).mean(), rel=1e-6)


@pytest.mark.slow
@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 6), min_size=1, max_size=5), min_size=1, max_size=4), st.integers(0, 99),
       st.sampled_from([0.0, 0.1]))
def test_the_loss_is_that_of_the_log_probabilities_kept(rows: list[list[int]], seed: int, smoothing: float) -> None:
    import torch

    targets = TokenTargets([np.array(row) for row in rows], written=True)
    padded = torch.from_numpy(targets[np.arange(len(rows))])
    logits = torch.from_numpy(np.random.default_rng(seed).normal(size=(*padded.shape, 7)).astype(np.float32))
    kept = task.condensed(logits, padded).numpy()
    found = task.metrics([one[: len(row)] for one, row in zip(kept, rows, strict=True)], targets, LABELS)
    assert float(task.loss(logits, padded).sum()) / targets.counts(np.arange(len(rows))) == pytest.approx(
        found["loss"], rel=1e-4)
    shares = torch.log_softmax(logits, -1)
    for number, row in enumerate(rows):
        smooth = -sum((1 - smoothing) * float(shares[number, place, token]) + smoothing * float(
            shares[number, place].mean()) for place, token in enumerate(row))
        assert float(task.loss(logits, padded, label_smoothing=smoothing)[number]) == pytest.approx(smooth, rel=1e-4)
    right = [int(logits[number, place].argmax()) == token for number, row in enumerate(rows)
             for place, token in enumerate(row)]
    assert found["accuracy"] == pytest.approx(np.mean(right))
