"""Counts for scoring labelled spans, row by row, so that rows can be drawn again. Standard library and numpy.

``strict_counts`` is the score of the CoNLL-2000 and CoNLL-2003 shared tasks (Tjong Kim Sang and De Meulder 2003),
``exact_counts``, ``partial_counts`` and ``type_counts`` are the laxer ones of MUC as SemEval-2013 task 9 defines them
(Segura-Bedmar, Martínez and Herrero-Zazo 2013). Every function returns true positives, false positives and false
negatives, so that ``precision_recall_f1`` and ``averages`` serve all of them. A span that stands twice in a row, label
and all, counts once.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from luthier.schema import Int64, Span

Rows = Sequence[Sequence[Span]]
"""The spans of each of N texts."""
Words = Sequence[tuple[int, int]]
"""First character and the one behind the last of each word of a text, in its order."""
Counts = tuple[Int64, Int64, Int64]
"""True positives, false positives and false negatives, of one shape."""

OUTSIDE = "O"
"""The tag of a word in no span."""


def strict_counts(gold: Rows, found: Rows, names: Sequence[str]) -> Counts:
    """Count spans whose start, end and label all agree.

    Args:
        gold: the true spans of N texts.
        found: what was found in them.
        names: the K labels; every span carries one of them.

    Returns:
        Three (N, K) int64 arrays.

    Raises:
        KeyError: a span carries another label.
    """
    column = {name: k for k, name in enumerate(names)}
    tables = _tables(len(gold), len(names))
    for row, (true, given) in enumerate(_sets(gold, found)):
        for table, spans in zip(tables, (true & given, given - true, true - given), strict=True):
            for span in spans:
                table[row, column[span.label]] += 1
    return tables


def exact_counts(gold: Rows, found: Rows) -> Counts:
    """Count spans whose start and end agree, whatever their labels: three (N,) int64 arrays."""
    tables = _tables(len(gold), 1)
    for row, (true, given) in enumerate(_sets(gold, found)):
        agreed = Counter((span.start, span.end) for span in true) & Counter((span.start, span.end) for span in given)
        _fill(tables, row, 0, (len(true), len(given), agreed.total()))
    return _flat(tables)


def partial_counts(gold: Rows, found: Rows) -> Counts:
    """Count spans that overlap, whatever their labels, in halves: 2 for the same start and end, 1 for any overlap.

    Spans are matched one to one, the best overlap first.

    Returns:
        Three (N,) int64 arrays; a span that finds no match counts 2, so precision and recall need no other unit.
    """
    tables = _tables(len(gold), 1)
    for row, (true, given) in enumerate(_sets(gold, found)):
        pairs = _matched(true, given, lambda _one, _other: True)
        halves = sum(2 if (one.start, one.end) == (other.start, other.end) else 1 for one, other in pairs)
        _fill(tables, row, 0, (2 * len(true), 2 * len(given), halves))
    return _flat(tables)


def type_counts(gold: Rows, found: Rows, names: Sequence[str]) -> Counts:
    """Count spans that overlap one of the same label, matched one to one, the best overlap first.

    Args:
        gold: the true spans of N texts.
        found: what was found in them.
        names: the K labels.

    Returns:
        Three (N, K) int64 arrays.
    """
    tables = _tables(len(gold), len(names))
    for row, (true, given) in enumerate(_sets(gold, found)):
        agreed = Counter(one.label for one, _ in _matched(true, given, lambda one, other: one.label == other.label))
        carried, answered = Counter(span.label for span in true), Counter(span.label for span in given)
        for k, name in enumerate(names):
            _fill(tables, row, k, (carried[name], answered[name], agreed[name]))
    return tables


def token_tags(names: Sequence[str]) -> tuple[str, ...]:
    """Return the 2K + 1 tags of ``token_counts``: ``O``, then ``B-`` and ``I-`` of each label."""
    return (OUTSIDE, *(f"{place}-{name}" for name in names for place in "BI"))


def bio_tags(words: Words, spans: Sequence[Span]) -> list[str]:
    """Tag the words of one text: ``B-`` for the first word of a span, ``I-`` for its others, ``O`` for the rest.

    A word belongs to a span when it overlaps it; where several do, to the one that starts first (the longer of two
    that start together), so that every word has one tag.
    """
    tags = [OUTSIDE] * len(words)
    ends = [end for _, end in words]
    for span in sorted(spans, key=lambda one: (one.start, -one.end, one.label)):
        place, number = "B", bisect_left(ends, span.start + 1)
        while number < len(words) and words[number][0] < span.end:
            if tags[number] == OUTSIDE:
                tags[number], place = f"{place}-{span.label}", "I"
            number += 1
    return tags


def token_counts(words: Sequence[Words], gold: Rows, found: Rows, names: Sequence[str]) -> Counts:
    """Count the words of each tag, ``O`` among them, as scikit-learn's ``classification_report`` sees BIO tags.

    Args:
        words: the words of N texts.
        gold: their true spans.
        found: what was found in them.
        names: the K labels.

    Returns:
        Three (N, 2K + 1) int64 arrays, columns as in ``token_tags``.

    Raises:
        KeyError: a span carries another label.
    """
    number = {tag: place for place, tag in enumerate(token_tags(names))}
    lengths = np.array([len(row) for row in words], np.int64)
    true, given = (
        np.array([number[tag] for row, spans in zip(words, part, strict=True) for tag in bio_tags(row, spans)],
                 np.int64)
        for part in (gold, found)
    )
    rows = np.repeat(np.arange(len(lengths)), lengths)  # (words of all texts,)
    shape = (len(lengths), len(number))

    def counted(chosen: Int64, tags: Int64) -> Int64:
        cells = rows[chosen] * len(number) + tags[chosen]
        return np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape)

    right, wrong = np.flatnonzero(true == given), np.flatnonzero(true != given)
    return counted(right, true), counted(wrong, given), counted(wrong, true)


def _sets(gold: Rows, found: Rows) -> Iterator[tuple[frozenset[Span], frozenset[Span]]]:
    for true, given in zip(gold, found, strict=True):
        yield frozenset(true), frozenset(given)


def _matched(
    gold: frozenset[Span], found: frozenset[Span], may_match: Callable[[Span, Span], bool]
) -> list[tuple[Span, Span]]:
    """Return pairs of overlapping spans, each span in one pair at most, the largest share of overlap first."""
    given = sorted(found)
    starts = [span.start for span in given]
    longest = max((span.end - span.start for span in given), default=0)
    pairs = []
    for one in sorted(gold):
        # Only these can overlap: a long document holds thousands of spans, and most are far away.
        for other in given[bisect_left(starts, one.start - longest + 1):bisect_left(starts, one.end)]:
            shared = min(one.end, other.end) - max(one.start, other.start)
            if shared > 0 and may_match(one, other):
                union = max(one.end, other.end) - min(one.start, other.start)
                pairs.append((-shared / union, one.label != other.label, one, other))
    left, right, chosen = set(gold), set(found), []
    for _, _, one, other in sorted(pairs):
        if one in left and other in right:
            left.remove(one)
            right.remove(other)
            chosen.append((one, other))
    return chosen


def _tables(rows: int, columns: int) -> Counts:
    first, second, third = (np.zeros((rows, columns), np.int64) for _ in range(3))
    return first, second, third


def _fill(tables: Counts, row: int, column: int, totals: tuple[int, int, int]) -> None:
    """Write one cell from how much was true, how much was given and how much agreed."""
    true, given, agreed = totals
    for table, value in zip(tables, (agreed, given - agreed, true - agreed), strict=True):
        table[row, column] = value


def _flat(tables: Counts) -> Counts:
    first, second, third = (table[:, 0] for table in tables)
    return first, second, third
