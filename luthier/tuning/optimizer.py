"""AdamW, with weight decay where it belongs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from luthier.errors import TuningError
from luthier.recipe import TrainSettings
from luthier.tuning.checkpoints import trainable

if TYPE_CHECKING:
    import torch

    from luthier.models.kernels import NativeLayers

TIMES = "times"
"""Entry of a group of weights: how much faster than the others it learns."""


def make_optimizer(model: torch.nn.Module, settings: TrainSettings, layers: NativeLayers | None = None, *,
                   head: tuple[str, ...] = ()) -> torch.optim.Optimizer:
    """Return AdamW (Loshchilov and Hutter, arXiv:1711.05101) over what trains; biases and norms are not decayed.

    Args:
        model: to be tuned.
        settings: rates and decay.
        layers: the model's compiled layers, which then move its weights themselves.
        head: names of the modules that learn at the head's own rate.

    Raises:
        TuningError: nothing trains, or the learning rate was left open.
    """
    import torch

    parameters = trainable(model)
    if not parameters:
        raise TuningError("no weight of this model trains", "choose another method, such as method=full")
    if settings.learning_rate is None:
        raise TuningError("the learning rate was left open",
                          "set train.learning_rate, or take the method's LEARNING_RATE")
    faster = (settings.head_learning_rate or settings.learning_rate) / settings.learning_rate
    ends = tuple(f"{name}." for name in head) if faster != 1 else ()
    of_head, rest = ([weight for name, weight in parameters.items() if name.startswith(ends or ("\0",)) is own]
                     for own in (True, False))
    groups = [group for weights, times in ((rest, 1.0), (of_head, faster)) if weights
              for group in _groups(weights, settings.weight_decay, times)]
    if layers is not None:
        from luthier.models.kernels.adamw import CompiledAdamW

        return CompiledAdamW(groups, settings.learning_rate, layers)
    # Fused: one pass over memory instead of about ten; on a CPU that is where an optimiser's time goes.
    return torch.optim.AdamW(groups, lr=settings.learning_rate, fused=True)


def _groups(weights: Sequence[torch.Tensor], decay: float, times: float) -> list[dict[str, Any]]:
    """Return those that are decayed and those that are not: matrices and tables have two axes, biases and norms one."""
    return [{"params": [weight for weight in weights if weight.ndim >= 2], "weight_decay": decay, TIMES: times},
            {"params": [weight for weight in weights if weight.ndim < 2], "weight_decay": 0.0, TIMES: times}]


def step_clipped(optimizer: torch.optim.Optimizer, max_norm: float) -> torch.Tensor:
    """Move the weights by gradients whose norm over all weights is at most ``max_norm``, and let go of the gradients.

    The optimiser divides each gradient as it reads it, through the door that loss scaling uses: to clip them
    beforehand, as ``torch.nn.utils.clip_grad_norm_`` does, is one more pass over all of them.

    Returns:
        The norm before clipping, a float32 scalar.
    """
    import torch

    from luthier.models.kernels.adamw import LEAST, CompiledAdamW

    if isinstance(optimizer, CompiledAdamW):
        found = torch.tensor(optimizer.step_clipped(max_norm))
        optimizer.zero_grad(set_to_none=True)
        return found
    gradients = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
    norm = torch.nn.utils.get_total_norm(gradients)
    optimizer.grad_scale = ((norm + LEAST) / max_norm).clamp(min=1.0)  # type: ignore[attr-defined]
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return norm


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give every group the learning rate, or its own multiple of it."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group[TIMES]
