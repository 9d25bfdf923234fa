"""The settings file of an adapter, as the ``peft`` library lays it out. No torch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from luthier.errors import BundleError

WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"
WritingType = Literal["SEQ_2_SEQ_LM", "CAUSAL_LM"]
"""What PEFT calls models that write."""


@dataclass(frozen=True, slots=True)
class Adapter:
    """What a wrapped model carries: enough to write it and to build it again."""

    rank: int
    alpha: float
    dropout: float
    targets: tuple[str, ...]
    """Full dotted names of the linear layers that carry a low-rank product."""
    trained: tuple[str, ...]
    """Modules trained and saved whole, such as the head; PEFT's ``modules_to_save``."""


def read_record(directory: Path) -> Adapter:
    """Read an adapter's settings.

    Raises:
        BundleError: the file is missing or is not what ``peft_config`` made.
    """
    try:
        settings: dict[str, Any] = json.loads((directory / CONFIG).read_text(encoding="utf-8"))
        return Adapter(
            rank=settings["r"],
            alpha=settings["lora_alpha"],
            dropout=settings["lora_dropout"],
            targets=tuple(settings["target_modules"]),
            trained=tuple(settings["modules_to_save"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise damaged(directory, f"{CONFIG} cannot be read ({error!r})") from error


def damaged(directory: Path, what: str) -> BundleError:
    """Build the refusal of an adapter, with what is wrong with it."""
    return BundleError(f"the adapter in {directory} cannot be opened: {what}",
                       "copy the bundle again, or tune it again")


def peft_config(record: Adapter, base_name: str, revision: str | None, *,
                writes: WritingType | None = None) -> dict[str, Any]:
    """Return PEFT's settings; layers are named in full, so that no pattern can match one too many."""
    return {
        "peft_type": "LORA",
        "task_type": writes or ("SEQ_CLS" if record.trained else "FEATURE_EXTRACTION"),
        "base_model_name_or_path": base_name,
        "revision": revision,
        "inference_mode": True,
        "r": record.rank,
        "lora_alpha": record.alpha,
        "lora_dropout": record.dropout,
        "target_modules": list(record.targets),
        "modules_to_save": list(record.trained),
        "bias": "none",
        "fan_in_fan_out": False,
        "init_lora_weights": True,
        "use_rslora": False,
        "use_dora": False,
    }
