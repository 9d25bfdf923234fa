"""LoRA: the pretrained weights stay as they are; low-rank products beside them and the new head train and are saved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from luthier import recipe
from luthier.errors import ModelError

if TYPE_CHECKING:
    import torch

    from luthier.models.building import Built
    from luthier.models.files import ModelFiles

TITLE = "LoRA"
KIND = "adapter"
LEARNING_RATE = 5e-4


class Settings(recipe.Settings):
    """Size and place of the low-rank products."""

    lora_rank: int = Field(16, ge=1)
    """Inner width of each product; more can learn more."""
    lora_alpha: float = Field(32.0, gt=0)
    """Each product is scaled by ``lora_alpha / lora_rank``."""
    lora_dropout: float = Field(0.0, ge=0, lt=1)
    """Dropout on the input of each product."""
    target_modules: Literal["all-linear"] | tuple[str, ...] = "all-linear"
    """Linear layers that get a product, by the end of their names, such as ``[query, value]``."""


def prepare(built: Built, settings: Settings, seed: int) -> torch.nn.Module:
    """Freeze the model, put the products in and let what has no pretrained weights train whole."""
    from luthier.models import lora

    return lora.wrap(
        built.model,
        rank=settings.lora_rank,
        alpha=settings.lora_alpha,
        dropout=settings.lora_dropout,
        targets=settings.target_modules,
        trained=_trained(built),
        seed=seed,
    )


def save(model: torch.nn.Module, directory: Path, *, base: ModelFiles) -> None:
    """Write ``adapter_model.safetensors``, ``adapter_config.json`` and ``config.json`` as PEFT lays them out."""
    from luthier.models import lora

    # A directory's path means nothing on another machine; its last part at least says which model to look for.
    on_hub = base.source == "hub"
    name = Path(base.name).name if base.source == "directory" else base.name
    lora.save_adapter(model, directory, base_name=name, revision=base.revision if on_hub else None)


def load(directory: Path, *, base_directory: Path | None = None) -> torch.nn.Module:
    """Open what ``save`` wrote on its base, in eval mode, not merged; logits are equal to the bit.

    Raises:
        ModelError: no base directory is given.
    """
    from luthier.models import lora

    if base_directory is None:
        raise ModelError(f"the adapter in {directory} needs its base model",
                         "give base_directory, as luthier.models.sources.resolve(name).path finds it")
    return lora.load_adapter(directory, base_directory)


def merge(model: torch.nn.Module) -> torch.nn.Module:
    """Fold the products into the weights, in place; logits agree to about 1e-5."""
    from luthier.models import lora

    return lora.merge(model)


def _trained(built: Built) -> tuple[str, ...]:
    """Return the new modules and the head, which trains even when the checkpoint came with one for the same labels.

    An encoder alone has none, and neither has what writes texts.
    """
    if built.model.base_model is built.model or built.model.get_output_embeddings() is not None:  # type: ignore[operator]  # typed as Tensor | Module
        return built.new_modules
    encoder = str(getattr(built.model, "base_model_prefix", ""))
    children = [(name, any(True for _ in module.parameters())) for name, module in built.model.named_children()]
    heads = [name for name, has_weights in children if name != encoder and has_weights]
    inner = [name for name in built.new_modules if name.partition(".")[0] not in heads]
    return (*inner, *heads)
