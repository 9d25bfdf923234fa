"""Texts with two marked stretches, and the relation between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from luthier.evaluation.evaluate import Evaluation
from luthier.evaluation.kind import Form, Judge, Page, PredictsTexts, Printed, ShownError
from luthier.evaluation.kinds._labels import BASELINE, SECTIONS, facts, learned_nothing, never_given, told
from luthier.evaluation.metrics import membership
from luthier.evaluation.relations import MAIN, judge_relations
from luthier.evaluation.report.relation_words import RELATION_WORDS
from luthier.evaluation.report.sections.error_parts import LONGEST, meter, said_and_true
from luthier.evaluation.report.sections.marked import stretches
from luthier.evaluation.scores import RowError
from luthier.evaluation.tfidf import fit_classifier
from luthier.schema import Dataset, Example, LabelSet, Span

__all__ = ["BASELINE", "BY_DISTANCE", "LOWER_IS_BETTER", "MAIN", "MAIN_TITLE", "METRICS", "PAGE", "SHORT", "VALIDATED",
           "baseline", "doubts", "facts", "judge", "printed", "shown", "told"]

MAIN_TITLE = "relation F1"
VALIDATED = MAIN
METRICS: dict[str, Form] = {
    MAIN: "share", "f1_macro": "share", "f1_micro": "share", "precision_micro": "share", "recall_micro": "share",
    "accuracy": "share", "log_loss": "plain",
}
LOWER_IS_BETTER = ("log_loss",)
SHORT = (MAIN, "accuracy", "f1_macro", "f1_micro")
BY_DISTANCE = False
PAGE = Page(headline=(MAIN, "accuracy"), drawn=("f1_macro", "f1_micro", "accuracy"), sections=SECTIONS,
            suffix="_relations", words=RELATION_WORDS)


def judge(examples: Sequence[Example], labels: LabelSet) -> Judge:
    """Return what holds ``Prediction``s against the relations of the rows."""
    truth = membership(examples, labels)
    return lambda answers: judge_relations(answers, truth, labels)


def baseline(dataset: Dataset, language: str, *, threshold: float, seed: int) -> PredictsTexts:
    """Fit TF-IDF and logistic regression to the two stretches and what stands between them."""
    return fit_classifier(dataset, language, threshold=threshold, seed=seed)


def doubts(system: Evaluation) -> list[str]:
    """Tell of a model that finds no relation at all, and of those that it never tells."""
    negative = system.labels.negative
    told_any = any(entry.predicted for entry in system.scores.classes if entry.label != negative)
    if not told_any:
        return [learned_nothing("tells no relation in any test row",
                                "在所有测试行中没有判出任何关系")]
    return never_given(system.scores.classes, "told", "rows")


def printed(scores: Mapping[str, Any]) -> Printed:  # noqa: ARG001 - as all kinds are asked
    """Return the scores of relations, and how many rows are right."""
    return Printed({MAIN: "relation F1", "f1_micro": "micro F1", "accuracy": "accuracy"})


def shown(error: RowError) -> ShownError:
    """Return the relation told against the true one, and the text with its two stretches."""
    row = error.example
    marks = [Span(one.start, one.end, name) for name, one in zip(("head", "tail"), row.arguments or (), strict=False)]
    return ShownError(meter(error.confidence), said_and_true(error.prediction.labels, row.labels or ()),
                      f'<blockquote class="marked" dir="auto">{stretches(row.text, marks, LONGEST)}</blockquote>')
