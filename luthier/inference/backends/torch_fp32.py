"""PyTorch in float32 with the layers written out: opens without transformers; each core has a batch of its own."""

from __future__ import annotations

from pathlib import Path

from luthier.bundle import EXACT, Manifest
from luthier.inference.backend import Backend
from luthier.inference.backends import _written_out

NAME = "torch-fp32"
PACKAGES = ("torch",)
TOLERANCE = EXACT


def load(directory: Path, manifest: Manifest, *, threads: int | None, device: str | None, offline: bool) -> Backend:
    """Open a bundle in float32; see ``BackendModule.load``."""
    return _written_out.load(NAME, "float32", TOLERANCE, directory, manifest, threads=threads, device=device,
                             offline=offline)
