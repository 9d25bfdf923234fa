"""Attention of the length that texts have: products of small matrices, and never all its weights at once.

torch's fused kernel costs more than it saves on a CPU up to a few hundred tokens, above all in its backward pass, and
with dropped weights it is not used at all; the plain one keeps every (B, H, T, T) matrix of every layer. Here the heads
go block by block, so that a block's weights stay in the cache, and long texts' weights are computed again in the
backward pass instead of being kept (Chen et al., arXiv:1604.06174).

Axes: B batch, H heads, T tokens, E width of a head, G = B * H matrices.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from luthier.models.kernels.dropout import keep_mask
from luthier.schema import Decision

NAME = "luthier_cpu"
"""What transformers knows it by while it is installed."""
BLOCK = 1 << 20
"""Attention weights computed together: 2 MiB in bf16, about the size of a core's second cache."""
KEPT_UP_TO = 128
"""Tokens up to which weights are kept for the backward pass; beyond, they are computed again."""

SHORT = 64
"""Tokens under which a softmax over bf16 is five times slower than one over float32: torch's does not fill a vector."""


def attention(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, bias: torch.Tensor | None, scale: float,
    rate: float = 0.0,
) -> torch.Tensor:
    """Return softmax(scale * query key' + bias) value.

    Args:
        query: (B, H, T, E).
        key: (B, H, T, E).
        value: (B, H, T, E).
        bias: (B, 1, T, T), added to the scores: 0 where a token is seen, the lowest number where it is not.
        scale: of the scores.
        rate: share of the weights that is dropped.

    Returns:
        (B, T, H, E), contiguous.
    """
    out: torch.Tensor = _Attention.apply(query, key, value, bias, scale, rate)  # type: ignore[no-untyped-call]
    return out


class _Attention(torch.autograd.Function):
    """The product above with a backward pass of its own; autograd would keep scores, weights and copies of both."""

    @staticmethod
    def forward(ctx: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, bias: torch.Tensor | None,
                scale: float, rate: float) -> torch.Tensor:
        batch, heads, tokens, width = query.shape
        query, key, value = (part.reshape(-1, tokens, width) for part in (query, key, value))  # (G, T, E)
        out = torch.empty_like(query)
        kept = []
        for block in _blocks(batch, heads, tokens):
            weights = _weights(query[block], key[block], _of(bias, block, heads), scale)
            mask = keep_mask(weights.shape, rate, weights.dtype).mul_(1 / (1 - rate)) if rate else None
            torch.bmm(weights if mask is None else weights * mask, value[block], out=out[block])
            kept.append((weights if tokens <= KEPT_UP_TO else None, mask))
        ctx.save_for_backward(query, key, value, bias)
        ctx.scale, ctx.kept, ctx.shape = scale, kept, (batch, heads, tokens, width)
        return out.view(batch, heads, tokens, width).transpose(1, 2).contiguous()

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[Any, ...]:
        query, key, value, bias = ctx.saved_tensors  # (G, T, E)
        batch, heads, tokens, width = ctx.shape
        gradient = gradients[0].transpose(1, 2).reshape(-1, tokens, width)  # (G, T, E)
        of_query, of_key, of_value = (torch.empty_like(part) for part in (query, key, value))
        for block, (weights, mask) in zip(_blocks(batch, heads, tokens), ctx.kept, strict=True):
            if weights is None:
                weights = _weights(query[block], key[block], _of(bias, block, heads), ctx.scale)
            dropped = weights if mask is None else weights * mask
            torch.bmm(dropped.transpose(1, 2), gradient[block], out=of_value[block])
            of_weights = torch.bmm(gradient[block], value[block].transpose(1, 2))  # (g, T, T)
            if mask is not None:
                of_weights.mul_(mask)
            of_scores = _gradient_of_scores(of_weights, weights)
            torch.baddbmm(query[block], of_scores, key[block], beta=0, alpha=ctx.scale, out=of_query[block])
            torch.baddbmm(query[block], of_scores.transpose(1, 2), query[block], beta=0, alpha=ctx.scale,
                          out=of_key[block])
        shape = (batch, heads, tokens, width)
        return of_query.view(shape), of_key.view(shape), of_value.view(shape), None, None, None


def _weights(query: torch.Tensor, key: torch.Tensor, bias: torch.Tensor | None, scale: float) -> torch.Tensor:
    """Return the weights (g, T, T) of a block of queries and keys (g, T, E)."""
    empty = query.new_empty(1, 1, 1)  # beta=0: it is not read
    scores = torch.baddbmm(empty, query, key.transpose(1, 2), beta=0, alpha=scale)
    if bias is not None:
        scores.view(len(bias), -1, *scores.shape[1:]).add_(bias)
    return torch.softmax(scores.float(), -1).to(scores.dtype) if scores.shape[-1] < SHORT else torch.softmax(scores, -1)


def _gradient_of_scores(of_weights: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Return the gradient of what went into the softmax, (g, T, T)."""
    through = torch.ops.aten._softmax_backward_data
    if weights.shape[-1] < SHORT:
        found: torch.Tensor = through(of_weights.float(), weights.float(), -1, torch.float32).to(weights.dtype)
    else:
        found = through(of_weights, weights, -1, weights.dtype)
    return found


def _blocks(batch: int, heads: int, tokens: int) -> Iterator[slice]:
    """Cut the G matrices into blocks of about ``BLOCK`` weights: whole texts, or parts of one text's heads."""
    at_once = max(1, BLOCK // (tokens * tokens))
    if at_once >= heads:
        at_once -= at_once % heads
        yield from (slice(start, min(start + at_once, batch * heads)) for start in range(0, batch * heads, at_once))
    else:
        for text in range(0, batch * heads, heads):
            yield from (slice(start, min(start + at_once, text + heads))
                        for start in range(text, text + heads, at_once))


def _of(bias: torch.Tensor | None, block: slice, heads: int) -> torch.Tensor | None:
    """Return the bias of a block's texts, (b, 1, T, T)."""
    return None if bias is None else bias[block.start // heads : (block.stop - 1) // heads + 1]


@contextmanager
def own_attention(model: Any) -> Iterator[Decision]:
    """Let a transformers model use ``attention`` within the block, where its kind of attention is this one."""
    own = model.config._attn_implementation
    if own != "sdpa":
        yield Decision(str(own), "this model has no exchangeable attention")
        return
    if any(getattr(module, "config", model.config) is not model.config for module in model.modules()):
        yield Decision(str(own), "parts of this model have configurations of their own")
        return
    _register()
    model.config._attn_implementation = NAME
    try:
        yield Decision("blocks", f"of {BLOCK:,} weights; kept for the backward pass up to {KEPT_UP_TO} tokens")
    finally:
        model.config._attn_implementation = own


def _register() -> None:
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, eager_mask
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    ALL_ATTENTION_FUNCTIONS.register(NAME, _for_transformers)
    ALL_MASK_ATTENTION_FUNCTIONS.register(NAME, eager_mask)


def _for_transformers(
    module: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, attention_mask: torch.Tensor | None,
    dropout: float = 0.0, scaling: float | None = None, **others: Any,
) -> tuple[torch.Tensor, None]:
    """Answer a layer's call in transformers' own terms; what this kernel does not do goes to torch's."""
    if getattr(module, "is_causal", False) or query.shape != key.shape or others.get("position_bias") is not None:
        from transformers.integrations.sdpa_attention import sdpa_attention_forward

        out, _ = sdpa_attention_forward(module, query, key, value, attention_mask, dropout=dropout, scaling=scaling,
                                        **others)
        return out, None
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    return attention(query, key, value, attention_mask, scale, dropout), None
