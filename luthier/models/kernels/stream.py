"""Hidden states in bf16 from the embeddings on.

Under autocast the embeddings come out in float32, and a sum of float32 and bf16 is float32: every residual sum, norm
and dropout works on twice the bytes, and every linear layer casts its input. With the embeddings' output in bf16 all
that follows is bf16; products, sums within a norm and a softmax are still accumulated in float32.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from luthier.schema import Decision


@contextmanager
def bf16_stream(model: Any, precision: str) -> Iterator[Decision]:
    """Cast the output of a model's embeddings to bf16 within the block, where it runs in bf16."""
    embeddings = getattr(model.base_model, "embeddings", None)
    if precision != "bf16" or not isinstance(embeddings, torch.nn.Module):
        why = "it runs in fp32" if precision != "bf16" else "this model has no embeddings of its own to cast"
        yield Decision("as the model has them", why)
        return
    hook = embeddings.register_forward_hook(_to_bf16)
    try:
        yield Decision("bf16", "no layer casts its input")
    finally:
        hook.remove()


def _to_bf16(_module: torch.nn.Module, _inputs: Any, output: Any) -> Any:
    return output.to(torch.bfloat16) if isinstance(output, torch.Tensor) else output
