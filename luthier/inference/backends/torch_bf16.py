"""PyTorch in bfloat16: the fastest where the processor multiplies bf16 tiles, on a quarter of the memory traffic."""

from __future__ import annotations

from pathlib import Path

from luthier.bundle import Manifest
from luthier.inference.backend import Backend
from luthier.inference.backends import _written_out

NAME = "torch-bf16"
PACKAGES = ("torch",)
TOLERANCE = 0.15
"""bf16 keeps 8 bits of a number: over 1,821 sentences a tuned minilm-l6 moved by up to 0.05 of ``1 + |logit|``, and 3
labels changed (docs/performance.md)."""


def load(directory: Path, manifest: Manifest, *, threads: int | None, device: str | None, offline: bool) -> Backend:
    """Open a bundle in bfloat16; see ``BackendModule.load``."""
    return _written_out.load(NAME, "bfloat16", TOLERANCE, directory, manifest, threads=threads, device=device,
                             offline=offline)
