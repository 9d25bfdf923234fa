"""OpenVINO on the CPU: in bfloat16 where the processor multiplies it, else in float32."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np

from luthier.bundle import EXACT, Manifest
from luthier.inference.backends import _onnx
from luthier.inference.backends._modules import check_threads
from luthier.models.hardware import cores, multiplies_bf16
from luthier.plugins import require
from luthier.schema import Batch, Float32

NAME = "openvino"
PACKAGES = ("onnx", "openvino", "torch", "transformers")
TOLERANCE = 0.25
"""In bfloat16, attention and head included: up to 0.1 of ``1 + |logit|`` where ``torch-bf16`` moves by 0.05."""


@dataclass(eq=False)
class OpenVino:
    """A graph compiled twice: for one batch on all cores, and for a batch a core."""

    graph: Path | None
    threads: int
    pair: bool
    precision: str
    reason: str
    tolerance: float
    name: str = NAME
    device: str = "cpu"
    max_tokens: int = 2048

    def run(self, batch: Batch) -> Float32:
        """Return the logits of B texts: (B, C) float32; all threads share the batch."""
        self._latency.infer(_onnx.inputs(batch, pair=self.pair), share_inputs=True)
        return self._logits(self._latency)

    def run_all(self, batches: Iterable[Batch]) -> Iterator[Float32]:
        """Yield the logits of each batch, in order; each stream has a batch of its own."""
        source = iter(batches)
        first = list(islice(source, 2))
        if len(first) < 2 or self.threads < 2:
            yield from map(self.run, chain(first, source))
            return
        waiting: deque[Any] = deque()
        idle = [self._streams.create_infer_request() for _ in range(self.threads)]
        for batch in chain(first, source):
            request = idle.pop()
            # Inputs are copied: the batch may be gone before the request ends.
            request.start_async(_onnx.inputs(batch, pair=self.pair))
            waiting.append(request)
            if not idle:
                idle.append(done := waiting.popleft())
                yield self._wait(done)
        while waiting:
            yield self._wait(waiting.popleft())

    def close(self) -> None:
        """Let go of the weights."""
        self.graph = None
        self.__dict__.pop("_latency", None)
        self.__dict__.pop("_streams", None)

    @cached_property
    def _latency(self) -> Any:
        return self._compiled(1).create_infer_request()

    @cached_property
    def _streams(self) -> Any:
        return self._compiled(self.threads)

    def _compiled(self, streams: int) -> Any:
        import openvino

        if self.graph is None:
            raise RuntimeError("this backend was closed")  # the caller's own fault, not a user's
        return openvino.Core().compile_model(str(self.graph), "CPU", {
            "INFERENCE_PRECISION_HINT": self.precision, "NUM_STREAMS": streams,
            "INFERENCE_NUM_THREADS": self.threads})

    def _wait(self, request: Any) -> Float32:
        request.wait()
        return self._logits(request)

    def _logits(self, request: Any) -> Float32:
        return np.array(request.get_output_tensor(0).data, dtype=np.float32)


def load(directory: Path, manifest: Manifest, *, threads: int | None, device: str | None, offline: bool) -> OpenVino:
    """Open a bundle's graph; see ``BackendModule.load``."""
    require(*PACKAGES)
    check_threads(threads)
    _onnx.check_cpu(NAME, device)
    graph = _onnx.exported(directory, manifest, offline=offline)
    able, why = multiplies_bf16("cpu")
    return OpenVino(graph, threads or cores(), _onnx.takes_types(directory, manifest), "bf16" if able else "f32",
                    f"OpenVINO runs on the CPU here, in {'bf16' if able else 'fp32'}: {why}",
                    TOLERANCE if able else EXACT)
