"""Freeze tuning: the head and the last layers train; those below stay as they are, and what they give is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from luthier import recipe
from luthier.tuning.methods.full import load, merge, save

if TYPE_CHECKING:
    import torch

    from luthier.models.building import Built

__all__ = ["KIND", "LEARNING_RATE", "TITLE", "Settings", "load", "merge", "prepare", "save"]

TITLE = "Freeze tuning"
KIND = "full"
LEARNING_RATE = 5e-4
"""Provisional: one seed, two models; 5e-4 and 1e-3 were within noise of each other (docs/log.md)."""


class Settings(recipe.Settings):
    """How much trains; the name is LLaMA-Factory's."""

    freeze_trainable_layers: int = Field(2, ge=0)
    """Layers that train, counted from the last; 0 trains the head alone."""


def prepare(built: Built, settings: Settings, seed: int) -> torch.nn.Module:  # noqa: ARG001 - the seam's signature
    """Freeze embeddings and lower layers; a pooler and a head train in any case."""
    from luthier.models.freezing import freeze_lower_layers

    freeze_lower_layers(built.model, settings.freeze_trainable_layers)
    return built.model
