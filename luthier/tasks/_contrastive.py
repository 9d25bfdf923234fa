"""Losses over the vectors of a whole batch: what belongs together shall be nearer than everything else in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from luthier.schema import Float32
from luthier.tasks._ranking import POSITIVE, QUERY

if TYPE_CHECKING:
    import torch

_COMPARED = 64
"""Rows whose loss is computed together in validation."""
_NEVER = -1e4
"""A logit whose exponential is 0 in float32; minus infinity would make gradients of nothing out of empty sums."""


def in_batch_loss(vectors: torch.Tensor, rows: torch.Tensor, *, scale: float, symmetric: bool) -> torch.Tensor:
    """Return the loss of each row: how surely each query finds its passage among all of the batch.

    InfoNCE of van den Oord et al. (arXiv:1807.03748) with in-batch negatives (Henderson et al., arXiv:1705.00652), as
    ``MultipleNegativesRankingLoss`` of the sentence-transformers library. What is known to belong to a query is no
    negative of it: its other passages, the same text in another row, and the passages of an equal query.

    Args:
        vectors: (S, D), of length 1; the S sequences of B rows, each with its query first.
        rows: (S, 3) int64, owner, kind (``QUERY`` …) and text of each sequence: equal numbers are equal texts.
        scale: cosines are multiplied by it.
        symmetric: also ask how surely each passage finds its query, and take the mean.

    Returns:
        (B,) float32; of a row with several positives the mean of theirs.
    """
    import torch

    asks = rows[:, 1] == QUERY
    texts, owner = rows[:, 2], torch.cumsum(asks, 0)[~asks] - 1  # (P,), which of the B rows
    scores = scale * vectors[asks].float() @ vectors[~asks].float().T  # (B, P)
    positive = rows[~asks, 1] == POSITIVE  # (P,)
    own = (owner == torch.arange(len(scores), device=scores.device)[:, None]) & positive  # (B, P)
    belongs = _belong(own, texts[asks], texts[~asks])
    losses = _sure(scores, own, belongs)
    if symmetric:
        losses = (losses + _sure(scores.T, own.T, belongs.T)) / 2
    found = losses.new_zeros(len(scores)).index_add(0, owner[positive], losses)
    return found / own.sum(1)


def cosent_loss(vectors: torch.Tensor, values: torch.Tensor, *, scale: float) -> torch.Tensor:
    """Return the loss of a batch of scored pairs, the same for each row: how far the order of cosines is off.

    CoSENT of Su (kexue.fm/archives/8847), ``log(1 + sum exp(scale * (cos_i - cos_j)))`` over all pairs i, j of which j
    has the higher value. It asks for the order alone, so that any unit will do.

    Args:
        vectors: (2 B, D), of length 1; the two texts of each pair one after the other.
        values: (2 B,) float32, the value of each pair twice.
        scale: cosines are multiplied by it.

    Returns:
        (B,) float32.
    """
    import torch

    cosines = scale * (vectors[::2].float() * vectors[1::2].float()).sum(-1)
    apart = cosines[:, None] - cosines  # (B, B)
    lower = values[::2, None] < values[::2]
    every = torch.cat([apart.new_zeros(1), apart.masked_fill(~lower, _NEVER).flatten()])
    return torch.logsumexp(every, 0).expand(len(cosines))


def mean_loss(vectors: Float32, targets: npt.NDArray[Any], loss: Callable[..., torch.Tensor]) -> float:
    """Return the mean loss of the rows of a split, in batches of ``_COMPARED`` in their order.

    Args:
        vectors: (S, D) float32.
        targets: (S,) float32 of pairs, or (S, 3) int64, as the losses here take them.
        loss: from the vectors and targets of a batch to the losses of its rows.
    """
    import torch

    starts = np.arange(0, len(targets), 2) if targets.ndim == 1 else np.flatnonzero(targets[:, 1] == QUERY)
    ends = np.append(starts, len(targets))
    total = 0.0
    for first in range(0, len(starts), _COMPARED):
        part = slice(ends[first], ends[min(first + _COMPARED, len(starts))])
        total += float(loss(torch.from_numpy(vectors[part]), torch.from_numpy(targets[part])).sum())
    return total / max(1, len(starts))


def _belong(own: torch.Tensor, queries: torch.Tensor, passages: torch.Tensor) -> torch.Tensor:
    """Return which passages are known to belong to which queries, (B, P) bool, by rows and by equal texts."""
    known = (queries[:, None] == queries).float() @ own.float()  # (B, P): of an equal query's row
    return (known @ (passages[:, None] == passages).float()) > 0


def _sure(scores: torch.Tensor, own: torch.Tensor, belongs: torch.Tensor) -> torch.Tensor:
    """Return minus the log of each right one's softmax among what does not belong, one after the other by passage."""
    import torch

    others = torch.logsumexp(scores.masked_fill(belongs, _NEVER), 1, keepdim=True)
    losses = torch.logaddexp(scores, others.expand_as(scores)) - scores
    return losses[own]
