"""The task: targets from marks, validation by tokens of answers, answers without white space around them."""

from __future__ import annotations

import numpy as np
import pytest

from luthier.errors import DataError
from luthier.inference.generation import Written
from luthier.models.encoding import Ragged
from luthier.schema import GENERATED, Example, LabelSet
from luthier.tasks import TokenTargets, dialogue

LABELS = LabelSet((GENERATED,), "dialogue")


def test_targets_stand_at_the_token_before_and_prompts_have_none() -> None:
    ragged = Ragged([[5, 6, 7, 8, 9]], None, np.array([False]), sequence=[np.array([0, 0, 1, 0, 1])])
    found = dialogue.targets([Example("x", "", targets=("a",))], LABELS, ragged)
    assert found.rows[0].tolist() == [-100, 7, -100, 9, -100]
    assert (found.counts(np.array([0])), found.written) == (2, False)


def test_an_example_without_an_answer_is_refused() -> None:
    with pytest.raises(DataError, match="x: expected a text to be written for it"):
        dialogue.targets([Example("x", "")], LABELS, Ragged([[1]], None, np.array([False])))


def test_validation_passes_over_what_is_not_learned() -> None:
    targets = TokenTargets([np.array([-100, 3, 4]), np.array([5, -100])])
    found = [np.array([[-99, 1], [-1, 1], [-3, 0]], np.float32), np.array([[-2, 1], [-99, 0]], np.float32)]
    scored = dialogue.metrics(found, targets, LABELS)
    assert scored == pytest.approx({"accuracy": 2 / 3, "loss": 2.0, "perplexity": np.exp(2.0)})
    guess = dialogue.guessed(targets, targets, LABELS)
    assert guess["loss"] == pytest.approx(np.log(4))


def test_a_hopeless_loss_has_a_perplexity_all_the_same() -> None:
    found = [np.array([[-1e4, 0]], np.float32)]
    assert np.isfinite(dialogue.metrics(found, TokenTargets([np.array([1])]), LABELS)["perplexity"])


def test_answers_lose_white_space_around_them() -> None:
    (answer,) = dialogue.decode([Written((1,), " hi\n", -0.5, "length")], Ragged([[1]], None, np.array([True])), ["a"],
                                LABELS, dialogue.Settings())
    assert (answer.generated_text, answer.finish_reason, answer.truncated) == ("hi", "length", True)
