"""Perplexity of right answers beside what written ones score."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from luthier.evaluation import compare, evaluate
from luthier.recipe import EvaluationSettings
from luthier.schema import Conversation, Example, Float32, Generated, LabelSet, TextInput, Turn

LABELS = LabelSet(("generated_text",), "dialogue")
ROWS = tuple(Example(f"x:{n}", f"ask {n}", targets=(f"say {n}",),
                     conversation=Conversation((Turn("user", f"ask {n}"),))) for n in range(12))
SETTINGS = EvaluationSettings(bootstrap=200)


class Writer:
    """Writes the right answers."""

    def predict(self, texts: Sequence[TextInput]) -> list[Generated]:
        return [Generated(f"say {number}", "stop") for number in range(len(texts))]


class Weigher(Writer):
    """Also tells how likely it finds the right ones: two tokens in even rows, three in odd ones."""

    def __init__(self, log: float) -> None:
        self.log = log
        self.asked: list[str] = []

    def weigh(self, texts: Sequence[TextInput], answers: Sequence[str]) -> list[Float32]:
        assert all(isinstance(text, Conversation) for text in texts)
        self.asked = list(answers)
        return [np.full(2 + number % 2, self.log - number % 2, np.float32) for number in range(len(answers))]


def test_perplexity_is_the_exponential_of_the_mean_over_all_tokens() -> None:
    weigher = Weigher(-1.0)
    found = evaluate(weigher, ROWS, LABELS, SETTINGS)
    assert weigher.asked == [f"say {number}" for number in range(12)]
    assert found.scores.values["perplexity"] == pytest.approx(np.exp((6 * 2 * 1 + 6 * 3 * 2) / (6 * 5)))
    interval = found.intervals.metrics["perplexity"]
    assert interval.low < interval.value < interval.high
    assert found.scores.values["exact_match"] == 1.0


def test_less_is_better_and_what_a_baseline_lacks_is_not_compared() -> None:
    good, bad = (evaluate(Weigher(log), ROWS, LABELS, SETTINGS) for log in (-0.5, -2.0))
    assert compare(good, bad, SETTINGS)["perplexity"].verdict == "better"
    plain = evaluate(Writer(), ROWS, LABELS, SETTINGS)
    assert "perplexity" not in plain.scores.values
    assert "perplexity" not in compare(good, plain, SETTINGS)
    assert "chrf" in compare(good, plain, SETTINGS)
