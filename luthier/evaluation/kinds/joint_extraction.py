"""Texts with labelled spans and the relations between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from luthier.evaluation.evaluate import Evaluation
from luthier.evaluation.kind import Form, Judge, Named, Page, PredictsTexts, Printed, ShownError
from luthier.evaluation.kinds._labels import learned_nothing, never_given
from luthier.evaluation.pair_types import learn_pair_types
from luthier.evaluation.report.html import both, count, esc
from luthier.evaluation.report.sections.classes import classes
from luthier.evaluation.report.sections.error_parts import LONGEST, meter
from luthier.evaluation.report.sections.extracted import extracted
from luthier.evaluation.report.sections.marked import marked, signed_chip
from luthier.evaluation.report.triple_words import TRIPLE_WORDS
from luthier.evaluation.scores import RowError
from luthier.evaluation.triples import entity_scores, gold_triples, judge_triples
from luthier.schema import Dataset, Example, Extraction, LabelSet, Triple

MAIN, MAIN_TITLE = "f1_micro", "triple F1"
VALIDATED = "joint_f1"
METRICS: dict[str, Form] = {
    "f1_micro": "share", "precision_micro": "share", "recall_micro": "share", "f1_macro": "share",
    "f1_boundaries": "share", "f1_entities": "share", "precision_entities": "share", "recall_entities": "share",
    "accuracy": "share",
}
LOWER_IS_BETTER = ()
SHORT = ("f1_micro", "precision_micro", "recall_micro", "f1_boundaries", "f1_entities", "accuracy")
BY_DISTANCE = False
BASELINE = Named("dictionary", "dictionary of entities, commonest relation of types")
PAGE = Page(
    headline=(MAIN, "f1_entities"), drawn=("f1_micro", "f1_boundaries", "f1_entities"),
    sections={"classes": classes, "extracted": extracted}, suffix="_triples", words=TRIPLE_WORDS, marked=True,
)

_SHOWN = 20
"""Triples of one row listed in the page."""


def judge(examples: Sequence[Example], labels: LabelSet) -> Judge:
    """Return what holds ``Extraction``s against the spans and relations of the rows."""
    gold = gold_triples(examples, labels)
    return lambda answers: judge_triples(answers, gold, labels)


def baseline(dataset: Dataset, language: str, *, threshold: float, seed: int) -> PredictsTexts:  # noqa: ARG001 - asked of all
    """Collect a dictionary and the commonest relations, which needs neither language nor seed."""
    return learn_pair_types(dataset.train, dataset.labels)


def told(error: RowError) -> dict[str, Any]:
    """Return what the row carries and what was found, by places and labels."""
    found = _found(error)
    return {
        "spans": [{"start": s.start, "end": s.end, "label": s.label} for s in error.example.spans or ()],
        "triples": [_placed(one) for one in error.example.triples or ()],
        "predicted": [{"start": one.start, "end": one.end, "label": one.entity_group, "score": round(one.score, 6)}
                      for one in found.entities],
        "predicted_triples": [{**_placed(triple), "score": round(one.score, 6)}
                              for one, triple in zip(found.relations, found.triples, strict=True)],
        "confidence": round(error.confidence, 6),
    }


def doubts(system: Evaluation) -> list[str]:
    """Tell of a finder that finds no entity or no relation, and of types and relations that are never found."""
    types = entity_scores(system.outcomes, system.labels)
    if not any(entry.predicted for entry in types):
        return [learned_nothing("finds no entity in any test row, and so no triple",
                                "在所有测试行中没有找到任何实体，因而也没有三元组")]
    if not system.chosen.any():
        return [learned_nothing("finds entities, and no relation between them in any test row",
                                "找到了实体，但在所有测试行中没有找到它们之间的关系")]
    return [*never_given(types, "found", "entities"), *never_given(system.scores.classes, "found", "triples")]


def printed(scores: Mapping[str, Any]) -> Printed:  # noqa: ARG001 - as all kinds are asked
    """Return the scores of triples and of entities, and those of each relation."""
    return Printed({"f1_micro": "triple F1", "f1_boundaries": "types ignored", "f1_entities": "entity F1"},
                   {"precision_micro": "triple precision", "recall_micro": "triple recall"},
                   labels=("relation", "triples"), by_label=True)


def facts(system: Evaluation) -> list[tuple[str, str]]:
    """Return how many relations, types and triples there are, and how many were found, missed and too many."""
    support, predicted, hits = (sum(getattr(entry, name) for entry in system.scores.classes)
                                for name in ("support", "predicted", "true_positives"))
    figures = {"fact_labels": len(system.labels), "fact_types": len(system.labels.types), "fact_triples": support,
               "fact_found": hits, "fact_missed": support - hits, "fact_extra": predicted - hits,
               "fact_wrong": system.wrong}
    return [(key, count(figure)) for key, figure in figures.items()]


def shown(error: RowError) -> ShownError:
    """Return how many triples were missed and too many, the text with its entities marked, and the triples."""
    found = _found(error)
    true, given = set(error.example.triples or ()), dict(zip(found.triples, found.relations, strict=True))
    counts = (("fact_missed", len(true - set(given))), ("fact_extra", len(set(given) - true)))
    what = "".join(f"<span>{both(key)} {count(number)}</span>" for key, number in counts if number)
    text = marked(error.example.text, error.example.spans or (), found.entities, LONGEST)
    kinds = {one: "right" if one in true and one in given else "missed" if one in true else "extra"
             for one in sorted(true | set(given))}
    listed = [_chip(one, kind, error.example.text, given[one].score if one in given else None)
              for one, kind in kinds.items()]
    more = f"<p>{both('more_triples', count=count(len(listed) - _SHOWN))}</p>" if len(listed) > _SHOWN else ""
    sure = meter(error.confidence) if error.confidence else both("only_missed")
    body = "".join(f'<p dir="auto">{one}</p>' for one in listed[:_SHOWN])
    return ShownError(sure, what, f'<blockquote class="marked" dir="auto">{text}</blockquote>{body}{more}')


def _found(error: RowError) -> Extraction:
    assert isinstance(error.prediction, Extraction)  # noqa: S101 - judged as such
    return error.prediction


def _placed(one: Triple) -> dict[str, Any]:
    ends = {name: {"start": span.start, "end": span.end, "label": span.label}
            for name, span in (("subject", one.subject), ("object", one.object))}
    return {**ends, "label": one.label}


def _chip(one: Triple, kind: str, text: str, score: float | None) -> str:
    subject, object_ = (esc(text[span.start:span.end][:80]) for span in (one.subject, one.object))
    return f"<b>{subject}</b> {signed_chip(one.label, kind, score)} <b>{object_}</b>"
