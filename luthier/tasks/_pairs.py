"""Scores of spans from outputs of tokens: Efficient GlobalPointer, in numpy and window by window.

After Su et al., "Global Pointer: Novel Efficient Span-based Approach for Named Entity Recognition" (2022,
arXiv:2208.03054). A token has d numbers of a query, d of a key, and for each type a logit to start a span and one
to end it. The span from token i to token j scores ``q_i . k_j / sqrt(d) + start(i) + end(j)`` for a type, where queries
and keys are turned by their places (Su et al., "RoFormer", 2021, arXiv:2104.09864), so that its length counts. A
span is an entity of the type where its score is above 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from luthier.schema import Bool, Float32, Int64

Float64 = npt.NDArray[np.float64]

BASE = 100.0
"""Of the angles: pair m of d / 2 turns by ``BASE ** (-2 m / d)`` from token to token. RoFormer's 10,000 is for whole
texts: with it 5 and 20 tokens hardly differ, and an entity has rarely more."""
ROWS = 256
"""First tokens of spans that are scored together."""
CELLS = 1 << 20
"""Scores that are held at once, about: spans times types."""
ANSWERS = 4
"""Most spans for each token of a window; what has learned something gives far fewer."""


@dataclass(frozen=True, slots=True)
class Found:
    """E spans of one window."""

    spans: Int64
    """(E, 3): first token, last token, type."""
    scores: Float32
    """(E,), all above 0."""


def turned(vectors: Float32, places: Int64) -> Float32:
    """Turn R queries or keys by the places of their tokens.

    Args:
        vectors: (R, d) float32, d even.
        places: (R,) int64.

    Returns:
        (R, d) float32.
    """
    cosine, sine = turns(places, vectors.shape[1])
    left, right = np.split(vectors, 2, axis=1)
    return np.concatenate([left * cosine - right * sine, right * cosine + left * sine], axis=1)


def turns(places: Int64, width: int) -> tuple[Float32, Float32]:
    """Return cosine and sine of the angles of R places, (R, width / 2) float32 each."""
    angles = places[:, None] * BASE ** (-2 * np.arange(width // 2) / width)
    return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)


def parts(logits: npt.NDArray[np.float32], types: int) -> tuple[Float32, Float32, Float32, Float32]:
    """Return queries and keys, (R, d), and the logits to start and to end, (R, C), of R tokens, (R, 2 d + 2 C)."""
    width = (logits.shape[1] - 2 * types) // 2
    first, second, third, fourth = np.split(logits, [width, 2 * width, 2 * width + types], axis=1)
    return first, second, third, fourth


def blocks(logits: Float32, real: Bool, types: int, longest: int) -> Iterator[tuple[Int64, Int64, int, Float32]]:
    """Yield the scores of all spans of a window, in pieces whose size depends on neither its length nor the types.

    Args:
        logits: (T, 2 d + 2 C) float32.
        real: (T,) bool, tokens that a span may begin and end with.
        types: C.
        longest: most real tokens of a span.

    Yields:
        The tokens that begin spans, (I,), those that end them, (J,), the first type, and the scores, (c, I, J) float32,
        minus infinity where there is no such span.
    """
    tokens = np.flatnonzero(real)
    query, key, start, end = parts(logits[tokens].astype(np.float32), types)
    query, key = turned(query, tokens) / np.float32(np.sqrt(query.shape[1])), turned(key, tokens)
    for row in range(0, len(tokens), ROWS):
        rows = slice(row, min(row + ROWS, len(tokens)))
        columns = slice(row, min(rows.stop + longest - 1, len(tokens)))
        away = np.arange(columns.start, columns.stop) - np.arange(rows.start, rows.stop)[:, None]
        shared = query[rows] @ key[columns].T  # (I, J)
        shared[(away < 0) | (away >= longest)] = -np.inf
        some = max(1, CELLS // shared.size)
        for kind in range(0, types, some):
            scores = shared + start[rows, kind:kind + some].T[:, :, None] + end[columns, kind:kind + some].T[:, None, :]
            yield tokens[rows], tokens[columns], kind, scores


def above(logits: Float32, real: Bool, types: int, longest: int) -> Found:
    """Return the spans of a window that score above 0, the surest ``ANSWERS`` a token where there are more."""
    most = ANSWERS * int(real.sum())
    spans, scores = np.empty((0, 3), np.int64), np.empty(0, np.float32)
    for firsts, lasts, kind, block in blocks(logits, real, types, longest):
        which, row, column = np.nonzero(block > 0)
        spans = np.concatenate([spans, np.stack([firsts[row], lasts[column], which + kind], axis=1)])
        scores = np.concatenate([scores, block[which, row, column]])
        if len(scores) > most:
            surest = np.argpartition(-scores, most)[:most]
            spans, scores = spans[surest], scores[surest]
    return Found(spans, scores)


def mean_loss(logits: Float32, real: Bool, spans: Int64, types: int) -> float:
    """Return the loss of one window, the mean over types; see ``_pair_loss``.

    Args:
        logits: (T, 2 d + 2 C) float32.
        real: (T,) bool.
        spans: (E, 3) int64, the true ones, each once.
        types: C.
    """
    others, own = np.zeros(types), np.zeros(types)  # log(1 + sum) over spans that are none, and over those that are
    for firsts, lasts, kind, block in blocks(logits, real, types, len(real)):
        mine = spans[np.isin(spans[:, 0], firsts) & (spans[:, 2] >= kind) & (spans[:, 2] < kind + len(block))]
        cells = mine[:, 2] - kind, np.searchsorted(firsts, mine[:, 0]), np.searchsorted(lasts, mine[:, 1])
        np.logaddexp.at(own, mine[:, 2], -block[cells])
        block[cells] = -np.inf
        high = np.maximum(block.max(axis=(1, 2)), -1e30)  # a block without any other span has no maximum
        total = high + np.log(np.maximum(np.exp(block - high[:, None, None]).sum(axis=(1, 2)), 1e-30))
        others[kind:kind + len(block)] = np.logaddexp(others[kind:kind + len(block)], total)
    return float((others + own).mean())


def closest(logits: Float32, real: Bool, types: int, longest: int, step: float) -> float:
    """Return by how much the least sure span of a window keeps its side of 0 when every output moves by ``step``.

    Below 0 it might change. The bound holds for the worst case: two vectors whose numbers move by ``step`` each have a
    product that moves by no more than ``step`` times the sums of their sizes, and a little. Where more spans are above
    0 than ``above`` keeps, which of them it keeps may change whatever their distance: minus infinity.
    """
    query, key, *_ = parts(logits[real], types)
    if not len(query):
        return np.inf
    width = query.shape[1]
    sizes = [np.hypot(*np.split(vectors, 2, axis=1)).sum(axis=1).max() for vectors in (query, key)]
    moved = step * np.sqrt(2 / width) * (sum(sizes) + step * width) + 2 * step
    least, found = np.inf, 0
    for *_, block in blocks(logits, real, types, longest):
        least, found = min(least, float(np.abs(block).min())), found + int((block > 0).sum())
    return least - float(moved) if found <= ANSWERS * len(query) else -np.inf
