"""Tags of tokens: from spans to targets, and from logits to the likeliest tags that make sense.

A type k of K has two tags, B at the first token of a span and I at the others; O stands for no span. Tags are numbered
O = 0, B = 2k + 1, I = 2k + 2 (Ramshaw and Marcus, "Text Chunking using Transformation-Based Learning", 1995, as IOB2).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from luthier.schema import Bool, Float32, Int64, Span

Float64 = npt.NDArray[np.float64]


def names_of(types: Sequence[str]) -> tuple[str, ...]:
    """Return the tags of K types: ``O``, ``B-PER``, ``I-PER`` and so on, 2 K + 1 in all."""
    return ("O", *(f"{letter}-{name}" for name in types for letter in "BI"))


def tags_of(spans: Sequence[Span], offsets: Int64, numbers: dict[str, int]) -> Int64:
    """Return the tag of each token of a text.

    A token belongs to the first span that it overlaps.

    Args:
        spans: of the text, in their order; none overlaps another.
        offsets: (T, 2) int64, characters of each token; the same number twice where it has none.
        numbers: type -> k.

    Returns:
        (T,) int64.
    """
    tags = np.zeros(len(offsets), np.int64)
    starts, ends = offsets[:, 0], offsets[:, 1]
    real = ends > starts
    for span in reversed(spans):  # the first one wins
        inside = np.flatnonzero(real & (starts < span.end) & (ends > span.start))
        tags[inside] = 2 * numbers[span.label] + 2
        tags[inside[:1]] -= 1
    return tags


def log_softmax(logits: Float32) -> Float64:
    """Return log probabilities over the last axis, in float64."""
    wide = logits.astype(np.float64)
    wide -= wide.max(axis=-1, keepdims=True)
    shares: Float64 = wide - np.log(np.exp(wide).sum(axis=-1, keepdims=True))
    return shares


def joined_scores(scores: Float64, first: Int64) -> Float64:
    """Add up the tokens of each word: its first token has the word's tag, the others go on with it.

    Args:
        scores: (M, S) log probabilities of tokens, S = 2 K + 1.
        first: (U,) int64, where each word's first token stands.

    Returns:
        (U, S): for O all tokens are O; for B the first is B and the others I; for I all are I.
    """
    if len(first) == len(scores):  # each word is one token
        return scores
    summed: Float64 = np.add.reduceat(scores, first, axis=0)
    begun = summed.copy()
    begun[:, 1::2] = scores[first, 1::2] + summed[:, 2::2] - scores[first, 2::2]
    return begun


def best_tags(scores: Float64, lengths: Int64) -> Int64:
    """Return the likeliest tags of each text in which I-X stands only behind B-X or I-X (Viterbi, 1967).

    All texts are decoded together, position by position; a position costs K steps for each text, not K squared, because
    only I depends on what stands before it.

    Args:
        scores: (U, S) log probabilities, text after text.
        lengths: (N,) int64, positions of each text, summing to U.

    Returns:
        (U,) int64 tags.
    """
    order = np.argsort(-lengths, kind="stable")  # texts that have ended are then the last ones
    starts = (np.cumsum(lengths) - lengths)[order]
    positions = np.arange(1, lengths.max(initial=0) + 1)
    alive: list[int] = np.searchsorted(-lengths[order], -positions, "right").tolist()  # texts that long, or longer
    came: list[Int64] = []
    total = np.empty((0, scores.shape[1]))
    for position, count in enumerate(alive):
        here = scores[starts[:count] + position]  # (n, S)
        if position == 0:
            total = here.copy()
            total[:, 2::2] = -np.inf  # nothing to go on with
            continue
        before = total[:count]
        best = before.argmax(axis=1)  # (n,)
        source = np.repeat(best[:, None], scores.shape[1], axis=1)
        goes_on = before[:, 2::2] >= before[:, 1::2]
        source[:, 2::2] = np.where(goes_on, np.arange(2, scores.shape[1], 2), np.arange(1, scores.shape[1], 2))
        came.append(source)
        total[:count] = np.take_along_axis(before, source, axis=1) + here
    return _traced(total, came, alive, starts, len(scores))


def _traced(total: Float64, came: list[Int64], alive: list[int], starts: Int64, size: int) -> Int64:
    """Walk back from the best last tag of each text."""
    tags = np.zeros(size, np.int64)
    at = total.argmax(axis=1) if len(total) else np.empty(0, np.int64)
    for position in range(len(alive) - 1, -1, -1):
        count = alive[position]
        tags[starts[:count] + position] = at[:count]
        if position:
            at[:count] = came[position - 1][np.arange(count), at[:count]]
    return tags


def spans_in(tags: Int64, text: Int64) -> list[tuple[int, int, int]]:
    """Return spans of positions as (first, behind the last, type), in their order.

    Args:
        tags: (U,) int64 that make sense, text after text.
        text: (U,) int64, the number of each position's text.
    """
    begins = np.flatnonzero(tags % 2 == 1)
    goes_on: Bool = np.zeros(len(tags) + 1, np.bool_)
    goes_on[:-1] = (tags > 0) & (tags % 2 == 0)
    goes_on[1:-1] &= text[1:] == text[:-1]
    stops = np.flatnonzero(~goes_on)
    behind = stops[np.searchsorted(stops, begins, "right")]
    return list(zip(begins.tolist(), behind.tolist(), (tags[begins] // 2).tolist(), strict=True))
