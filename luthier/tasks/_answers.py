"""The likeliest stretch of tokens in windows of a context, and the likelihood that there is none.

A window gives each token a logit to start the answer and one to end it. A softmax over the tokens of the context and
the first token, which stands for no answer (Devlin et al., "BERT", 2018, section 4.3), makes probabilities of both; the
score of a stretch is that of its start times that of its end, as in transformers' question answering pipeline.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from luthier.schema import Bool, Float32, Int64

Float64 = npt.NDArray[np.float64]

_BLOCK = 256
"""Windows padded together."""


@dataclass(frozen=True, slots=True)
class Best:
    """The likeliest stretch of each of W windows, or of each of N texts."""

    scores: Float64
    """(W,) log probability; minus infinity where no token may be in an answer."""
    starts: Int64
    """(W,) its first token."""
    ends: Int64
    """(W,) its last token."""
    null: Float64
    """(W,) log probability of no answer."""


def best_spans(logits: Sequence[Float32], keep: Sequence[Bool], longest: int) -> Best:
    """Find the likeliest stretch of each window: its start not behind its end, all of it within the context.

    Args:
        logits: W arrays (T, 2) float32: to start and to end an answer.
        keep: W arrays (T,) bool, true at tokens that an answer may start and end with; never at the first.
        longest: most tokens of a stretch.
    """
    parts = [_block(logits[at : at + _BLOCK], keep[at : at + _BLOCK], longest) for at in range(0, len(logits), _BLOCK)]
    if not parts:
        return Best(np.empty(0), np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))
    return Best(np.concatenate([part.scores for part in parts]), np.concatenate([part.starts for part in parts]),
                np.concatenate([part.ends for part in parts]), np.concatenate([part.null for part in parts]))


def best_windows(best: Best, owners: Int64, texts: int) -> tuple[Int64, Float64]:
    """Return the window of the likeliest stretch of each text, (N,), and the log probability of no answer, (N,).

    There is no answer where no window sees one: the least of their probabilities counts, as in the pipeline.

    Args:
        best: of W windows.
        owners: (W,) the text of each window; never falls, names each text.
        texts: N.
    """
    firsts = np.searchsorted(owners, np.arange(texts))
    top = np.maximum.reduceat(best.scores, firsts)
    reached = np.flatnonzero(best.scores == top[owners])
    _, place = np.unique(owners[reached], return_index=True)
    return reached[place], np.minimum.reduceat(best.null, firsts)


def log_probabilities(logits: Sequence[Float32], keep: Sequence[Bool]) -> Float64:
    """Return the log probability of each token to start and to end the answer.

    Returns:
        (W, T, 2) float64, T that of the longest window; minus infinity at tokens that may do neither.
    """
    wide = np.full((len(logits), max(map(len, logits)), 2), -np.inf)
    for row, (one, real) in enumerate(zip(logits, keep, strict=True)):
        able = real.copy()
        able[:1] = True
        wide[row, : len(one)][able] = one[able]
    wide -= wide.max(axis=1, keepdims=True)
    shares: Float64 = wide - np.log(np.exp(wide).sum(axis=1, keepdims=True))
    return shares


def _block(logits: Sequence[Float32], keep: Sequence[Bool], longest: int) -> Best:
    shares = log_probabilities(logits, keep)
    null = shares[:, 0].sum(-1)
    shares[:, 0] = -np.inf
    start, end = shares[..., 0], shares[..., 1]
    count, width = start.shape
    rows = np.arange(count)
    scores = np.full(count, -np.inf)
    starts, ends = np.zeros(count, np.int64), np.zeros(count, np.int64)
    for length in range(min(longest, width)):  # tokens between the first and the last
        each = start[:, : width - length] + end[:, length:]
        place = each.argmax(axis=1)
        found = each[rows, place]
        better = found > scores
        scores[better] = found[better]
        starts[better], ends[better] = place[better], place[better] + length
    return Best(scores, starts, ends, null)
