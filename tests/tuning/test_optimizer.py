from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from luthier.recipe import TrainSettings
from luthier.tuning.optimizer import make_optimizer, step_clipped


@pytest.mark.parametrize("max_norm", [0.01, 1e6])
def test_clipping_within_the_step_is_that_of_torch(max_norm: float) -> None:
    torch.manual_seed(0)
    ours = nn.Linear(7, 5)
    theirs, rows = copy.deepcopy(ours), torch.randn(9, 7)
    # A large epsilon, or AdamW's own scaling would hide how large the gradients were.
    settings = TrainSettings(learning_rate=0.1)
    first, second = (make_optimizer(model, settings) for model in (ours, theirs))
    for group in (*first.param_groups, *second.param_groups):
        group["eps"] = 1.0
    for _ in range(3):
        for model in (ours, theirs):
            model(rows).square().sum().backward()
        norm = step_clipped(first, max_norm)
        expected = torch.nn.utils.clip_grad_norm_(theirs.parameters(), max_norm)
        second.step()
        second.zero_grad()
        torch.testing.assert_close(norm, expected)
        assert all(parameter.grad is None for parameter in ours.parameters())
        for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(one, other)
