"""ONNX Runtime in float32 on the CPU."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from luthier.bundle import EXACT, Manifest
from luthier.inference.backends import _onnx
from luthier.inference.backends._modules import check_threads
from luthier.inference.backends._workers import Workers
from luthier.models.hardware import cores
from luthier.plugins import require
from luthier.schema import Batch, Float32

NAME = "onnxruntime"
PACKAGES = ("onnx", "onnxruntime", "torch", "transformers")
TOLERANCE = EXACT


@dataclass(eq=False)
class OnnxRuntime:
    """A graph with a session for one batch at a time and one for a batch a core."""

    graph: Path | None
    threads: int
    pair: bool
    workers: Workers = field(repr=False)
    name: str = NAME
    device: str = "cpu"
    reason: str = "ONNX Runtime runs on the CPU here"
    tolerance: float = TOLERANCE
    max_tokens: int = 2048

    def run(self, batch: Batch) -> Float32:
        """Return the logits of B texts: (B, C) float32; all threads share the batch."""
        return self._compute(self._shared, batch)

    def run_all(self, batches: Iterable[Batch]) -> Iterator[Float32]:
        """Yield the logits of each batch, in order; each worker has a batch of its own."""
        return self.workers.map(self.run, lambda batch: self._compute(self._single, batch), batches)

    def close(self) -> None:
        """Let go of the weights and the threads."""
        self.graph = None
        self.__dict__.pop("_shared", None)
        self.__dict__.pop("_single", None)
        self.workers.close()

    @cached_property
    def _shared(self) -> Any:
        return self._session(self.threads)

    @cached_property
    def _single(self) -> Any:
        return self._session(1)

    def _session(self, threads: int) -> Any:
        import onnxruntime

        if self.graph is None:
            raise RuntimeError("this backend was closed")  # the caller's own fault, not a user's
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        return onnxruntime.InferenceSession(str(self.graph), options, providers=["CPUExecutionProvider"])

    def _compute(self, session: Any, batch: Batch) -> Float32:
        return np.asarray(session.run(["logits"], _onnx.inputs(batch, pair=self.pair))[0], dtype=np.float32)


def load(directory: Path, manifest: Manifest, *, threads: int | None, device: str | None, offline: bool) -> OnnxRuntime:
    """Open a bundle's graph; see ``BackendModule.load``."""
    require(*PACKAGES)
    check_threads(threads)
    _onnx.check_cpu(NAME, device)
    graph = _onnx.exported(directory, manifest, offline=offline)
    count = threads or cores()
    return OnnxRuntime(graph, count, _onnx.takes_types(directory, manifest), Workers(count))
