"""Texts with labelled spans, such as named entities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from luthier.evaluation.dictionary import learn_dictionary
from luthier.evaluation.entities import gold_spans, judge_spans, words_of
from luthier.evaluation.evaluate import Evaluation
from luthier.evaluation.kind import Form, Judge, Named, Page, PredictsTexts, Printed, ShownError
from luthier.evaluation.kinds._labels import learned_nothing, never_given
from luthier.evaluation.report.html import both, count
from luthier.evaluation.report.sections.classes import classes
from luthier.evaluation.report.sections.counting import counting
from luthier.evaluation.report.sections.error_parts import LONGEST, meter
from luthier.evaluation.report.sections.marked import marked
from luthier.evaluation.report.sections.outcomes import outcomes
from luthier.evaluation.report.sections.tags import tags
from luthier.evaluation.report.span_words import SPAN_WORDS
from luthier.evaluation.scores import RowError
from luthier.schema import Dataset, Entities, Entity, Example, LabelSet

MAIN, MAIN_TITLE = "f1_micro", "entity F1"
VALIDATED = MAIN
METRICS: dict[str, Form] = {
    "f1_micro": "share", "precision_micro": "share", "recall_micro": "share", "f1_macro": "share",
    "f1_weighted": "share", "accuracy": "share",
}
LOWER_IS_BETTER = ()
SHORT = ("accuracy", "f1_macro", "f1_micro", "precision_micro", "recall_micro")
BY_DISTANCE = False
BASELINE = Named("dictionary", "dictionary of the training entities")
PAGE = Page(
    headline=(MAIN, "accuracy"), drawn=("f1_micro", "precision_micro", "recall_micro"),
    sections={"classes": classes, "outcomes": outcomes, "counting": counting, "tags": tags},
    suffix="_spans", words=SPAN_WORDS, marked=True,
)


def judge(examples: Sequence[Example], labels: LabelSet) -> Judge:
    """Return what holds ``Entities`` against the spans of the rows."""
    gold = gold_spans(examples, labels)
    words = words_of(examples)
    return lambda answers: judge_spans(answers, gold, words, labels)


def baseline(dataset: Dataset, language: str, *, threshold: float, seed: int) -> PredictsTexts:  # noqa: ARG001 - asked of all
    """Collect a dictionary, which needs neither language nor seed."""
    return learn_dictionary(dataset.train, dataset.labels)


def told(error: RowError) -> dict[str, Any]:
    """Return the spans that the row carries and those that were found, by their places."""
    return {
        "spans": [{"start": s.start, "end": s.end, "label": s.label} for s in error.example.spans or ()],
        "predicted": [{"start": one.start, "end": one.end, "label": one.entity_group, "score": round(one.score, 6)}
                      for one in _found(error)],
        "confidence": round(error.confidence, 6),
    }


def doubts(system: Evaluation) -> list[str]:
    """Tell of a finder that finds nothing, and of types that are never found."""
    if not system.chosen.any():
        return [learned_nothing("finds no entity in any test row",
                                "在所有测试行中没有找到任何实体")]
    return never_given(system.scores.classes, "found", "entities")


def printed(scores: Mapping[str, Any]) -> Printed:  # noqa: ARG001 - as all kinds are asked
    """Return the scores of whole entities, and those of each type."""
    return Printed({"f1_micro": "entity F1", "precision_micro": "precision", "recall_micro": "recall"},
                   labels=("type", "entities"), by_label=True)


def facts(system: Evaluation) -> list[tuple[str, str]]:
    """Return how many types and entities there are, and how many were found, missed and too many."""
    support, predicted, hits = (sum(getattr(entry, name) for entry in system.scores.classes)
                                for name in ("support", "predicted", "true_positives"))
    figures = {"fact_labels": len(system.labels), "fact_entities": support, "fact_found": hits,
               "fact_missed": support - hits, "fact_extra": predicted - hits, "fact_wrong": system.wrong}
    return [(key, count(figure)) for key, figure in figures.items()]


def shown(error: RowError) -> ShownError:
    """Return how many entities were missed and too many, and the text with all of them marked."""
    found = _found(error)
    true, given = set(error.example.spans or ()), {one.span for one in found}
    counts = (("fact_missed", len(true - given)), ("fact_extra", len(given - true)))
    what = "".join(f"<span>{both(key)} {count(number)}</span>" for key, number in counts if number)
    text = marked(error.example.text, true, found, LONGEST)
    sure = meter(error.confidence) if error.confidence else both("only_missed")
    return ShownError(sure, what, f'<blockquote class="marked" dir="auto">{text}</blockquote>')


def _found(error: RowError) -> tuple[Entity, ...]:
    assert isinstance(error.prediction, Entities)  # noqa: S101 - judged as such
    return error.prediction.entities
