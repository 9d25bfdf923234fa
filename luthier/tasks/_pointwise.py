"""Losses over scores of pairs: each judged by itself, or the right ones of a row against the wrong ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_NEVER = -1e4
"""A logit whose exponential is 0 in float32; minus infinity would make gradients of nothing out of empty sums."""


def binary_loss(scores: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """Return the mean binary cross entropy of each row's pairs, (B,) float32.

    As ``BinaryCrossEntropyLoss`` of the cross-encoders in the sentence-transformers library.

    Args:
        scores: (S,) float32 logits, row after row.
        rows: (S, 2) float32: the row of each pair, and how relevant its passage is, in [0, 1].
    """
    import torch

    losses = torch.nn.functional.binary_cross_entropy_with_logits(scores, rows[:, 1], reduction="none")
    owner, count = _owners(rows)
    sizes = torch.bincount(owner, minlength=count)
    return losses.new_zeros(count).index_add(0, owner, losses) / sizes


def softmax_loss(scores: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """Return how surely each row's right passages are told from its wrong ones, (B,) float32.

    The localised contrastive estimation of Gao, Dai and Callan, "Rethink Training of BERT Rerankers in Multi-Stage
    Retrieval Pipeline" (2021): minus the log of a softmax over one right passage and the wrong ones; of several right
    ones the mean.

    Args:
        scores: (S,) float32 logits, row after row.
        rows: (S, 2) float32: the row of each pair, and how relevant its passage is: right above 0.
    """
    import torch

    owner, count = _owners(rows)
    sizes = torch.bincount(owner, minlength=count)
    place = torch.arange(len(owner), device=owner.device) - (torch.cumsum(sizes, 0) - sizes)[owner]
    right = rows[:, 1] > 0
    table = scores.new_full((count, int(sizes.max())), _NEVER)  # (B, K), the wrong ones of each row
    table = table.index_put((owner, place), scores.masked_fill(right, _NEVER))
    others = torch.logsumexp(table, 1)[owner]
    losses = torch.logaddexp(scores, others) - scores
    found = losses.new_zeros(count).index_add(0, owner[right], losses[right])
    return found / torch.bincount(owner[right], minlength=count)


def _owners(rows: torch.Tensor) -> tuple[torch.Tensor, int]:
    """Return which of the B rows each pair belongs to, (S,) int64, and B."""
    import torch

    first = torch.cat([rows.new_ones(1, dtype=torch.bool), rows[1:, 0] != rows[:-1, 0]])
    owner = torch.cumsum(first, 0) - 1
    return owner, int(owner[-1]) + 1
