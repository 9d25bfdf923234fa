"""The loss of spans scored as pairs of tokens, in torch: see ``_pairs`` for the scores.

It is the cross entropy for several labels of Su et al. (2022, arXiv:2208.02955): for each type
``log(1 + sum of e^s over spans that are none) + log(1 + sum of e^-s over spans that are)``, so that the surest wrong
span and the least sure right one count most, however rare spans are, and 0 parts the two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from luthier.tasks._pairs import turns

if TYPE_CHECKING:
    import torch

CELLS = 1 << 24
"""Scores that are computed at once, about: spans of all rows times types. Of more, the backward pass computes them
again, group of types by group of types, so that memory does not grow with the types."""
LOW = -1e12
"""Score of what is no span."""


def pair_losses(logits: torch.Tensor, real: torch.Tensor, spans: torch.Tensor, types: int) -> torch.Tensor:
    """Return the loss of each type in each of B rows, (B, C) float32.

    Args:
        logits: (B, T, 2 d + 2 C) float32.
        real: (B, T) bool, tokens that a span may begin and end with.
        spans: (B, E, 3) int64, first token, last token and type; any number below 0 where there is none.
        types: C.
    """
    import torch
    from torch.utils.checkpoint import checkpoint

    width = (logits.shape[-1] - 2 * types) // 2
    query, key, start, end = torch.split(logits, [width, width, types, types], dim=-1)
    shared = _turned(query) @ _turned(key).transpose(1, 2) / width**0.5  # (B, T, T)
    pairs = (real[:, :, None] & real[:, None, :]).triu()
    shared = shared.masked_fill(~pairs, LOW)
    some = max(1, CELLS // max(1, shared.numel()))
    found = []
    for kind in range(0, types, some):
        group = slice(kind, kind + some)
        right = _right(spans, kind, min(some, types - kind), logits.shape[1])
        given = shared, start[..., group], end[..., group], right
        found.append(_of_types(*given) if some >= types else checkpoint(_of_types, *given, use_reentrant=False))
    return torch.cat(found, dim=1)


def _of_types(shared: torch.Tensor, start: torch.Tensor, end: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Return (B, c) from what types share, (B, T, T), their own logits, (B, T, c), and the true spans, (B, c, T, T)."""
    import torch
    from torch.nn.functional import softplus

    scores = shared[:, None] + start.transpose(1, 2)[..., None] + end.transpose(1, 2)[:, :, None]  # (B, c, T, T)
    others = torch.logsumexp(scores.masked_fill(right, LOW).flatten(2), dim=-1)
    own = torch.logsumexp((-scores).masked_fill(~right, LOW).flatten(2), dim=-1)
    return softplus(others) + softplus(own)


def _right(spans: torch.Tensor, first: int, types: int, length: int) -> torch.Tensor:
    """Return which spans of some types are true, (B, types, T, T) bool; nothing waits for a device."""
    import torch

    rows = spans.shape[0]
    kind = spans[..., 2] - first
    mine = (spans[..., 2] >= 0) & (kind >= 0) & (kind < types)
    cells = (kind * length + spans[..., 0]) * length + spans[..., 1]  # (B, E)
    size = types * length * length
    table = spans.new_zeros((rows, size + 1), dtype=torch.bool)  # one place more, for what is not there
    table.scatter_(1, cells.masked_fill(~mine, size), value=True)
    return table[:, :size].view(rows, types, length, length)


def _turned(vectors: torch.Tensor) -> torch.Tensor:
    """Turn queries or keys, (B, T, d), by the places of their tokens."""
    import torch

    cosine, sine = (torch.from_numpy(part).to(vectors.device)
                    for part in turns(np.arange(vectors.shape[1]), vectors.shape[2]))
    left, right = vectors.chunk(2, dim=-1)
    return torch.cat([left * cosine - right * sine, right * cosine + left * sine], dim=-1)
