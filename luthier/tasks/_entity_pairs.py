"""Pairs of entities: between which a relation is looked for, and which are learned."""

from __future__ import annotations

import random
import zlib
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from luthier.models.encoding import Reach
from luthier.schema import Argument, Example, Extraction, Marked, Span
from luthier.tasks._reach import excerpt
from luthier.text import sentence_ends

Types = tuple[str, str]
"""The type of a subject and that of an object."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Which pairs of entities are looked at."""

    types: Collection[Types] | None
    """Those of a subject and an object; ``None``: any."""
    apart: int | None
    """Most characters between the two; ``None``: any number."""
    most: int
    """Most pairs of one text: the nearest."""
    sentences: int | None = None
    """Most ends of sentences between the two; ``None``: any number."""


def pairs_of(text: str, spans: Sequence[Span], bounds: Bounds) -> tuple[list[tuple[int, int]], bool]:
    """Return the pairs of a text's entities between which a relation may hold, and whether some were left out.

    Args:
        text: in which the entities stand.
        spans: sorted by their start.
        bounds: which pairs are looked at.

    Returns:
        Places of subject and object among the spans, sorted; two entities of the same characters make no pair.
    """
    ends = [] if bounds.sentences is None else sentence_ends(text)
    found = [(near, one, other) for near, one, other in _near(spans, bounds.apart)
             if (bounds.types is None or (spans[one].label, spans[other].label) in bounds.types)
             and (bounds.sentences is None or _between(spans[one], spans[other], ends) <= bounds.sentences)]
    kept = sorted(found)[:bounds.most]
    return sorted((one, other) for _, one, other in kept), len(kept) < len(found)


def marked_pairs(text: str, spans: Sequence[Span], pairs: Sequence[tuple[int, int]],
                 reach: Reach | None) -> Iterator[Marked]:
    """Yield a text for each pair of its entities, in which they are marked with their types.

    Args:
        text: in which the entities stand.
        spans: the entities.
        pairs: places of subject and object among them.
        reach: of a longer text only so much around the two is marked as stands in a window; ``None``: all of it.
    """
    ends = [] if reach is None else sentence_ends(text)
    for pair in pairs:
        two = [spans[place] for place in pair]
        first, behind = (0, len(text)) if reach is None else excerpt(
            text, ends, min(one.start for one in two), max(one.end for one in two), reach)
        yield Marked(text[first:behind], *(Argument(one.start - first, one.end - first, one.label) for one in two))


def patterns_in(examples: Sequence[Example]) -> list[tuple[str, str, str]]:
    """Return subject's type, relation and object's type of the examples' triples, in the order of the alphabet."""
    return sorted({(one.subject.label, one.label, one.object.label) for row in examples for one in row.triples or ()})


def farthest(examples: Sequence[Example]) -> int:
    """Return the most characters that stand between a subject and its object."""
    return max((gap(one.subject, one.object) for row in examples for one in row.triples or ()), default=0)


def most_between(examples: Sequence[Example]) -> int:
    """Return the most ends of sentences that stand between a subject and its object."""
    return max((_between(one.subject, one.object, ends) for row in examples if row.triples
                for ends in [sentence_ends(row.text)] for one in row.triples), default=0)


def gap(one: Span, other: Span) -> int:
    """Return the characters between two stretches, 0 where they touch or overlap."""
    return max(0, max(one.start, other.start) - min(one.end, other.end))


def learned_pairs(example: Example, bounds: Bounds, negatives: int, reach: Reach | None = None) -> list[Example]:
    """Return a row for each triple of an example, and for some of its pairs without a relation.

    Args:
        example: with spans and triples.
        bounds: which pairs without a relation are learned.
        negatives: most of them; which ones is decided by the example's id alone.
        reach: of a longer text only so much around the two is read, as when pairs are asked about; ``None``: all of it.
    """
    spans = sorted(example.spans or ())
    triples = [one for one in sorted(example.triples or ()) if _apart(one.subject, one.object)]
    related = {(one.subject, one.object) for one in triples}
    others = [(spans[one], spans[other]) for one, other in pairs_of(example.text, spans, bounds)[0]
              if (spans[one], spans[other]) not in related]
    if len(others) > negatives:
        drawn = random.Random(zlib.crc32(example.id.encode("utf-8", "surrogatepass")))  # noqa: S311 - no secret
        others = sorted(drawn.sample(others, negatives))
    rows = [(one.subject, one.object, (one.label,)) for one in triples] + [(*pair, ()) for pair in others]
    two = [span for *pair, _ in rows for span in pair]
    marked = marked_pairs(example.text, two, [(place, place + 1) for place in range(0, len(two), 2)], reach)
    return [Example(f"{example.id}:{one.start}-{one.end},{other.start}-{other.end}", read.text, labels=labels,
                    arguments=(read.head, read.tail))
            for (one, other, labels), read in zip(rows, marked, strict=True)]


def without_overlaps(spans: Sequence[Span]) -> tuple[Span, ...]:
    """Return spans of which none overlaps another: the first, and of several that begin together the longest."""
    kept: list[Span] = []
    for span in sorted(spans, key=lambda one: (one.start, -one.end, one.label)):
        if not kept or kept[-1].end <= span.start:
            kept.append(span)
    return tuple(kept)


def losses_told(rows: Sequence[Example], found: Sequence[Extraction]) -> Iterator[str]:
    """Yield a sentence for each reason why entities or triples cannot be found as marked, where there is one.

    Args:
        rows: N texts with spans and triples.
        found: the entities in them that the right tags give.
    """
    known = [{one.span for one in answer.entities} for answer in found]
    lost = [(row, span) for row, own in zip(rows, known, strict=True) for span in row.spans or () if span not in own]
    every = [(one, own) for row, own in zip(rows, known, strict=True) for one in row.triples or ()]
    if lost:
        row, span = lost[0]
        without = sum(one.subject not in own or one.object not in own for one, own in every)
        count = sum(len(one.spans or ()) for one in rows)
        yield (f"{len(lost):,} of {count:,} entities cannot be found as marked, and so {without:,} of {len(every):,} "
               "triples: they begin or end within a word or a token, or overlap another: "
               f"{row.text[span.start:span.end]!r:.80} at {row.id}, for one")
    ends = Counter((row.id, one.subject, one.object) for row in rows for one in row.triples or ())
    if again := sum(count - 1 for count in ends.values()):
        yield (f"{again:,} of {len(every):,} triples share subject and object with another, and one relation is told "
               "of a pair")


def _near(spans: Sequence[Span], most: int | None) -> Iterator[tuple[int, int, int]]:
    """Yield distance, subject and object of all ordered pairs that are no further apart."""
    for one in range(len(spans)):
        for other in range(one + 1, len(spans)):
            if most is not None and spans[other].start - spans[one].end > most:
                break  # those behind it begin no earlier
            if _apart(spans[one], spans[other]):
                near = gap(spans[one], spans[other])
                yield near, one, other
                yield near, other, one


def _between(one: Span, other: Span, ends: Sequence[int]) -> int:
    """Return how many of the places ``ends`` stand between two stretches."""
    return max(0, bisect_right(ends, max(one.start, other.start)) - bisect_left(ends, min(one.end, other.end)))


def _apart(one: Span, other: Span) -> bool:
    return (one.start, one.end) != (other.start, other.end)
