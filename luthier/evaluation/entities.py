"""Judging finders of entities: labelled spans of a text.

What counts is the span whole, as in the CoNLL shared tasks: start, end and type. The laxer ways of counting and the
table of tags stand beside it, because papers and tutorials print those; see ``luthier.tasks._spans``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from luthier.data.cells.spans import overlapping
from luthier.errors import DataError
from luthier.evaluation.outcomes import Keys, Outcomes
from luthier.evaluation.scores import Judged, Scores, TagScores, TokenTable, class_scores
from luthier.plugins import did_you_mean
from luthier.schema import Answer, Entities, Example, Float32, Int64, LabelSet, Span
from luthier.tasks import (
    Counts,
    Words,
    averages,
    exact_counts,
    partial_counts,
    precision_recall_f1,
    strict_counts,
    token_counts,
    token_tags,
    type_counts,
)
from luthier.text import units

SpanRows = Sequence[Sequence[Span]]


def gold_spans(examples: Sequence[Example], labels: LabelSet) -> list[tuple[Span, ...]]:
    """Return the spans that the examples carry.

    Raises:
        DataError: an example is unlabelled or carries a type outside the set.
    """
    for example in examples:
        if example.spans is None:
            raise DataError(
                f"{example.id}: evaluation needs the entities of every row, got none",
                "leave the row out, give it an empty list where it holds no entity, or use `luthier predict` for "
                "unlabelled rows",
            )
        unknown = next((span.label for span in example.spans if span.label not in labels.names), None)
        if unknown is not None:
            raise DataError(
                f"{example.id}: the entity type {unknown!r} is not one that the model knows: "
                f"{', '.join(labels.names[:20])}",
                did_you_mean(unknown, labels.names),
            )
    return [example.spans or () for example in examples]


def words_of(examples: Sequence[Example]) -> list[Words]:
    """Return what tags are counted by: the tokens that a row came in, as in papers, or the words of its text."""
    return [units(example.text) if example.tokens is None else
            [(start, end) for start, end in example.tokens.tolist() if start < end] for example in examples]


def judge_spans(
    answers: Sequence[Answer], gold: SpanRows, words: Sequence[Words], labels: LabelSet
) -> Judged:
    """Hold the spans that were found against the true ones.

    Args:
        answers: ``Entities`` for each of N rows.
        gold: their true spans, see ``gold_spans``.
        words: those of the N texts, see ``words_of``.
        labels: the K types in order.

    Raises:
        DataError: too few answers, or such of types outside the set.
    """
    found = [answer for answer in answers if isinstance(answer, Entities)]
    strange = sorted({one.entity_group for row in found for one in row.entities} - set(labels.names))
    if len(found) != len(gold) or strange:
        types = f" of the types {', '.join(strange)} too" if strange else ""
        raise DataError(
            f"the predictor answered {len(found)} of {len(gold)} rows with entities{types}; expected one answer a row "
            f"with {', '.join(labels.names)}",
            "evaluate with the bundle that these types belong to",
        )
    spans = [[one.span for one in row.entities] for row in found]
    outcomes = _outcomes(gold, spans, labels.names, words)
    return Judged(_scores(outcomes, labels), outcomes, _confidence(found, gold))


def _outcomes(gold: SpanRows, found: SpanRows, names: Sequence[str], words: Sequence[Words]) -> Outcomes:
    strict = _stacked(strict_counts(gold, found, names))
    nested = any(overlapping(sorted(row)) for row in gold)  # a word of two entities has no one tag
    tokens = None if nested else _stacked(token_counts(words, gold, found, names))
    ways = {"exact": _stacked(exact_counts(gold, found)), "partial": _stacked(partial_counts(gold, found)),
            "type": _stacked(type_counts(gold, found, names))}
    right = (strict[:, 1:] == 0).all(axis=(1, 2))
    tables = (strict, *ways.values()) if tokens is None else (strict, *ways.values(), tokens)
    return Outcomes(strict, right, _keys(tables), ways=ways, tokens=tokens)


def _stacked(counts: Counts) -> Int64:
    """Return three (N,) or (N, columns) as one (N, 3, columns)."""
    return np.stack([part.reshape(len(part), -1) for part in counts], axis=1)


def _keys(tables: Sequence[Int64]) -> Keys:
    """Return the counts of each row as bytes that sort like the numbers."""
    rows = np.concatenate([table.reshape(len(table), -1) for table in tables], axis=1)
    return np.ascontiguousarray(rows.astype(">u4")).view(np.uint8)


def _scores(outcomes: Outcomes, labels: LabelSet) -> Scores:
    metrics = outcomes.metrics(np.ones((1, len(outcomes))), np.arange(len(outcomes)))
    values = {name: float(value[0]) for name, value in metrics.items() if value.ndim == 1}
    true, false, missed = outcomes.counts.sum(axis=0)
    return Scores(len(outcomes), values, class_scores(labels, (true, false, missed)), None,
                  _token_table(outcomes, labels.names))


def _token_table(outcomes: Outcomes, names: Sequence[str]) -> TokenTable | None:
    if outcomes.tokens is None:
        return None
    parts = outcomes.tokens.sum(axis=0)
    support, seen = parts[0] + parts[2], parts.sum(axis=0)
    precision, recall, f1 = precision_recall_f1(*parts)
    tags = tuple(
        TagScores(tag, float(precision[c]), float(recall[c]), float(f1[c]), int(support[c]))
        for c, tag in enumerate(token_tags(names)) if seen[c]
    )
    means = {name: float(value) for name, value in averages(*parts, multi_label=False).items()}
    return TokenTable(tags, means, int(support.sum()))


def _confidence(found: Sequence[Entities], gold: SpanRows) -> Float32:
    """Return the highest score of a wrong entity in each row; 0 where nothing wrong was found, so what was only missed.

    A finder tells how sure it is of what it found, never of what it did not.
    """
    scores = [
        max((one.score for one in row.entities if one.span not in right), default=0.0)
        for row, right in zip(found, map(set, gold), strict=True)
    ]
    return np.array(scores, dtype=np.float32)
