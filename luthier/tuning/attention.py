"""Which attention kernel computes a batch: the plain one where it is short, the fused one where it is long.

On a CPU the fused kernel's backward pass costs more than it saves up to a few hundred tokens; beyond them the plain one
pays for the (B, H, T, T) weights it keeps. Measured figures are in docs/log.md. Both give the same numbers to rounding.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from luthier.tuning.precision import Decision

PLAIN_UP_TO = 256
"""Longest batch, in tokens, that the plain kernel computes on a CPU."""


def choose_attention(model: Any, device: str) -> Decision:
    """Decide whether the kernel follows the length of each batch, or stays what the model came with."""
    own = str(model.config._attn_implementation)
    if device != "cpu":
        return Decision(own, "fused attention gains at every length on a GPU")
    if own != "sdpa":
        return Decision(own, "this model has no fused attention")
    return Decision("by length", f"plain up to {PLAIN_UP_TO} tokens, where it is faster on a CPU, fused beyond")


def set_attention(model: Any, chosen: Decision, tokens: int) -> None:
    """Switch a model to the kernel for a batch of so many tokens; a model reads its configuration at every pass."""
    if chosen.value == "by length":
        model.config._attn_implementation = "eager" if tokens <= PLAIN_UP_TO else "sdpa"


@contextmanager
def own_attention_afterwards(model: Any) -> Iterator[None]:
    """Give the model back the kernel that it came with, however the block ends."""
    own = model.config._attn_implementation
    try:
        yield
    finally:
        model.config._attn_implementation = own
