"""What this machine multiplies fast, and a name for it that two machines share only when they are alike."""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from functools import cache
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_UNKNOWN_MEMORY = 8 * 2**30
"""Bytes, where the system does not tell: a small machine of today."""


def multiplies_bf16(device: str) -> tuple[bool, str]:
    """Return whether matrix products in bfloat16 are faster than in float32 there, and why.

    Args:
        device: ``cpu`` or ``cuda``.
    """
    if device.partition(":")[0] == "cuda":
        import torch

        able = torch.cuda.is_bf16_supported(including_emulation=False)
        return able, "this GPU multiplies bf16" if able else "this GPU does not multiply bf16"
    features = processor_features()
    if "amx_bf16" in features:
        return True, "this CPU multiplies bf16 tiles (AMX)"
    if "avx512_bf16" in features:
        return True, "this CPU multiplies bf16 (AVX-512)"
    return False, "this CPU does not multiply bf16 (neither AMX nor AVX-512 BF16)"


def has_gpu() -> bool:
    """Return whether torch sees a CUDA device, without importing torch where there can be none."""
    devices = ("/dev/nvidiactl", "/dev/nvhost-gpu", "/dev/dxg", "/dev/kfd")  # driver, Jetson, WSL, ROCm
    if platform.system() == "Linux" and not any(Path(device).exists() for device in devices):
        return False
    import torch

    return torch.cuda.is_available()


@cache
def processor_features() -> frozenset[str]:
    """Return what the processor can do, in the words of Linux, such as ``avx512_bf16``."""
    found = {word for line in _cpuinfo() if line.startswith("flags") for word in line.partition(":")[2].split()}
    if found or platform.system() == "Linux":
        return frozenset(found)
    import torch

    return frozenset(name for name, able in torch.cpu.get_capabilities().items() if able is True)


def cores() -> int:
    """Return how many cores this process may use: those it is bound to, or fewer where a container has a quota."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(bound, _quota() or bound)


def _quota() -> int | None:
    """Return the cores' worth of time that a control group grants, rounded up; ``None`` where there is no limit."""
    with suppress(OSError, ValueError):  # version 2: "200000 100000", or "max 100000"
        granted, period = map(int, (_CGROUPS / "cpu.max").read_text(encoding="ascii").split())
        return -(-granted // period)
    with suppress(OSError, ValueError):  # version 1: -1 for no limit
        granted, period = (int((_CGROUPS / f"cpu/cpu.cfs_{name}_us").read_text(encoding="ascii"))
                           for name in ("quota", "period"))
        return -(-granted // period) if granted > 0 else None
    return None


@cache
def memory(device: str) -> int:
    """Return the bytes of memory that this process may fill: a GPU's, or the machine's, or less where it is confined.

    Args:
        device: ``cpu`` or ``cuda``.
    """
    if device.partition(":")[0] == "cuda":
        import torch

        return int(torch.cuda.get_device_properties(device).total_memory)
    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")] if hasattr(os, "sysconf") else []
    for limit in ("memory.max", "memory/memory.limit_in_bytes"):  # control groups, version 2 and 1
        with suppress(OSError, ValueError):  # version 2 says "max" where there is none
            found.append(int((_CGROUPS / limit).read_text(encoding="ascii")))
    return min(found, default=_UNKNOWN_MEMORY)


def processor() -> str:
    """Describe the processor: its model's name and what it can do, as Linux tells it; elsewhere what Python knows."""
    told = [line for line in _cpuinfo() if line.startswith(("model name", "flags", "Features", "CPU part"))]
    return "\n".join(dict.fromkeys(told)) or f"{platform.machine()} {platform.processor()}"


def _cpuinfo() -> list[str]:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
