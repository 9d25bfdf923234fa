"""Folding the unit of a number into the head that gives it, so that whoever runs the model gets the caller's unit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.errors import ModelError
from luthier.schema import Scale

if TYPE_CHECKING:
    import torch


def output_layer(model: torch.nn.Module) -> torch.nn.Linear:
    """Return the last linear layer of a model with one output.

    Raises:
        ModelError: it has none with a bias, which the mean goes into; decoders do not.
    """
    from torch import nn

    encoder = str(getattr(model, "base_model_prefix", "")) + "."
    found = [module for name, module in model.named_modules()
             if isinstance(module, nn.Linear) and module.out_features == 1 and not name.startswith(encoder)]
    if not found or found[-1].bias is None:
        raise ModelError("the head of this model has no bias, so it cannot give numbers in their own unit",
                         "tune an encoder, such as minilm-l6 or e5-small, to learn numbers")
    return found[-1]


def name_of(model: torch.nn.Module, layer: torch.nn.Module) -> str:
    """Return the name of a layer of the model."""
    found: str = next(name for name, module in model.named_modules() if module is layer)
    return found


def to_natural(model: torch.nn.Module, scale: Scale) -> None:
    """Make a model that gives deviations from the mean give numbers in the caller's unit; its weights change."""
    layer = output_layer(model)
    _set(layer.weight, layer.weight.double() * scale.deviation)
    _set(layer.bias, layer.bias.double() * scale.deviation + scale.mean)


def to_standard(model: torch.nn.Module, scale: Scale) -> None:
    """Undo ``to_natural``, for a model that gives numbers already and shall be tuned on."""
    layer = output_layer(model)
    _set(layer.weight, layer.weight.double() / scale.deviation)
    _set(layer.bias, (layer.bias.double() - scale.mean) / scale.deviation)


def _set(parameter: Any, value: torch.Tensor) -> None:
    import torch

    with torch.no_grad():
        parameter.copy_(value.to(parameter.dtype))
