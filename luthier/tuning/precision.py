"""Which device and number format a run uses, and why."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Literal

from luthier.errors import TuningError
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
    able, why = _bf16(device)
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


def _bf16(device: str) -> tuple[bool, str]:
    import torch

    if device == "cuda":
        able = torch.cuda.is_bf16_supported(including_emulation=False)
        return able, "this GPU multiplies bf16" if able else "this GPU does not multiply bf16"
    features = torch.cpu.get_capabilities()
    if features.get("amx_bf16"):
        return True, "this CPU multiplies bf16 tiles (AMX)"
    if features.get("avx512_bf16"):
        return True, "this CPU multiplies bf16 (AVX-512)"
    return False, "this CPU does not multiply bf16 (neither AMX nor AVX-512 BF16)"
