"""Compiled code for AMX tiles: a batch a core in one call, no torch to import. Falls back to ``torch-bf16``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from luthier.bundle import RESTORE, Manifest
from luthier.errors import BundleError, ModelError
from luthier.inference.backend import Backend
from luthier.inference.backends import _written_out
from luthier.inference.backends._modules import check_threads, open_module, read_config
from luthier.inference.backends._workers import Workers
from luthier.models.architecture import config_of
from luthier.models.hardware import cores
from luthier.models.mapped import MappedWeights
from luthier.models.native import NativeClassifier, impossible, unfit
from luthier.schema import Batch, Float32

NAME = "native"
PACKAGES: tuple[str, ...] = ()
TOLERANCE = 0.15
"""Products are of bf16 numbers, as in ``torch-bf16``: a tuned minilm-l6 moved by up to 0.05 of ``1 + |logit|``."""

_SHARED_TOKENS = 192
"""Tokens for which it is worth waking the other workers: a third of a millisecond of a small encoder."""


@dataclass(eq=False)
class Native:
    """A compiled classifier on the CPU."""

    model: NativeClassifier | None
    workers: Workers = field(repr=False)
    name: str = NAME
    device: str = "cpu"
    reason: str = "compiled here for AMX tiles"
    tolerance: float = TOLERANCE
    max_tokens: int = 2048

    def run(self, batch: Batch) -> Float32:
        """Return the logits of B texts: (B, C) float32; all workers share the batch's rows."""
        if self.workers.count < 2 or len(batch.ids) < 2 or batch.mask.sum() < _SHARED_TOKENS:
            return self._compute(batch)
        parts = np.array_split(np.arange(len(batch.ids)), min(self.workers.count, len(batch.ids)))
        return np.concatenate(list(self.run_all([_rows(batch, part) for part in parts])))

    def run_all(self, batches: Iterable[Batch]) -> Iterator[Float32]:
        """Yield the logits of each batch, in order; each worker has a batch of its own."""
        return self.workers.map(self._alone, self._compute, batches)

    def close(self) -> None:
        """Let go of the weights and the threads."""
        self.model = None
        self.workers.close()

    def _alone(self, batch: Batch) -> Float32:
        return self.run(batch) if len(batch.ids) > 1 else self._compute(batch)

    def _compute(self, batch: Batch) -> Float32:
        if self.model is None:
            raise RuntimeError("this backend was closed")  # the caller's own fault, not a user's
        return self.model(batch)


def load(directory: Path, manifest: Manifest, *, threads: int | None, device: str | None, offline: bool) -> Backend:
    """Open a bundle; see ``BackendModule.load``. What is no match runs as in ``torch-bf16``, and the reason says so."""
    check_threads(threads)
    why = impossible() if device in (None, "cpu") else "it runs on the CPU only"
    if why is None:
        config, weights = _opened(directory, manifest, offline)
        why = unfit(config) if weights else "its weights lie in several files"
        if why is None and weights is not None:
            return Native(_made(directory, config, weights), Workers(threads or cores()))
    opened: Any = _written_out.load(NAME, "bfloat16", TOLERANCE, directory, manifest, threads=threads, device=device,
                                    offline=offline)
    opened.reason = f"{opened.reason}; by torch-bf16: {why}"
    return opened  # type: ignore[no-any-return]


def _opened(
    directory: Path, manifest: Manifest, offline: bool
) -> tuple[dict[str, Any], Callable[[str], Float32] | None]:
    """Return the configuration and what gives weights by name, an adapter merged into its base."""
    if manifest.kind == "adapter":
        from luthier.models.lora import merge

        module = merge(open_module(directory, manifest, offline=offline))
        config = config_of(module)
        merged = module.state_dict()
        return config, lambda name: np.asarray(merged[name].numpy(), dtype=np.float32)
    config = read_config(directory)
    file = directory / "model.safetensors"
    return config, MappedWeights(file) if file.is_file() else None


def _made(directory: Path, config: dict[str, Any], weights: Callable[[str], Float32]) -> NativeClassifier:
    try:
        return NativeClassifier(config, weights)
    except KeyError as error:
        raise BundleError(f"the weights of the bundle at {directory} lack the tensor {error}", RESTORE) from error
    except ValueError as error:
        raise ModelError(f"the weights of the bundle at {directory} are not of the shapes that its config.json tells: "
                         f"{error}", RESTORE) from error


def _rows(batch: Batch, rows: np.ndarray[Any, Any]) -> Batch:
    return Batch(batch.ids[rows], batch.mask[rows], None if batch.type_ids is None else batch.type_ids[rows],
                 batch.truncated[rows])
