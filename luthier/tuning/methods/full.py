"""Full tuning: every weight of the model trains, and the whole model is saved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from luthier import recipe

if TYPE_CHECKING:
    import torch

    from luthier.models.building import Built
    from luthier.models.files import ModelFiles

TITLE = "Full tuning"
KIND = "full"
LEARNING_RATE = 1e-4
"""For small encoders. Provisional: one seed, one model, 640 rows; 1e-4 and 2e-4 were within noise of each other."""


class Settings(recipe.Settings):
    """Full tuning has no settings of its own."""


def prepare(built: Built, settings: Settings, seed: int) -> torch.nn.Module:  # noqa: ARG001 - the seam's signature
    """Let every weight train."""
    return built.model.requires_grad_(True)


def save(model: torch.nn.Module, directory: Path, *, base: ModelFiles) -> None:  # noqa: ARG001 - the seam's signature
    """Write ``config.json`` and ``model.safetensors``, float32, as transformers lays them out."""
    from luthier.models.building import quiet

    with quiet():
        model.save_pretrained(directory)  # type: ignore[operator]  # nn.Module types every attribute as Tensor | Module


def load(directory: Path, *, base_directory: Path | None = None) -> torch.nn.Module:  # noqa: ARG001 - the seam's signature
    """Open what ``save`` wrote, in eval mode; logits are equal to the bit to those of the saved model."""
    from luthier.models.building import load_classifier

    return load_classifier(directory)


def merge(model: torch.nn.Module) -> torch.nn.Module:
    """Return the model: there is nothing to merge."""
    return model
