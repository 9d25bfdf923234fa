"""Candidates of queries: which are learned from, where the right ones stand, and what that scores. Numpy only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from luthier.schema import Example, Float32, Int64, Passages
from luthier.tasks._ranking import CUT
from luthier.text import loose_key

Float64 = npt.NDArray[np.float64]

ORDERINGS = ("ndcg@10", "mrr@10", "map", "recall@1", "recall@10")
"""What ``ordering_scores`` gives."""
MISSED = np.iinfo(np.int64).max
"""The rank of a right passage that is not among the candidates."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """Passages that do not belong to queries."""

    found: Callable[[], Sequence[Sequence[str]]]
    """Gives for each query what another search finds, the likeliest first. Among many passages that takes minutes, so
    it is asked only where too few are given."""
    corpus: Sequence[str]
    """Every passage of the rows, each once."""


def with_negatives(rows: Sequence[Example], wrong: Wrong, *, count: int, hard: int, seed: int) -> list[Example]:
    """Return a row for each right passage of N queries, with ``count`` that are wrong.

    Given ones come first; each right passage of a query takes others, as far as there are. Then ``hard`` ones are drawn
    from what a search finds, and the rest from all passages. What belongs to a query, or to one that is nearly the
    same, is never drawn as wrong for it, nor is a text that nearly equals such a passage; what was given stays.

    Args:
        rows: N queries with their passages.
        wrong: where negatives come from.
        count: negatives of each right passage.
        hard: of these, at most so many of what a search finds, if fewer than ``count`` are given.
        seed: of the draws; a row's depend on its place alone.
    """
    belongs = _belonging(rows)
    corpus = [(text, loose_key(text)) for text in wrong.corpus]
    result = []
    for place, (row, found) in enumerate(zip(rows, _found(rows, wrong, count if hard else 0), strict=True)):
        passages, right = row.passages or Passages(()), belongs[loose_key(row.text)]
        random = np.random.default_rng((seed, place))
        near = [text for text in found if loose_key(text) not in right and text not in passages.negative]
        for number, (text, grade) in enumerate(zip(passages.positive, passages.relevance, strict=True)):
            own = _turned(passages.negative, number * count)[:count]
            own += _drawn(near, min(hard, count - len(own)), random)
            taken = {loose_key(one) for one in own} | right
            own += _others(corpus, taken, max(0, count - len(own)), random)
            result.append(replace(row, passages=Passages((text,), tuple(own), (grade,))))
    return result


def with_lists(rows: Sequence[Example], wrong: Wrong, *, count: int) -> list[Example]:
    """Return N queries with all their right passages and ``count`` wrong ones: those given, then those found first."""
    belongs = _belonging(rows)
    result = []
    for row, found in zip(rows, _found(rows, wrong, count), strict=True):
        passages, right = row.passages or Passages(()), belongs[loose_key(row.text)]
        near = (text for text in found if loose_key(text) not in right)
        own = tuple(dict.fromkeys((*passages.negative, *near)))[:count]
        result.append(replace(row, passages=Passages(passages.positive, own, passages.grades)))
    return result


def places_of(scores: Float32, relevance: Float64) -> Int64:
    """Return the rank of each of the right ones among K candidates, from 1, in the order in which they are given.

    Of equal scores the less relevant stands first, so that a model that scores all alike finds nothing.

    Args:
        scores: (K,).
        relevance: (K,), above 0 where a candidate is right.
    """
    ranks = np.empty(len(scores), np.int64)
    ranks[np.lexsort((relevance, -scores.astype(np.float64)))] = np.arange(1, len(scores) + 1)
    return ranks[relevance > 0]


def ordering_scores(ranks: Sequence[Int64], grades: Sequence[Float64]) -> dict[str, Float64]:
    """Return each of ``ORDERINGS`` for each of Q queries, (Q,).

    As trec_eval defines them: nDCG with the grade as gain and ``1 / log2(1 + rank)``, and the mean over all right
    passages of the precision at each, 0 for one that is missed.

    Args:
        ranks: of all right passages of each query, ``MISSED`` for those that are not among its candidates.
        grades: how relevant each of them is, above 0.
    """
    discounts = 1 / np.log2(np.arange(2, CUT + 2))
    table = np.zeros((len(ranks), len(ORDERINGS)))
    for row, (own, gains) in enumerate(zip(ranks, grades, strict=True)):
        near = own <= CUT
        ideal = (np.sort(gains)[::-1][:CUT] * discounts[: len(gains)]).sum()
        met = np.sort(own[own != MISSED])
        precision = np.arange(1, len(met) + 1) / met
        table[row] = ((gains[near] * discounts[own[near] - 1]).sum() / ideal,
                      1 / met[0] if near.any() else 0.0, precision.sum() / len(own),
                      np.count_nonzero(own <= 1) / len(own), np.count_nonzero(near) / len(own))
    return {name: table[:, column] for column, name in enumerate(ORDERINGS)}


def _found(rows: Sequence[Example], wrong: Wrong, count: int) -> Sequence[Sequence[str]]:
    """Return what the search finds for each query; nothing where all have ``count`` wrong passages of their own."""
    few = any(len(row.passages.negative if row.passages else ()) < count for row in rows)
    return wrong.found() if few else [()] * len(rows)


def _belonging(rows: Sequence[Example]) -> dict[str, set[str]]:
    """Return what belongs to each query: keys of queries to those of passages."""
    found: dict[str, set[str]] = {}
    for row in rows:
        positive = row.passages.positive if row.passages else ()
        found.setdefault(loose_key(row.text), set()).update(map(loose_key, positive))
    return found


def _turned(texts: Sequence[str], by: int) -> list[str]:
    """Return texts from another place on, and then those before it."""
    start = by % len(texts) if texts else 0
    return [*texts[start:], *texts[:start]]


def _drawn(texts: Sequence[str], count: int, random: np.random.Generator) -> list[str]:
    """Return so many of the texts, or all where there are fewer."""
    places = random.permutation(len(texts))[: max(0, count)]
    return [texts[place] for place in places.tolist()]


def _others(corpus: Sequence[tuple[str, str]], taken: Iterable[str], count: int,
            random: np.random.Generator) -> list[str]:
    """Return so many texts of a corpus of texts and keys that are not taken, or all where there are fewer."""
    found: list[str] = []
    known = set(taken)
    # A few draws nearly always do; to order a large corpus for each row would take minutes.
    for tried in (min(len(corpus), 8 * count), len(corpus)):
        places = random.choice(len(corpus), tried, replace=False) if len(found) < count else np.empty(0, np.int64)
        for text, key in (corpus[place] for place in places.tolist()):
            if key not in known and len(found) < count:
                known.add(key)
                found.append(text)
    return found
