"""What this machine multiplies fast, and a name for it that two machines share only when they are alike."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def multiplies_bf16(device: str) -> tuple[bool, str]:
    """Return whether matrix products in bfloat16 are faster than in float32 there, and why.

    Args:
        device: ``cpu`` or ``cuda``.
    """
    import torch

    if device.partition(":")[0] == "cuda":
        able = torch.cuda.is_bf16_supported(including_emulation=False)
        return able, "this GPU multiplies bf16" if able else "this GPU does not multiply bf16"
    features = torch.cpu.get_capabilities()
    if features.get("amx_bf16"):
        return True, "this CPU multiplies bf16 tiles (AMX)"
    if features.get("avx512_bf16"):
        return True, "this CPU multiplies bf16 (AVX-512)"
    return False, "this CPU does not multiply bf16 (neither AMX nor AVX-512 BF16)"


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processor() -> str:
    """Describe the processor: its model's name and what it can do, as Linux tells it; elsewhere what Python knows."""
    info = Path("/proc/cpuinfo")
    try:
        lines = info.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    told = [line for line in lines if line.startswith(("model name", "flags", "Features", "CPU part"))]
    return "\n".join(dict.fromkeys(told)) or f"{platform.machine()} {platform.processor()}"
