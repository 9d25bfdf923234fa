"""Which layers of a model train: the last ones, with the head, or all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from luthier.errors import ModelError

if TYPE_CHECKING:
    from torch import nn


def layers_of(model: Any) -> Sequence[nn.Module]:
    """Return the layers of a transformers model, first to last: the longest list of modules that it has.

    Raises:
        ModelError: it has none, or one in an encoder and one in a decoder.
    """
    from torch import nn

    if getattr(getattr(model, "config", None), "is_encoder_decoder", False):
        raise ModelError(f"a {type(model).__name__} has two stacks of layers, an encoder and a decoder",
                         "choose another method, such as full or lora")
    stacks = [module for module in model.base_model.modules() if isinstance(module, nn.ModuleList)]
    if not stacks:
        raise ModelError(f"a {type(model).__name__} has no list of layers", "choose another method, such as full")
    return list(max(stacks, key=lambda stack: len(list(stack))))


def freeze_lower_layers(model: Any, layers: int) -> None:
    """Let the head, the last ``layers`` layers and what stands behind them train, and nothing below; in place.

    Raises:
        ModelError: the model has fewer layers.
    """
    stack = layers_of(model)
    if layers > len(stack):
        raise ModelError(f"method.freeze_trainable_layers is {layers}, but this model has {len(stack)} layers",
                         f"set method.freeze_trainable_layers={len(stack)} or less, or take method full")
    model.requires_grad_(True)
    for module in _below(model, len(stack) - layers):
        module.requires_grad_(False)


def frozen_layers(model: Any) -> int:
    """Return how many layers give the same for a text throughout a run: frozen ones above frozen embeddings."""
    try:
        stack = layers_of(model)
    except ModelError:
        return 0
    if any(_trains(module) for module in _below(model, 0)):
        return 0
    return next((number for number, layer in enumerate(stack) if _trains(layer)), len(stack))


def training_mode(model: Any) -> None:
    """Put a model into training mode, all but its frozen layers: nothing is dropped where nothing learns."""
    model.train()
    frozen = frozen_layers(model)
    for module in _below(model, frozen) if frozen else ():
        module.eval()


def _below(model: Any, layers: int) -> list[nn.Module]:
    """Return what comes before so many layers have been computed: what stands before the stack, and those layers."""
    stack, found = layers_of(model), []
    inside = {id(part) for layer in stack for part in layer.modules()}
    for child in model.base_model.children():  # in the order in which they were made, which is that of computing
        parts = list(child.modules())
        found += [part for part in parts if id(part) not in inside and part not in stack and _own(part)]
        if any(part is stack[0] for part in parts):  # what else it holds serves the layers, as relative positions do
            break
    return [*found, *stack[:layers]]


def _own(module: nn.Module) -> bool:
    """Return whether a module has weights itself, not only through its parts; dropout has none but counts."""
    return bool(list(module.parameters(recurse=False))) or not list(module.children())


def _trains(module: nn.Module) -> bool:
    return any(weight.requires_grad for weight in module.parameters())
