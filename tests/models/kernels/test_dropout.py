from __future__ import annotations

import pytest
import torch
from torch import nn

from luthier.models.kernels.dropout import dropout, keep_mask, own_dropout


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.9])
def test_the_mask_holds_ones_and_zeros_at_the_rate(dtype: torch.dtype, rate: float) -> None:
    torch.manual_seed(3)
    mask = keep_mask((400, 501), rate, dtype)
    assert (mask.shape, mask.dtype) == ((400, 501), dtype)
    assert set(mask.unique().tolist()) <= {0.0, 1.0}
    # Four standard errors of a share of 200,400 draws are below 0.005.
    assert 1 - mask.float().mean().item() == pytest.approx(rate, abs=0.005)


def test_neighbours_rows_and_draws_are_independent() -> None:
    torch.manual_seed(3)
    first, second = (keep_mask((1000, 400), 0.5, torch.float32) * 2 - 1 for _ in range(2))
    for one, other in ((first[:, 1:], first[:, :-1]), (first[:, 4:], first[:, :-4]), (first[1:], first[:-1]),
                       (first, second)):
        assert (one * other).mean().item() == pytest.approx(0, abs=0.007)


@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 3, 5), (0, 4)])
def test_any_shape_is_filled(shape: tuple[int, ...]) -> None:
    assert keep_mask(shape, 0.0, torch.float32).eq(torch.ones(shape)).all()


def test_the_generator_decides() -> None:
    torch.manual_seed(5)
    first, other = keep_mask((64,), 0.5, torch.float32), keep_mask((64,), 0.5, torch.float32)
    torch.manual_seed(5)
    assert torch.equal(keep_mask((64,), 0.5, torch.float32), first)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_what_stays_is_scaled_and_gradients_pass_there_only(dtype: torch.dtype) -> None:
    torch.manual_seed(1)
    x = torch.full((200, 30), 3.0, dtype=dtype, requires_grad=True)
    out = dropout(x, 0.25)
    out.sum().backward()
    scale = torch.tensor(1 / 0.75).to(dtype)
    assert set(out.unique().tolist()) == {0.0, (scale * 3).item()}
    assert x.grad is not None
    assert torch.equal(x.grad, torch.where(out > 0, scale, torch.zeros((), dtype=dtype)))


def test_layers_are_replaced_within_the_block_only() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5), nn.Sequential(nn.Dropout(0.0)))
    x = torch.ones(64, 4)
    with own_dropout(model) as decision:
        assert decision.reason.startswith("2 layers;")
        torch.manual_seed(2)
        ours = model[1](x)
        torch.manual_seed(2)
        assert torch.equal(ours, dropout(x, 0.5))
        assert torch.equal(model[2](x), x)
        assert torch.equal(model.eval()[1](x), x)
    model.train()
    torch.manual_seed(2)
    after = model[1](x)
    torch.manual_seed(2)
    assert torch.equal(after, nn.functional.dropout(x, 0.5))
    assert list(model.state_dict()) == ["0.weight", "0.bias"]


def test_layers_come_back_after_an_error() -> None:
    model = nn.Sequential(nn.Dropout(0.5))
    with pytest.raises(KeyError), own_dropout(model):
        raise KeyError
    assert "forward" not in vars(model[0])
