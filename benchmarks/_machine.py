"""What a published number depends on: machine, versions, memory."""

from __future__ import annotations

import os
import platform
import resource
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import luthier
from luthier.models.hardware import cores, has_gpu

LIBRARIES = ("torch", "transformers", "accelerate", "tokenizers", "numpy")


def machine() -> str:
    """Describe processor, cores and memory in one line."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{_processor()}, {cores()} cores, {memory:.0f} GiB of memory, {platform.system()}{_gpu()}"


def versions() -> dict[str, str]:
    """Return library -> version, Python and Luthier first."""
    found = {"Python": platform.python_version(), "luthier": luthier.__version__}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def heading(threads: int) -> str:
    """Return the line that stands above figures: machine, threads, versions."""
    told = ", ".join(f"{name} {number}" for name, number in versions().items())
    return f"{machine()}; {threads} threads; {told}"


def peak_memory_mib() -> float:
    """Return the largest resident memory this process has had, in MiB.

    Linux's ``ru_maxrss`` also counts the parent's memory from before ``exec``; ``VmHWM`` does not.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 1024)


def _gpu() -> str:
    if not has_gpu():
        return ""
    import torch

    return f"; {torch.cuda.get_device_name()}"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text(encoding="utf-8", errors="replace").splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        flags = next((line.split() for line in lines if line.startswith("flags")), [])
        extra = [label for flag, label in (("avx512f", "AVX-512"), ("amx_bf16", "AMX bf16")) if flag in flags]
        if names:
            return " with ".join(filter(None, [names[0], " and ".join(extra)]))
    return platform.processor() or platform.machine()
