"""Which device and number format a run uses, and why."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Literal

from luthier.errors import TuningError
from luthier.models.hardware import multiplies_bf16
from luthier.schema import Decision


def choose_device() -> Decision:
    """Take the GPU when torch sees one, the CPU otherwise."""
    import torch

    if torch.cuda.is_available():
        return Decision("cuda", f"torch sees {torch.cuda.get_device_name()}")
    return Decision("cpu", "torch sees no GPU")


def choose_precision(setting: Literal["auto", "fp32", "bf16"], device: str = "cpu") -> Decision:
    """Decide between float32 and bfloat16 autocast for the matrix products; weights stay float32 either way.

    Raises:
        TuningError: bf16 was asked for on a GPU that cannot do it.
    """
    able, why = multiplies_bf16(device)
    if setting == "auto":
        return Decision("bf16" if able else "fp32", why)
    if setting == "bf16" and not able:
        if device == "cuda":
            raise TuningError(f"train.precision is bf16, but {why}", "set train.precision to auto or fp32")
        return Decision("bf16", f"train.precision asks for it; slow here, {why}")
    return Decision(setting, "train.precision asks for it")


def autocast(device: str, precision: str) -> AbstractContextManager[object]:
    """Return the context in which forward passes run."""
    import torch

    return torch.autocast(device, dtype=torch.bfloat16) if precision == "bf16" else nullcontext()

