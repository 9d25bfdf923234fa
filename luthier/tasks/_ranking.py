"""Where passages stand when they are ranked for a query, and what rankings score. Numpy only.

Definitions are those of BEIR (Thakur et al., 2021) with relevance 0 or 1: nDCG after Järvelin and Kekäläinen (2002)
with ``1 / log2(1 + rank)``, the reciprocal rank of the first right passage, and the share of the right ones that are
among the first k; the first two see no further than rank 10.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from luthier.schema import Float32, Int64

Float64 = npt.NDArray[np.float64]
Scores = Callable[[int, int], npt.NDArray[Any]]
"""From the numbers of the first query and of the one behind the last to their scores, (queries, P)."""

QUERY, POSITIVE, NEGATIVE = 0, 1, 2
"""What a sequence is in its row."""
CUT = 10
"""Ranks that nDCG and reciprocal rank look at."""
RANKINGS = ("ndcg@10", "mrr@10", "recall@1", "recall@10")
"""What ``ranking_scores`` gives."""
CELLS = 4_000_000
"""Scores held at once: 16 MB of float32."""


@dataclass(frozen=True, slots=True)
class Relevance:
    """Which passages of a split belong to which queries."""

    queries: Int64
    """(Q,) int64, a sequence for each different query."""
    passages: Int64
    """(P,) int64, a sequence for each different passage."""
    wanted: list[Int64]
    """For each query, which of the passages belong to it."""

    @classmethod
    def of(cls, rows: Int64) -> Relevance:
        """Read (S, 3) int64: the row, the kind (``QUERY`` …) and the text of each sequence, row after row."""
        kinds, texts = rows[:, 1], rows[:, 2]
        asks, right = kinds == QUERY, kinds == POSITIVE
        query_texts, first_query = np.unique(texts[asks], return_index=True)
        passage_texts, first_passage = np.unique(texts[~asks], return_index=True)
        asked = np.searchsorted(query_texts, texts[asks][np.cumsum(asks)[right] - 1])  # the query of each right passage
        given = np.searchsorted(passage_texts, texts[right])
        pairs = np.unique(np.stack([asked, given], axis=1), axis=0)
        starts = np.searchsorted(pairs[:, 0], np.arange(1, len(query_texts)))
        return cls(np.flatnonzero(asks)[first_query], np.flatnonzero(~asks)[first_passage],
                   np.split(pairs[:, 1], starts))


def top_k(queries: Float32, passages: Float32, k: int) -> tuple[Float32, Int64]:
    """Return the k passages that fit each query best, exactly, block by block; of equal ones the first.

    Args:
        queries: (Q, D) float32, vectors of length 1.
        passages: (P, D) float32, vectors of length 1.
        k: how many of each; all where there are fewer.

    Returns:
        Scores (Q, k) float32, the best first, and which passages they are, (Q, k) int64.
    """
    k = min(k, len(passages))
    scores, places = np.empty((len(queries), k), np.float32), np.empty((len(queries), k), np.int64)
    for start, stop in blocks(len(queries), len(passages)) if k else ():
        for row, found in enumerate(queries[start:stop] @ passages.T, start):
            least = np.partition(found, len(found) - k)[len(found) - k]
            fit = np.flatnonzero(found >= least)
            places[row] = fit[np.argsort(-found[fit], kind="stable")[:k]]
            scores[row] = found[places[row]]
    return scores, places


def ranks(scores: Scores, wanted: Sequence[Int64], passages: int) -> list[Int64]:
    """Return where the right passages of each query stand among all, from 1, the best first.

    Passages that score the same as a right one stand before it: a model that gives all texts one vector finds nothing.

    Args:
        scores: gives the scores of some queries against all passages.
        wanted: for each of Q queries the numbers of its right passages, each once.
        passages: P.
    """
    found: list[Int64] = []
    for start, stop in blocks(len(wanted), passages):
        for row, right in zip(np.array(scores(start, stop), np.float32), wanted[start:stop], strict=True):
            own = np.sort(row[right])[::-1]
            row[right] = -np.inf
            others = np.array([np.count_nonzero(row >= one) for one in own], np.int64)
            found.append(others + np.arange(1, len(own) + 1))
    return found


def ranking_scores(found: Sequence[Int64]) -> dict[str, Float64]:
    """Return each of ``RANKINGS`` for each of Q queries, (Q,), from the ranks of their right passages."""
    gains = 1 / np.log2(np.arange(2, CUT + 2))
    ideal = np.cumsum(gains)
    table = np.zeros((len(found), len(RANKINGS)))
    for row, own in enumerate(found):
        near = own[own <= CUT]
        table[row] = (gains[near - 1].sum() / ideal[min(len(own), CUT) - 1], 1 / near[0] if len(near) else 0.0,
                      np.count_nonzero(own <= 1) / len(own), len(near) / len(own))
    return {name: table[:, column] for column, name in enumerate(RANKINGS)}


def blocks(queries: int, passages: int) -> list[tuple[int, int]]:
    """Return which queries are scored together, so that their scores take no more than ``CELLS``."""
    step = max(1, CELLS // max(1, passages))
    return [(start, min(start + step, queries)) for start in range(0, queries, step)]
