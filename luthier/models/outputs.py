"""What a model gives for batches of rows, put back into the order of the rows; and what a decoder is given."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from luthier.schema import Float32, Int64, Logits


def shifted(targets: Int64, start: int, pad: int) -> Int64:
    """Return what a decoder is given to write targets: each token's place holds the one before it.

    Args:
        targets: (B, T) int64, below 0 at padding, which stands on the right.
        start: id that stands before the first.
        pad: id that padding gets.

    Returns:
        (B, T) int64.
    """
    before = np.full_like(targets, start)
    before[:, 1:] = np.where(targets[:, :-1] < 0, pad, targets[:, :-1])
    return before


def in_order(batches: Sequence[Int64], found: Iterable[Float32], lengths: Int64) -> Logits:
    """Return logits in the order of N rows.

    Args:
        batches: row numbers, (B,) int64 each; every row stands in exactly one.
        found: for each batch (B, C) float32, or (B, T, C) of tokens with padding on the right.
        lengths: (N,) int64, tokens of each row.

    Returns:
        (N, C) float32, or N arrays (T, C), without padding.
    """
    of_tokens: list[Float32] = [np.empty((0, 0), np.float32)] * len(lengths)
    of_texts: Float32 | None = None
    for rows, logits in zip(batches, found, strict=True):
        if logits.ndim == 3:
            for place, row in enumerate(rows.tolist()):
                of_tokens[row] = logits[place, : lengths[row]]
            continue
        if of_texts is None:
            of_texts = np.empty((len(lengths), logits.shape[1]), np.float32)
        of_texts[rows] = logits
    return of_tokens if of_texts is None else of_texts
