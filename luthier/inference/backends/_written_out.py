"""Backends on ``models.forward``: the layers written out, workers with a batch each, in one number format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from luthier.bundle import RESTORE, Manifest
from luthier.errors import BundleError
from luthier.inference.backend import Backend
from luthier.inference.backends._modules import choose_device, open_module, read_config, use_threads
from luthier.inference.backends._workers import Workers
from luthier.inference.backends.torch import from_model
from luthier.models.architecture import config_of, unsupported
from luthier.models.forward import Forward
from luthier.plugins import require
from luthier.schema import Batch, Float32

if TYPE_CHECKING:
    import torch

MAX_TOKENS = 2048
"""Padded tokens of a batch: minilm-l6 gave 1,700 texts/s at 900 tokens and at 1,800, 1,240 at 230."""


@dataclass(eq=False)
class WrittenOut:
    """A written-out model on the CPU."""

    forward: Forward | None
    name: str
    reason: str
    tolerance: float
    workers: Workers = field(repr=False)
    device: str = "cpu"
    max_tokens: int = MAX_TOKENS

    def run(self, batch: Batch) -> Float32:
        """Return the logits of B texts: (B, C) float32; all threads share the batch."""
        if self.forward is None:
            raise RuntimeError("this backend was closed")  # the caller's own fault, not a user's
        return np.asarray(self.forward(batch).numpy(), dtype=np.float32)

    def run_all(self, batches: Iterable[Batch]) -> Iterator[Float32]:
        """Yield the logits of each batch, in order; each worker has a batch of its own."""
        return self.workers.map(self.run, self.run, batches)

    def close(self) -> None:
        """Let go of the weights and the threads."""
        self.forward = None
        self.workers.close()


def load(
    name: str, dtype: str, tolerance: float, directory: Path, manifest: Manifest, *, threads: int | None,
    device: str | None, offline: bool,
) -> Backend:
    """Open a bundle in a number format; what is not written out runs through transformers in that format.

    Args:
        name: of the backend.
        dtype: ``float32`` or ``bfloat16``.
        tolerance: see ``Backend.tolerance``.
        directory, manifest, threads, device, offline: see ``BackendModule.load``.
    """
    require("torch")
    import torch

    use_threads(threads)
    kind: torch.dtype = getattr(torch, dtype)
    where, reason = choose_device(device)
    why = "only a CPU gains from it" if where != "cpu" else None
    if why is None:
        forward, why = _forward(directory, manifest, kind, offline=offline)
        if forward is not None:
            shared = torch.get_num_threads()
            workers = Workers(shared, _one_thread, lambda: torch.set_num_threads(shared))
            return WrittenOut(forward, name, reason, tolerance, workers)
    module = open_module(directory, manifest, offline=offline)
    if manifest.kind == "adapter":  # before it is rounded: most of a small change would be lost
        from luthier.models.lora import merge

        module = merge(module)
    opened = from_model(module.to(kind), device=where, reason=f"{reason}; through transformers: {why}")
    return replace(opened, name=name, tolerance=tolerance)


def _forward(
    directory: Path, manifest: Manifest, dtype: torch.dtype, *, offline: bool
) -> tuple[Forward | None, str | None]:
    """Return the written-out model, or why there is none."""
    if manifest.kind == "adapter":
        from luthier.models.lora import merge

        module = merge(open_module(directory, manifest, offline=offline))
        config, weights = config_of(module), module.state_dict()
        why = unsupported(config)
        return (Forward.of(config, weights, dtype), None) if why is None else (None, why)
    config = read_config(directory)
    file = directory / "model.safetensors"
    why = unsupported(config) if file.is_file() else "its weights lie in several files"
    if why is not None:
        return None, why
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="pt") as stored:
            weights = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118  # not a dict
    except SafetensorError as error:
        raise BundleError(f"cannot open the weights of the bundle at {directory}: {error}", RESTORE) from error
    return Forward.of(config, weights, dtype), None


def _one_thread() -> None:
    """Give this thread, and no other, one OpenMP thread.

    A thread takes over the number that was set last anywhere when it first asks for it: so it asks at once, before the
    caller sets its own again. Teams of two in each worker make every operation of the process three times slower.
    """
    import torch

    torch.set_num_threads(1)
    torch.get_num_threads()
