from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from luthier.models.kernels import attention as kernels
from luthier.models.kernels.attention import attention

SCALE = 0.3


def reference(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """Return the definition, by autograd."""
    scores = SCALE * query @ key.transpose(-1, -2)
    weights = torch.softmax(scores if bias is None else scores + bias, -1)
    return (weights @ value).transpose(1, 2)


def inputs(batch: int, heads: int, tokens: int, width: int = 8, *, dtype: torch.dtype = torch.float32,
           padded: bool = True) -> tuple[list[torch.Tensor], torch.Tensor | None]:
    torch.manual_seed(tokens)
    # Laid out as a linear layer leaves them, (B, T, H, E).
    parts = [torch.randn(batch, tokens, heads, width, dtype=dtype).transpose(1, 2).requires_grad_() for _ in range(3)]
    if not padded:
        return parts, None
    lengths = torch.randint(1, tokens + 1, (batch, 1))
    hidden = torch.arange(tokens) >= lengths  # (B, T)
    bias = torch.zeros(batch, 1, tokens, tokens, dtype=dtype)
    return parts, bias.masked_fill(hidden[:, None, None, :], torch.finfo(dtype).min)


@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize(("batch", "heads", "tokens"), [(1, 1, 1), (3, 2, 7), (2, 3, 70), (2, 2, 140), (5, 4, 33)])
@pytest.mark.parametrize("block", [1, 3000, 1 << 20])
def test_values_and_gradients_are_those_of_the_definition(
    batch: int, heads: int, tokens: int, block: int, padded: bool, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kernels, "BLOCK", block)
    parts, bias = inputs(batch, heads, tokens, padded=padded)
    back = torch.randn(batch, tokens, heads, 8)
    got = attention(*parts, bias, SCALE)
    expected = reference(*parts, bias)
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)
    assert got.is_contiguous()
    for ours, theirs in zip(torch.autograd.grad(got, parts, back), torch.autograd.grad(expected, parts, back),
                            strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("tokens", [20, 100, 200])
def test_bf16_is_as_near_to_the_definition_as_bf16_can_be(tokens: int) -> None:
    parts, bias = inputs(2, 3, tokens)
    half = [part.detach().bfloat16().requires_grad_() for part in parts]
    assert bias is not None
    expected = reference(*(part.float() for part in half), bias)
    got = attention(*half, bias.bfloat16(), SCALE)
    assert got.dtype == torch.bfloat16
    assert (got.float() - expected).abs().max() < 0.02
    back = torch.randn_like(expected)
    exact = torch.autograd.grad(expected, half, back)
    for ours, theirs in zip(torch.autograd.grad(got, half, back.bfloat16()), exact, strict=True):
        assert (ours.float() - theirs.float()).abs().max() < 0.02 * theirs.float().abs().max()


@pytest.mark.parametrize("tokens", [20, 200])
def test_dropped_weights_are_the_same_in_both_passes(tokens: int, monkeypatch: pytest.MonkeyPatch) -> None:
    parts, bias = inputs(2, 2, tokens)
    keep = (torch.rand(4, tokens, tokens) > 0.25).float()
    monkeypatch.setattr(kernels, "BLOCK", 1 << 30)
    monkeypatch.setattr(kernels, "keep_mask", lambda *_: keep.clone())
    weights = torch.softmax(SCALE * parts[0] @ parts[1].transpose(-1, -2) + bias, -1)
    expected = (weights * keep.view(2, 2, tokens, tokens) / 0.75 @ parts[2]).transpose(1, 2)
    got = attention(*parts, bias, SCALE, 0.25)
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)
    back = torch.randn_like(got)
    for ours, theirs in zip(torch.autograd.grad(got, parts, back), torch.autograd.grad(expected, parts, back),
                            strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("batch", "heads", "tokens"), [(1, 12, 512), (7, 12, 28), (3, 2, 2000), (32, 12, 128)])
def test_blocks_cover_every_head_once_and_stay_small(batch: int, heads: int, tokens: int) -> None:
    blocks = list(kernels._blocks(batch, heads, tokens))
    assert [number for block in blocks for number in range(block.start, block.stop)] == list(range(batch * heads))
    for block in blocks:
        size = block.stop - block.start
        assert size == 1 or size * tokens * tokens <= kernels.BLOCK
        # Whole texts, or heads of one: a block's bias is that of its texts.
        assert size % heads == 0 or block.start // heads == (block.stop - 1) // heads


def test_what_the_kernel_does_not_do_goes_to_torch() -> None:
    (query, key, value), _ = inputs(2, 4, 6, padded=False)
    causal = SimpleNamespace(is_causal=True, training=False)
    got, _ = kernels._for_transformers(causal, query, key, value, None, scaling=SCALE)
    exact = torch.nn.functional.scaled_dot_product_attention(query, key, value, is_causal=True, scale=SCALE)
    torch.testing.assert_close(got, exact.transpose(1, 2))
    shared: Any = SimpleNamespace(is_causal=False, training=False, num_key_value_groups=2)
    got, _ = kernels._for_transformers(shared, query, key[:, :2], value[:, :2], None, scaling=SCALE)
    repeated = [part[:, :2].repeat_interleave(2, 1) for part in (key, value)]
    torch.testing.assert_close(got, reference(query, *repeated, None), rtol=1e-4, atol=1e-5)
