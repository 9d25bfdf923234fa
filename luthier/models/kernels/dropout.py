"""Dropout whose random numbers are cheap.

On a CPU torch draws a number for each element, one after the other: a tenth to a third of a step. Here one draw of 63
bits serves four elements, and what follows is plain arithmetic on 16-bit integers, which processors do 32 at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from math import prod
from typing import Any

import torch
from torch import nn

from luthier.schema import Decision

_LEVELS = 1 << 15
"""A rate is kept to one part in so many."""
_ONE = {torch.bfloat16: 0x3F80, torch.float16: 0x3C00}
"""The bits of 1.0 in formats of 16 bits."""


def keep_mask(shape: Sequence[int], rate: float, dtype: torch.dtype) -> torch.Tensor:
    """Draw which elements stay, from torch's own CPU generator.

    Args:
        shape: of the tensor.
        rate: share that is dropped, in [0, 1), rounded to 1 / 32,768.
        dtype: of the tensor.

    Returns:
        1.0 where an element stays, 0.0 where it is dropped.
    """
    count = prod(shape)
    bits = torch.empty((count + 3) // 4, dtype=torch.int64).random_().view(torch.int16)[:count]
    # 15 random bits less the threshold are negative for those to drop; the shift makes that all ones, else all zeros.
    bits.bitwise_and_(_LEVELS - 1).sub_(round(rate * _LEVELS)).bitwise_right_shift_(15).bitwise_not_()
    if dtype in _ONE:
        return bits.bitwise_and_(_ONE[dtype]).view(dtype).view(tuple(shape))
    return bits.bitwise_and_(1).view(tuple(shape)).to(dtype)


def dropout(x: torch.Tensor, rate: float) -> torch.Tensor:
    """Drop elements at a rate and scale the others by 1 / (1 - rate), as ``torch.nn.functional.dropout`` does."""
    return x * keep_mask(x.shape, rate, x.dtype).mul_(1 / (1 - rate))


@contextmanager
def own_dropout(model: nn.Module) -> Iterator[Decision]:
    """Let every dropout layer of a model use ``dropout`` within the block."""
    layers = [module for module in model.modules() if type(module) is nn.Dropout]
    for layer in layers:
        layer.forward = partial(_forward, layer)  # type: ignore[method-assign]
    try:
        yield Decision("16-bit", f"{len(layers)} layers; torch draws one number for each element on a CPU")
    finally:
        for layer in layers:
            del layer.forward


def _forward(layer: Any, x: torch.Tensor) -> torch.Tensor:
    return dropout(x, layer.p) if layer.training and layer.p > 0 else x
