"""The outputs of a model that tags texts and tells relations: which stand where, in targets and in logits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from luthier.errors import DataError
from luthier.models.encoding import Ragged
from luthier.plugins import did_you_mean
from luthier.schema import Example, Float32, Int64, LabelSet, Marked, TextInput
from luthier.tasks._mark_bits import HEAD, TAIL, mark_bits
from luthier.tasks._tags import log_softmax
from luthier.tasks._tokens import IGNORED, TokenTargets
from luthier.tasks._windows import chosen_rows, chosen_texts, owners_of

MARKED = 1 << 20
"""Stands before the number of an output in the target of a mark, so that it is told from a tag."""


def entities_of(labels: LabelSet) -> LabelSet:
    """Return the types of entities as the label set of the first pass."""
    return LabelSet(labels.types, "token_classification")


def tag_count(labels: LabelSet) -> int:
    """Return how many outputs are tags: the first ones, 2 K + 1."""
    return 2 * len(labels.types) + 1


def kinds(texts: Sequence[TextInput]) -> tuple[list[int], list[int]]:
    """Return the numbers of the rows that are texts, and of those in which a pair is marked."""
    pairs = [number for number, text in enumerate(texts) if isinstance(text, Marked)]
    return sorted({*range(len(texts))} - {*pairs}), pairs


def relation_number(example: Example, labels: LabelSet) -> int:
    """Return the number of a marked pair's relation from 1, and 0 where none holds.

    Raises:
        DataError: it is not in the label set.
    """
    for name in example.labels or ():
        if name not in labels.names:
            raise DataError(f"{example.id}: relation {name!r} is not in the label set",
                            did_you_mean(name, labels.names))
        return labels.index(name) + 1
    return 0


def told_at(bits: Int64, relation: int, labels: LabelSet) -> Int64:
    """Return the targets of a row's tokens, (T,): at its marks the outputs of the relation.

    Args:
        bits: (T,) int64, see ``mark_bits``; a token that stands for both marks tells what the first does.
        relation: its number, see ``relation_number``.
        labels: R relations and K types.
    """
    first = MARKED + tag_count(labels) + relation
    return np.where(bits & HEAD > 0, first, np.where(bits & TAIL > 0, first + len(labels) + 1, IGNORED))


def pair_logits(logits: Sequence[Float32], ragged: Ragged, texts: Sequence[TextInput], labels: LabelSet) -> Float32:
    """Return what the marks of each of P pairs say, (P, R + 1): none and the relations, the mean over both marks."""
    _, pairs = kinds(texts)
    own, size = chosen_texts(ragged, pairs), tag_count(labels)
    found, counts = np.zeros((len(pairs), len(labels) + 1), np.float32), np.zeros((len(pairs), 1), np.float32)
    bits = mark_bits(own, [texts[number] for number in pairs])
    for number, row, owner in zip(chosen_rows(ragged, pairs), bits, owners_of(own).tolist(), strict=True):
        halves = logits[number][:, size:].reshape(len(row), 2, -1)  # (T, 2 (R + 1)) -> (T, 2, R + 1)
        for side, bit in enumerate((HEAD, TAIL)):
            found[owner] += halves[row & bit > 0, side].sum(0)
            counts[owner] += np.count_nonzero(row & bit)
    return np.asarray(found / np.maximum(counts, 1), np.float32)


def tags_of_texts(targets: TokenTargets) -> tuple[TokenTargets, list[int]]:
    """Return the targets of the rows of texts alone, and the numbers of these rows."""
    own = [number for number, row in enumerate(targets.rows) if not (row >= MARKED).any()]
    owners = np.arange(len(targets)) if targets.owners is None else targets.owners
    counted = None if targets.counted is None else [targets.counted[number] for number in own]
    _, numbers = np.unique(owners[own], return_inverse=True)
    return TokenTargets([targets.rows[number] for number in own], counted, numbers.astype(np.int64)), own


def pairs_told(logits: Sequence[Float32], targets: TokenTargets, labels: LabelSet) -> tuple[Int64, Int64, float]:
    """Return the right relation of each of P pairs, (P,), the one that is told, (P,), and the mean loss of their marks.

    Args:
        logits: (T, S) of each row.
        targets: of all rows.
        labels: R relations and K types.
    """
    size, choices = tag_count(labels), len(labels) + 1
    owners = np.arange(len(targets)) if targets.owners is None else targets.owners
    places = [(row, at) for row, each in enumerate(targets.rows) for at in np.flatnonzero(each >= MARKED).tolist()]
    if not places:
        return np.empty(0, np.int64), np.empty(0, np.int64), 0.0
    outputs = np.array([targets.rows[row][at] for row, at in places]) - MARKED
    side, right = np.divmod(outputs - size, choices)
    scores = np.stack([logits[row][at] for row, at in places])  # (marks, S)
    said = scores[:, size:].reshape(len(places), 2, choices)[np.arange(len(places)), side]
    _, first, pair = np.unique(owners[[row for row, _ in places]], return_index=True, return_inverse=True)
    summed = np.zeros((len(first), choices), np.float64)
    np.add.at(summed, pair, said)
    losses = log_softmax(scores)[np.arange(len(places)), outputs]
    return right[first].astype(np.int64), summed.argmax(axis=1), float(-losses.mean())
