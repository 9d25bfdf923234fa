"""The gradient of a loss over a whole batch, of which the model computes a part at a time.

GradCache of Gao et al., "Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup" (2021): vectors of
all parts first, without what a backward pass needs; the loss and its gradient by vector; then each part once more,
forwards and backwards. The gradient is that of the whole batch, at the cost of one more forward pass. A batch of one
part, which is the usual case, is computed as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from luthier.schema import Int64
from luthier.tuning.batching import by_length

if TYPE_CHECKING:
    import torch


def cut(rows: Int64, lengths: Int64, max_tokens: int) -> list[Int64]:
    """Return rows as one part, or cut by length where they have more than ``max_tokens`` tokens with their padding.

    Args:
        rows: (S,) int64.
        lengths: tokens of all rows of the split.
        max_tokens: of each part.
    """
    own = lengths[rows]
    if len(own) * own.max() <= max_tokens:
        return [rows]
    return [rows[part] for part in by_length(own, max_tokens=max_tokens)]


def backward(
    rows: Int64, parts: Sequence[Int64], embed: Callable[[Int64], torch.Tensor],
    loss: Callable[[torch.Tensor], torch.Tensor], reseed: Callable[[int], None],
) -> torch.Tensor:
    """Add the gradient of a batch's loss to the weights, and return the loss, a float32 scalar without graph.

    Args:
        rows: (S,) int64, the rows of the batch in the order in which the loss takes their vectors.
        parts: the same rows, cut into what is computed at once.
        embed: from a part to its vectors, (rows, D).
        loss: from the vectors (S, D) to a scalar.
        reseed: sets the random numbers that a part of this number drops by, each time the same.
    """
    import torch

    if len(parts) == 1:
        whole = loss(embed(rows))
        whole.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return whole.detach()
    order = np.argsort(np.concatenate(parts))[np.argsort(np.argsort(rows))]
    vectors = []
    with torch.no_grad():
        for number, part in enumerate(parts):
            reseed(number)
            vectors.append(embed(part))
    every = torch.cat(vectors)[torch.from_numpy(order).to(vectors[0].device)].requires_grad_()
    whole = loss(every)
    places = torch.from_numpy(np.argsort(order)).to(every.device)
    gradients = torch.split(torch.autograd.grad(whole, every)[0][places], [len(part) for part in parts])
    for number, (part, gradient) in enumerate(zip(parts, gradients, strict=True)):
        reseed(number)
        embed(part).backward(gradient)  # type: ignore[no-untyped-call]
    return whole.detach()
