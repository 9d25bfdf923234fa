"""The layers of a BERT-like encoder while they are tuned: forwards, backwards, and the gradients of their weights.

``trainer.c`` does the work. Rows of a batch are dealt to workers, one a core; each runs its rows through all layers
without waiting for the others, forwards and backwards. The gradients of the weights are dealt out afterwards, matrix by
matrix, so that they are the same however the workers took turns.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from luthier.models.native.build import library
from luthier.models.native.memory import aligned
from luthier.schema import Float32, Int64

MATRICES = 6
"""Weights of a layer: query, key, value, output, up, down."""
_JOBS = (4, 5, 0, 3)
"""Matrices whose gradients are computed apart, the largest first; query stands for key and value too."""
_PAD, _STEP, _LANES, _GROUP = 32, 32, 16, 256
"""As in ``layers.h``: places are made here that the code fills."""

_pointer = ctypes.c_void_p
_number = ctypes.c_int64


class _Layer(ctypes.Structure):
    _fields_ = [
        ("weight", _pointer * MATRICES), ("bias", _pointer * MATRICES), ("norm", _pointer * 4),
        ("weight_grad", _pointer * MATRICES), ("bias_grad", _pointer * MATRICES),
        ("forward", _pointer * 4), ("backward", _pointer * 4), ("mixed_bias", _pointer),
    ]


class _Model(ctypes.Structure):
    _fields_ = [*((name, _number) for name in ("width", "inner", "heads", "layers")),
                ("epsilon", ctypes.c_float), ("dropout", ctypes.c_float), ("layer", _pointer)]


_KEPT_BF16 = ("x", "mixed", "attended", "hat", "middle", "before", "inner", "last_hat", "d_down", "d_up", "d_output",
              "d_mixed")


class _Kept(ctypes.Structure):
    _fields_ = [(name, _pointer) for name in (*_KEPT_BF16, "scale", "last_scale", "kept", "last_kept", "norm_grad")]


class _Part(ctypes.Structure):
    _fields_ = [*((name, _number) for name in ("rows", "tokens", "longest")), ("lengths", _pointer),
                ("seed", ctypes.c_uint64),
                *((name, _pointer) for name in ("layer", "x", "delta", "copy", "d_attended", "scratch"))]


@dataclass(frozen=True, slots=True)
class LayerWeights:
    """One layer's weights as they are tuned, and where their gradients go: float32 arrays that stay where they are."""

    weights: Sequence[Float32]
    """Six (out, in): query, key, value, output, up, down."""
    biases: Sequence[Float32]
    """Six (out,)."""
    norms: Sequence[Float32]
    """Weight and bias of the first norm, weight and bias of the second, (D,) each."""
    weight_grads: Sequence[Float32]
    bias_grads: Sequence[Float32]


@dataclass(frozen=True, slots=True)
class Shape:
    """What the layers are."""

    heads: int
    epsilon: float


class _Worker:
    """A worker's places, which grow with the batches."""

    def __init__(self, layers: int, width: int, inner: int) -> None:
        self.layers, self.width, self.inner = layers, width, inner
        self.kept = (_Kept * layers)()
        self.part = _Part()
        self.arrays: list[np.ndarray[Any, Any]] = []
        self.norm_grads: list[Float32] = []
        self.tokens = self.longest = 0
        self.lengths: Int64 = np.zeros(0, np.int64)
        self.states: Float32 = np.zeros((0, width), np.float32)

    def take(self, lengths: Int64, seed: int, scratch: Callable[[int], int]) -> None:
        """Make room for rows of these lengths."""
        tokens, longest = int(lengths.sum()), int(lengths.max())
        if tokens > self.tokens or longest > self.longest:
            self._grow(max(tokens, self.tokens), max(longest, self.longest), scratch)
        self.lengths = np.ascontiguousarray(lengths)
        part = self.part
        part.rows, part.tokens, part.longest, part.seed = len(lengths), tokens, longest, seed
        part.lengths = self.lengths.ctypes.data

    @property
    def x(self) -> Float32:
        """Return (N, D), what goes in and what comes out."""
        return self.states[: self.part.tokens]

    def _grow(self, tokens: int, longest: int, scratch: Callable[[int], int]) -> None:
        self.tokens, self.longest = tokens, longest
        self.arrays.clear()
        self.norm_grads.clear()
        width, inner = self.width, self.inner
        columns = {"mixed": 3 * width, "d_mixed": 3 * width, "before": inner, "inner": inner, "d_up": inner}
        for kept in self.kept:
            for name in _KEPT_BF16:
                setattr(kept, name, self._new(tokens, columns.get(name, width), np.uint16))
            for name in ("scale", "last_scale"):
                setattr(kept, name, self._new(tokens, 1, np.float32))
            for name in ("kept", "last_kept"):
                setattr(kept, name, self._new(tokens, width // _LANES, np.uint16))
            kept.norm_grad = self._new(4, width, np.float32)
            self.norm_grads.append(self.arrays[-1][: 4 * width].reshape(4, width))
        part = self.part
        part.layer = ctypes.addressof(self.kept)
        part.x = self._new(tokens, width, np.float32)
        self.states = self.arrays[-1].reshape(-1, width)
        part.delta = self._new(max(longest, _GROUP), width, np.float32)
        part.copy = self._new(tokens, width, np.uint16)
        part.d_attended = self._new(tokens, width, np.uint16)
        part.scratch = self._new(scratch(longest), 1, np.uint8)

    def _new(self, rows: int, columns: int, kind: Any) -> int:
        """Return where a zeroed place lies, with rows to spare for tiles that run over the end."""
        array = aligned((rows + _PAD) * columns, kind)
        array.fill(0)
        self.arrays.append(array)
        return int(array.ctypes.data)


class TunedLayers:
    """The layers of an encoder, ready to be tuned on ``workers`` cores."""

    def __init__(self, layers: Sequence[LayerWeights], shape: Shape, workers: int) -> None:
        """Take the layers' weights; nothing is computed yet.

        Raises:
            ModelError: the code cannot be compiled here.
        """
        self._library = library()
        self._layers = layers
        self._width, self._inner = layers[0].weights[0].shape[1], layers[0].weights[4].shape[0]
        self._arrays: list[np.ndarray[Any, Any]] = []
        self._records = (_Layer * len(layers))(*map(self._record, layers))
        self._model = _Model(self._width, self._inner, shape.heads, len(layers), shape.epsilon, 0.0,
                             ctypes.addressof(self._records))
        self._workers = [_Worker(len(layers), self._width, self._inner) for _ in range(workers)]
        self._busy: list[_Worker] = []
        self._pool = ThreadPoolExecutor(workers, "luthier-tuning")
        self._own = threading.local()

    def close(self) -> None:
        """End the workers."""
        self._pool.shutdown()

    def pack(self) -> None:
        """Take over weights that have moved."""
        self._all(lambda number: self._library.luthier_tuning_pack(self._reference, _number(number)),
                  range(len(self._layers)))

    def forward(self, x: Float32, lengths: Int64, seed: int, *, dropout: float) -> Float32:
        """Return the hidden states (N, D) of N tokens' embeddings (N, D), row after row.

        Args:
            x: (N, D) float32.
            lengths: (B,) int64, tokens of each row; they sum up to N.
            seed: of dropout.
            dropout: rate, 0 when the model only answers.
        """
        self._model.dropout = dropout
        starts = _shares(lengths, len(self._workers))
        self._busy = self._workers[: len(starts) - 1]
        for number, worker in enumerate(self._busy):
            worker.take(lengths[starts[number] : starts[number + 1]], seed + number, self._scratch)
        self._deal(x)
        self._all(lambda worker: self._library.luthier_tuning_forward(self._reference, ctypes.byref(worker.part)),
                  self._busy)
        return np.concatenate([worker.x for worker in self._busy])

    def backward(self, gradient: Float32) -> tuple[Float32, list[Float32]]:
        """Compute the gradients of everything from that of the last hidden states (N, D).

        Those of matrices and biases are written into ``LayerWeights``.

        Returns:
            The gradient of the embeddings (N, D), and for each layer that of its norms (4, D).
        """
        self._deal(gradient)
        self._all(lambda worker: self._library.luthier_tuning_backward(self._reference, ctypes.byref(worker.part)),
                  self._busy)
        # The largest first, so that no worker ends long after the others.
        self._all(self._gradient, [(layer, which) for which in _JOBS for layer in range(len(self._layers))])
        norms = [np.sum([worker.norm_grads[layer] for worker in self._busy], axis=0)
                 for layer in range(len(self._layers))]
        return np.concatenate([worker.x for worker in self._busy]), norms

    @property
    def _reference(self) -> Any:
        return ctypes.byref(self._model)

    def _gradient(self, job: tuple[int, int]) -> None:
        tokens = sum(-(-worker.part.tokens // _STEP) * _STEP for worker in self._busy)
        size = tokens * (3 * self._width + self._inner)
        place = getattr(self._own, "place", None)
        if place is None or len(place) < size:
            place = self._own.place = aligned(size, np.uint16)
        parts = (_pointer * len(self._busy))(*(ctypes.addressof(worker.part) for worker in self._busy))
        self._library.luthier_tuning_gradient(self._reference, _number(len(self._busy)), parts, *map(_number, job),
                                              _pointer(place.ctypes.data))

    def _deal(self, x: Float32) -> None:
        """Give each worker its tokens' part of (N, D)."""
        begin = 0
        for worker in self._busy:
            worker.x[:] = x[begin : begin + worker.part.tokens]
            begin += worker.part.tokens

    def _all(self, work: Callable[[Any], object], jobs: Iterable[Any]) -> None:
        for _ in self._pool.map(work, jobs):
            pass

    def _scratch(self, longest: int) -> int:
        return int(self._library.luthier_tuning_scratch(self._reference, _number(longest)))

    def _record(self, layer: LayerWeights) -> _Layer:
        record, width, inner = _Layer(), self._width, self._inner
        for name, arrays in (("weight", layer.weights), ("bias", layer.biases), ("norm", layer.norms),
                             ("weight_grad", layer.weight_grads), ("bias_grad", layer.bias_grads)):
            place = getattr(record, name)
            for number, array in enumerate(arrays):
                place[number] = array.ctypes.data
        for number, size in enumerate((3 * width**2, width**2, width * inner, width * inner)):
            for packed in (record.forward, record.backward):
                packed[number] = self._new(size, np.uint16)
        record.mixed_bias = self._new(3 * width, np.float32)
        return record

    def _new(self, count: int, kind: Any) -> int:
        self._arrays.append(aligned(count, kind))
        return int(self._arrays[-1].ctypes.data)


def _shares(lengths: Int64, workers: int) -> list[int]:
    """Cut rows into as many runs as there are workers, of about as many tokens each; return where each begins."""
    ends = np.cumsum(lengths)
    wanted = ends[-1] * np.arange(1, workers) / workers
    cuts = np.searchsorted(ends - lengths / 2, wanted)
    return sorted({0, *(int(cut) for cut in cuts), len(lengths)})
