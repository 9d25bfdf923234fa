"""A BERT-like encoder while it is tuned: forwards, backwards, and the gradients of its weights.

``trainer.c`` does the work. Rows of a batch are dealt to workers, one a core; each runs its rows through all layers
without waiting for the others, forwards and backwards. The gradients of the weights are dealt out afterwards, matrix by
matrix, so that they are the same however the workers took turns.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from luthier.models.native.adamw import Packing, Weight, pack
from luthier.models.native.build import library
from luthier.models.native.memory import ALIGNMENT, together
from luthier.models.threads import in_threads
from luthier.schema import Float32, Int64

MATRICES = 6
"""Weights of a layer: query, key, value, output, up, down."""
_PRODUCTS = 4
"""As these weights are multiplied: query, key and value as one, output, up, down."""
_JOBS = (2, 3, 0, 1)
"""Products whose gradients are computed apart, the largest first."""
_PAD, _LANES = 32, 16
"""As in ``numbers.h``: places are made here that the code fills."""

_pointer = ctypes.c_void_p
_number = ctypes.c_int64


class _Layer(ctypes.Structure):
    _fields_ = [
        ("weight", _pointer * MATRICES), ("bias", _pointer * MATRICES), ("norm", _pointer * 4),
        ("weight_grad", _pointer * MATRICES), ("bias_grad", _pointer * MATRICES),
        ("forward", _pointer * _PRODUCTS), ("backward", _pointer * _PRODUCTS), ("mixed_bias", _pointer),
    ]


class _Model(ctypes.Structure):
    _fields_ = [*((name, _number) for name in ("width", "inner", "heads", "layers", "only_first")),
                ("epsilon", ctypes.c_float), ("dropout", ctypes.c_float), ("layer", _pointer),
                *((name, _pointer) for name in ("words", "positions", "types")), ("norm", _pointer * 2),
                *((name, _pointer) for name in ("words_grad", "positions_grad", "types_grad"))]


class _Kept(ctypes.Structure):
    _fields_ = [*((name, _pointer) for name in ("mixed", "hat", "slope", "last_hat")),
                ("right", _pointer * _PRODUCTS), ("left", _pointer * _PRODUCTS),
                *((name, _pointer) for name in ("scale", "last_scale", "kept", "last_kept", "norm_grad", "bias_grad"))]


class _Part(ctypes.Structure):
    _fields_ = [*((name, _number) for name in ("rows", "tokens", "longest")),
                *((name, _pointer) for name in ("lengths", "ids", "types")), ("seed", ctypes.c_uint64),
                *((name, _pointer) for name in ("layer", "x", "first", "copy", "attended", "scratch"))]


class _Touched(ctypes.Structure):
    _fields_ = [*((name, _number) for name in ("words", "positions", "types")), ("word", _pointer)]


class _Job(ctypes.Structure):
    _fields_ = [("layer", _number), ("product", _number), ("squares", ctypes.c_double)]


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
    """At multiples of 64 bytes."""
    bias_grads: Sequence[Float32]


@dataclass(frozen=True, slots=True)
class EmbeddingWeights:
    """The tables of embeddings and their norm, and where their gradients go; positions from a text's first on."""

    tables: Sequence[Float32]
    """Words, positions and types, (rows, D) each."""
    norm: Sequence[Float32]
    """Weight and bias, (D,) each."""
    table_grads: Sequence[Float32]


@dataclass(frozen=True, slots=True)
class Shape:
    """What the layers are."""

    heads: int
    epsilon: float
    only_first: bool = False
    """Whether nothing but the first token of each row is read behind the last layer."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of real tokens, one after the other."""

    lengths: Int64
    """(B,) tokens of each row; they sum up to N."""
    ids: Int64 | None = None
    """(N,) rows of the word table; ``None`` when embeddings are given."""
    types: Int64 | None = None
    """(N,), or ``None`` where all are 0."""


@dataclass(frozen=True, slots=True)
class Gradients:
    """What does not lie where ``LayerWeights`` and ``EmbeddingWeights`` say."""

    norms: Sequence[Float32]
    """(4, D) for each layer."""
    squares: float
    """Of all gradients of matrices, biases and tables, as they stand now."""
    embeddings: Float32 | None
    """(N, D), when embeddings were given."""
    embedding_norm: Float32 | None
    """(2, D), when ids were given."""


class _Worker:
    """A worker's places, which grow with the batches."""

    def __init__(self, layers: int, width: int, inner: int) -> None:
        self.layers, self.width, self.inner = layers, width, inner
        self.kept = (_Kept * (layers + 1))()
        self.part = _Part()
        self.arrays: list[np.ndarray[Any, Any]] = []
        self.norm_grads: list[Float32] = []
        self.room = self.longest = self.begin = 0
        """Tokens there is room for, the longest row, and the first token of the batch that is this worker's."""
        self.lengths: Int64 = np.zeros(0, np.int64)

    def take(self, begin: int, lengths: Int64, seed: int, measure: Callable[[Int64], int],
             scratch: Callable[[int], int]) -> None:
        """Make room for rows of these lengths, whose tokens begin at ``begin``."""
        self.lengths, self.begin = np.ascontiguousarray(lengths), begin
        tokens, longest = measure(self.lengths), int(lengths.max())
        if tokens > self.room or longest > self.longest:
            self._grow(max(tokens, self.room), max(longest, self.longest), scratch)
        part = self.part
        part.rows, part.tokens, part.longest, part.seed = len(lengths), tokens, longest, seed
        part.lengths = self.lengths.ctypes.data

    def _grow(self, tokens: int, longest: int, scratch: Callable[[int], int]) -> None:
        """Make all places anew, each with rows to spare for tiles that run over the end."""
        self.room, self.longest = tokens, longest
        width, rows = self.width, tokens + _PAD
        wanted = [self._of_layer(rows) for _ in range(self.layers)]
        wanted.append({name: self._of_layer(rows)[name] for name in ("hat", "scale", "kept", "norm_grad")})
        own = {"x": (rows * width, np.float32), "first": (rows * width, np.float32), "copy": (rows * width, np.uint16),
               "attended": (rows * width, np.uint16), "scratch": (scratch(longest), np.uint8)}
        self.arrays = []  # let go of the old ones first
        self.arrays = together([place for record in (*wanted, own) for place in record.values()])
        left = iter(self.arrays)
        self.norm_grads = []
        for kept, names in zip(self.kept, wanted, strict=True):
            for name in names:
                array = next(left)
                side, _, number = name.partition(" ")
                if number:
                    getattr(kept, side)[int(number)] = array.ctypes.data
                else:
                    setattr(kept, name, array.ctypes.data)
                if name == "norm_grad":
                    self.norm_grads.append(array.reshape(4, width))
        for name in own:
            setattr(self.part, name, next(left).ctypes.data)
        self.part.layer = ctypes.addressof(self.kept)

    def _of_layer(self, rows: int) -> dict[str, tuple[int, Any]]:
        """Return how many numbers a layer's places hold, and of what kind; sides by name and number."""
        width, inner = self.width, self.inner
        products = ((3 * width, width), (width, width), (inner, width), (width, inner))
        found = {"mixed": 3 * width, "hat": width, "slope": inner, "last_hat": width,
                 "kept": width // _LANES, "last_kept": width // _LANES,
                 **{f"left {number}": outputs for number, (outputs, _) in enumerate(products)},
                 **{f"right {number}": inputs for number, (_, inputs) in enumerate(products)}}
        return {**{name: (rows * columns, np.uint16) for name, columns in found.items()},
                "scale": (rows, np.float32), "last_scale": (rows, np.float32), "norm_grad": (4 * width, np.float32),
                "bias_grad": (5 * width + inner, np.float32)}


class TunedEncoder:
    """An encoder, ready to be tuned on ``workers`` cores."""

    def __init__(self, layers: Sequence[LayerWeights], shape: Shape, workers: int,
                 embeddings: EmbeddingWeights | None = None) -> None:
        """Take the weights; nothing is computed yet. Without ``embeddings``, these are given.

        Raises:
            ModelError: the code cannot be compiled here.
            ValueError: the gradients of matrices do not lie at multiples of 64 bytes.
        """
        self._library = library()
        self._layers, self._embeddings, self._shape = layers, embeddings, shape
        self._width, self._inner = layers[0].weights[0].shape[1], layers[0].weights[4].shape[0]
        width, inner = self._width, self._inner
        packed = [(size, np.uint16) for size in (3 * width**2, width**2, width * inner, width * inner)]
        self._arrays = together([*packed, *packed, (3 * width, np.float32)] * len(layers))
        left = iter(self._arrays)
        self._records = (_Layer * len(layers))(*(self._record(layer, left) for layer in layers))
        self._model = _Model(self._width, self._inner, shape.heads, len(layers), shape.only_first, shape.epsilon, 0.0,
                             ctypes.addressof(self._records))
        if embeddings is not None:
            self._record_embeddings(embeddings)
        self._workers = [_Worker(len(layers), self._width, self._inner) for _ in range(workers)]
        self._busy: list[_Worker] = []
        self._rows, self._starts = Rows(np.zeros(0, np.int64)), [0]
        self._touched: Int64 = np.zeros(0, np.int64)
        """Rows of the word table whose gradient is not zero, each once."""

    def packing(self, layer: int, matrix: int) -> Packing:
        """Return where one of a layer's six matrices is packed."""
        record, width = self._records[layer], self._width
        inputs, outputs = (self._inner if matrix == 5 else width), (self._inner if matrix == 4 else width)
        if matrix < 3:  # query, key and value stand one below the other
            begin = matrix * width
            return Packing(record.forward[0] + 2 * begin * width, record.backward[0], width, 3 * width, begin)
        return Packing(record.forward[matrix - 2], record.backward[matrix - 2], inputs, outputs, 0)

    def pack(self) -> None:
        """Take over all weights, after they have moved."""
        pack([Weight(array.ctypes.data, 0, 0, array.size, self.packing(number, matrix))
              for number, layer in enumerate(self._layers) for matrix, array in enumerate(layer.weights)],
             len(self._workers))
        self.take_biases()

    def take_biases(self) -> None:
        """Take over the biases, after they have moved; matrices are packed already."""
        self._library.luthier_tuning_biases(self._reference)

    def forward(self, rows: Rows, seed: int, *, dropout: float, embeddings: Float32 | None = None) -> Float32:
        """Return the hidden states (N, D) of N tokens, row after row; or those of first tokens (B, D).

        Args:
            rows: which tokens.
            seed: of dropout.
            dropout: rate, 0 when the model only answers.
            embeddings: (N, D), if ``rows`` has no ids.
        """
        self._model.dropout = dropout
        self._rows, self._starts = rows, _shares(rows.lengths, len(self._workers))
        begins = np.concatenate(([0], np.cumsum(rows.lengths)))
        self._busy = self._workers[: len(self._starts) - 1]
        for number, worker in enumerate(self._busy):
            own = slice(self._starts[number], self._starts[number + 1])
            worker.take(int(begins[own.start]), rows.lengths[own], seed + number, self._measure, self._scratch)
            worker.part.ids, worker.part.types = (None if ids is None else ids[worker.begin :].ctypes.data
                                                  for ids in (rows.ids, rows.types))
        found = np.empty((len(rows.lengths) if self._shape.only_first else begins[-1], self._width), np.float32)
        self._run(self._library.luthier_tuning_forward, self._by_token(embeddings), self._read(found))
        return found

    def backward(self, gradient: Float32, *, add: bool = False) -> Gradients:
        """Compute the gradients of everything from that of what ``forward`` gave last, (N, D) or (B, D).

        Those of matrices, biases and tables are written into ``LayerWeights`` and ``EmbeddingWeights``, or with ``add``
        added to what stands there since the last time.
        """
        embedded = self._rows.ids is not None
        found = None if embedded else np.empty((int(self._rows.lengths.sum()), self._width), np.float32)
        self._run(self._library.luthier_tuning_backward, self._read(gradient), self._by_token(found))
        squares = self._gradients(add)
        norms = [np.sum([worker.norm_grads[number] for worker in self._busy], axis=0)
                 for number in range(len(self._layers) + embedded)]
        if self._rows.ids is not None and self._embeddings is not None:
            squares += self._scatter(self._rows.ids, self._embeddings, add)
        return Gradients(norms[: len(self._layers)], squares, found, norms[-1][:2] if embedded else None)

    @property
    def _reference(self) -> Any:
        return ctypes.byref(self._model)

    @property
    def _parts(self) -> Any:
        return (_pointer * len(self._busy))(*(ctypes.addressof(worker.part) for worker in self._busy))

    def _gradients(self, add: bool) -> float:
        """Compute the gradients of matrices and biases; return the sum of their squares."""
        # The largest first, so that no worker ends long after the others.
        jobs = (_Job * (_PRODUCTS * len(self._layers)))(
            *(_Job(layer, which, 0.0) for which in _JOBS for layer in range(len(self._layers))))
        following = _number(0)
        in_threads(lambda _: self._library.luthier_tuning_gradients(
            self._reference, _number(len(self._busy)), self._parts, _number(len(jobs)), jobs, ctypes.byref(following),
            add), self._workers, len(self._workers))
        return float(sum(job.squares for job in jobs))

    def _scatter(self, ids: Int64, embeddings: EmbeddingWeights, add: bool) -> float:
        """Add up the gradients of the tables, each worker some columns; return the sum of their squares."""
        before = self._touched
        words = np.unique(ids)
        self._touched = np.union1d(before, words) if add else words
        positions, types = (len(table) for table in embeddings.tables[1:])
        cleared = _Touched(0, 0, 0, None) if add else _Touched(len(before), positions, types, before.ctypes.data)
        now = _Touched(len(self._touched), positions, types, self._touched.ctypes.data)
        each = -(-self._width // (_LANES * len(self._workers))) * _LANES
        return sum(in_threads(lambda begin: float(self._library.luthier_tuning_scatter(
            self._reference, _number(len(self._busy)), self._parts, _number(begin),
            _number(min(begin + each, self._width)), ctypes.byref(cleared), ctypes.byref(now))),
            range(0, self._width, each), len(self._workers)))

    def _run(self, code: Any, given: Callable[[int], Any], found: Callable[[int], Any]) -> None:
        """Let each worker take its part of what is given and write its part of what is found."""
        in_threads(lambda number: code(self._reference, ctypes.byref(self._busy[number].part), given(number),
                                       found(number)), range(len(self._busy)), len(self._workers))

    def _by_token(self, array: Float32 | None) -> Callable[[int], Any]:
        """Return where each worker's part of (N, D) lies; nowhere without an array."""
        if array is None:
            return lambda _: _pointer(None)
        return lambda number: _pointer(array[self._busy[number].begin :].ctypes.data)

    def _read(self, array: Float32) -> Callable[[int], Any]:
        """Return where each worker's part lies of what is read behind the last layer."""
        if not self._shape.only_first:
            return self._by_token(array)
        return lambda number: _pointer(array[self._starts[number] :].ctypes.data)

    def _measure(self, lengths: Int64) -> int:
        return int(self._library.luthier_tuning_tokens(_number(len(lengths)), _pointer(lengths.ctypes.data)))

    def _scratch(self, longest: int) -> int:
        return int(self._library.luthier_tuning_scratch(self._reference, _number(longest)))

    def _record(self, layer: LayerWeights, places: Iterator[np.ndarray[Any, Any]]) -> _Layer:
        if any(array.ctypes.data % ALIGNMENT for array in layer.weight_grads):
            raise ValueError(f"gradients must lie at multiples of {ALIGNMENT} bytes")
        record = _Layer()
        for name, arrays in (("weight", layer.weights), ("bias", layer.biases), ("norm", layer.norms),
                             ("weight_grad", layer.weight_grads), ("bias_grad", layer.bias_grads)):
            _point(getattr(record, name), arrays)
        for packed in (record.forward, record.backward):
            _point(packed, [next(places) for _ in range(_PRODUCTS)])
        record.mixed_bias = next(places).ctypes.data
        return record

    def _record_embeddings(self, embeddings: EmbeddingWeights) -> None:
        for name, table, gradient in zip(("words", "positions", "types"), embeddings.tables, embeddings.table_grads,
                                         strict=True):
            setattr(self._model, name, table.ctypes.data)
            setattr(self._model, f"{name}_grad", gradient.ctypes.data)
        _point(self._model.norm, embeddings.norm)


def _point(places: Any, arrays: Sequence[Float32]) -> None:
    for number, array in enumerate(arrays):
        places[number] = array.ctypes.data


def _shares(lengths: Int64, workers: int) -> list[int]:
    """Cut rows into as many runs as there are workers, of about as many tokens each; return where each begins."""
    ends = np.cumsum(lengths)
    wanted = ends[-1] * np.arange(1, workers) / workers
    cuts = np.searchsorted(ends - lengths / 2, wanted)
    return sorted({0, *(int(cut) for cut in cuts), len(lengths)})
