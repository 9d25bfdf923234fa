"""The top: the head and the last layers train; those below stay as they are, so what they give is computed once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from luthier import recipe
from luthier.tuning.methods.full import load, merge, save

if TYPE_CHECKING:
    import torch

    from luthier.models.building import Built

__all__ = ["KIND", "LEARNING_RATE", "TITLE", "Settings", "load", "merge", "prepare", "save"]

TITLE = "Top layers"
KIND = "full"
LEARNING_RATE = 2e-4


class Settings(recipe.Settings):
    """How much trains."""

    top_layers: int = Field(2, ge=0)
    """Layers that train, counted from the last; 0 trains the head alone."""


def prepare(built: Built, settings: Settings, seed: int) -> torch.nn.Module:  # noqa: ARG001 - the seam's signature
    """Freeze embeddings and lower layers; a pooler and a head train in any case."""
    from luthier.models.freezing import train_top

    train_top(built.model, settings.top_layers)
    return built.model
