"""Judging finders of entities and relations: a triple counts when both of its ends and its label are right.

*Strict* is Rel+ of Zhong and Chen (2021), SpERT's "RE with NEC": start, end and type of both entities agree, and the
relation. *Boundaries* is their Rel: the types may differ. Entities are counted strictly, as ``entities`` does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

import numpy as np

from luthier.errors import DataError
from luthier.evaluation.entities import gold_spans
from luthier.evaluation.outcomes import Outcomes, RowOutcomes
from luthier.evaluation.scores import ClassScores, Judged, Scores, class_scores
from luthier.plugins import did_you_mean
from luthier.schema import Answer, Example, Extraction, Float32, LabelSet, Triple
from luthier.tasks import strict_counts

T = TypeVar("T", Triple, tuple[int, int, int, int, str])

ENTITIES, BOUNDARIES = "entities", "boundaries"
"""Other ways of counting: the entities alone, and triples whatever the types of their ends."""


def gold_triples(examples: Sequence[Example], labels: LabelSet) -> list[Example]:
    """Return the examples, checked.

    Raises:
        DataError: an example is unlabelled, or carries a type or a relation outside the set.
    """
    for example in examples:
        if example.spans is None or example.triples is None:
            raise DataError(f"{example.id}: evaluation needs the entities and relations of every row, got none",
                            "leave the row out, give it empty lists where it holds none, or use `luthier predict` for "
                            "unlabelled rows")
        unknown = next((one.label for one in example.triples or () if one.label not in labels.names), None)
        if unknown is not None:
            raise DataError(f"{example.id}: the relation {unknown!r} is not one that the model knows: "
                            f"{', '.join(labels.names[:20])}", did_you_mean(unknown, labels.names))
    gold_spans(examples, types_of(labels))
    return list(examples)


def types_of(labels: LabelSet) -> LabelSet:
    """Return the types of the entities as a label set."""
    return LabelSet(labels.types, "token_classification")


def judge_triples(answers: Sequence[Answer], gold: Sequence[Example], labels: LabelSet) -> Judged:
    """Hold the entities and relations that were found against the true ones.

    Args:
        answers: an ``Extraction`` for each of N rows.
        gold: the rows, see ``gold_triples``.
        labels: R relations, and K types.

    Raises:
        DataError: too few answers, or such with labels outside the set.
    """
    found = [answer for answer in answers if isinstance(answer, Extraction)]
    strange = sorted({name for row in found for name in row.labels} - labels.known)
    if len(found) != len(gold) or strange:
        more = f" and the labels {', '.join(strange)} too" if strange else ""
        raise DataError(f"the predictor answered {len(found)} of {len(gold)} rows with entities and relations{more}",
                        "evaluate with the bundle that these labels belong to")
    outcomes = _outcomes(gold, found, labels)
    metrics = outcomes.metrics(np.ones((1, len(gold))), np.arange(len(gold)))
    values = {name: float(value[0]) for name, value in metrics.items() if value.ndim == 1}
    true, false, missed = outcomes.counts.sum(axis=0)
    scores = Scores(len(gold), values, class_scores(labels, (true, false, missed)), None)
    return Judged(scores, outcomes, _confidence(gold, found))


def _outcomes(gold: Sequence[Example], found: Sequence[Extraction], labels: LabelSet) -> Outcomes:
    relations = {name: number for number, name in enumerate(labels.names)}
    strict = np.zeros((len(gold), 3, len(labels)), np.int64)
    loose = np.zeros((len(gold), 3, 1), np.int64)
    for row, (example, answer) in enumerate(zip(gold, found, strict=True)):
        for side, triples in enumerate(_parts(example.triples or (), answer.triples)):
            for one in triples:
                strict[row, side, relations[one.label]] += 1
        for side, some in enumerate(_parts(map(_bare, example.triples or ()), map(_bare, answer.triples))):
            loose[row, side, 0] = len(some)
    spans = strict_counts([example.spans or () for example in gold],
                          [[one.span for one in answer.entities] for answer in found], labels.types)
    entities = np.stack(spans, axis=1)
    right = (strict[:, 1:] == 0).all(axis=(1, 2)) & (entities[:, 1:] == 0).all(axis=(1, 2))
    tables = np.concatenate([table.reshape(len(gold), -1) for table in (strict, loose, entities)], axis=1)
    keys = np.ascontiguousarray(tables.astype(">u4")).view(np.uint8)
    return Outcomes(strict, right, keys, ways={BOUNDARIES: loose, ENTITIES: entities})


def _parts(true: Iterable[T], given: Iterable[T]) -> tuple[set[T], set[T], set[T]]:
    """Return what is right, what is too much and what is missed."""
    one, other = set(true), set(given)
    return one & other, other - one, one - other


def _bare(one: Triple) -> tuple[int, int, int, int, str]:
    """Return a triple without the types of its ends."""
    return one.subject.start, one.subject.end, one.object.start, one.object.end, one.label


def _confidence(gold: Sequence[Example], found: Sequence[Extraction]) -> Float32:
    """Return the highest score of a wrong entity or relation in each row; 0 where some were only missed."""
    scores = []
    for example, answer in zip(gold, found, strict=True):
        spans, triples = set(example.spans or ()), set(example.triples or ())
        wrong = [one.score for one in answer.entities if one.span not in spans]
        wrong += [one.score for one, triple in zip(answer.relations, answer.triples, strict=True)
                  if triple not in triples]
        scores.append(max(wrong, default=0.0))
    return np.array(scores, np.float32)


def entity_scores(outcomes: RowOutcomes, labels: LabelSet) -> tuple[ClassScores, ...]:
    """Return how each type of entity fares, in the order of the label set."""
    assert isinstance(outcomes, Outcomes)  # noqa: S101 - judged as such
    right, extra, missed = np.asarray(outcomes.ways[ENTITIES].sum(axis=0), np.int64)
    return class_scores(types_of(labels), (right, extra, missed))
