"""What a finished run says against itself."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np

from luthier.evaluation import evaluate
from luthier.pipeline.assembling import _warnings
from luthier.recipe import EvaluationSettings
from luthier.schema import Example, LabelSet, Prediction, TextInput

LABELS = LabelSet(("a", "b", "c"))
ROWS = [Example(str(n), f"text {n}", labels=("abc"[n % 3],)) for n in range(12)]


class Answers:
    """Gives each row one of the labels it knows, in turn."""

    def __init__(self, known: str) -> None:
        self._known = known

    def predict(self, texts: Sequence[TextInput]) -> list[Prediction]:
        given = [self._known[n % len(self._known)] for n in range(len(texts))]
        return [Prediction((name,), LABELS.names, np.eye(3, dtype=np.float32)[LABELS.index(name)]) for name in given]


def warnings_of(known: str) -> str:
    tuned = evaluate(Answers(known), ROWS, LABELS, EvaluationSettings(bootstrap=100))
    done = SimpleNamespace(fitted=SimpleNamespace(warnings=("the loop's own",)),
                           loaded=SimpleNamespace(dataset=SimpleNamespace(labels=LABELS)))
    return " | ".join(_warnings(done, {"tuned": tuned}))


def test_labels_that_are_never_answered_are_named() -> None:
    assert warnings_of("ab") == "the loop's own | never answered on the test rows: c (4 rows)"


def test_one_answer_to_every_row_is_named() -> None:
    assert "the tuned model answers 'b' to every test row" in warnings_of("b")


def test_a_model_that_answers_all_labels_gets_no_warning_of_its_own() -> None:
    assert warnings_of("abc") == "the loop's own"
