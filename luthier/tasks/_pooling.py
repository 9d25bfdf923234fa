"""Windows of a text become one row: what a text is, is the mean (or the most) of what its windows say.

The same pooling stands in the loss, in validation and in ``decode``, so that a long text is learned as it is answered.
"""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from luthier.models.encoding import Ragged
from luthier.schema import Bool, Float32, Int64

if TYPE_CHECKING:
    import torch

Pooling = Literal["mean", "max"]
"""``mean``: of the windows' logits, each by its tokens that stand in no window before it; ``max``: the highest logit of
each output."""


def pools(task: ModuleType) -> bool:
    """Return whether the windows of a text have one answer together, which the loss is of."""
    return bool(getattr(task, "POOLS", False))


def pooling(settings: Any) -> Pooling:
    """Return how a task's settings pool windows: by their mean where they leave it open."""
    found: Pooling = getattr(settings, "pooling", "mean")
    return found


def begins(ragged: Ragged) -> Int64:
    """Return the first window of each of N texts, (N,) int64."""
    if ragged.owners is None:
        return np.arange(len(ragged))
    return np.flatnonzero(np.diff(ragged.owners, prepend=-1))  # windows of a text stand together


def pooled(logits: Float32, ragged: Ragged, how: Pooling = "mean") -> Float32:
    """Return one row for each of N texts; rows of texts in one window stay what they are, to the bit.

    Args:
        logits: (W, C) float32 of the windows, or (N, C) of whole texts.
        ragged: the windows, as the model saw them.
        how: see ``Pooling``.

    Returns:
        (N, C) float32.
    """
    first = begins(ragged)
    if len(first) == len(ragged):
        return logits
    if how == "max":
        return np.asarray(np.maximum.reduceat(logits, first), np.float32)
    sums = np.add.reduceat(logits * shares(ragged)[:, None].astype(np.float64), first)
    return np.asarray(sums, np.float32)


def shares(ragged: Ragged) -> Float32:
    """Return the share that each window has in its text's mean, (W,) float32; those of a text sum to 1."""
    first = begins(ragged)
    fresh = np.ones(len(ragged)) if ragged.fresh is None else ragged.fresh.astype(np.float64)
    counts = np.diff(first, append=len(ragged))
    totals = np.repeat(np.add.reduceat(fresh, first), counts) if len(first) else fresh
    alone = np.repeat(counts == 1, counts)
    return np.where(alone, 1.0, fresh / np.where(alone, 1.0, totals)).astype(np.float32)


def pooled_tensor(logits: torch.Tensor, sizes: Int64, share: Float32, how: Pooling = "mean") -> torch.Tensor:
    """Return one row for each of B texts, as ``pooled`` does, with a gradient.

    Args:
        logits: (W, C), the windows of text after text.
        sizes: (B,) int64, how many windows each text has.
        share: (W,) float32, as ``shares`` gives them.
        how: see ``Pooling``.

    Returns:
        (B, C).
    """
    import torch

    if len(sizes) == len(logits):
        return logits
    lengths = torch.from_numpy(sizes).to(logits.device)
    if how == "mean":
        logits = logits * torch.from_numpy(share).to(logits)[:, None]
    return torch.segment_reduce(logits, "sum" if how == "mean" else "max", lengths=lengths)


def cut(ragged: Ragged) -> Bool:
    """Return whether any window of a text lost something, (N,) bool."""
    if not len(ragged):
        return ragged.truncated
    return np.logical_or.reduceat(ragged.truncated, begins(ragged))
