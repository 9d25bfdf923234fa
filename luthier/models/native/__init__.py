"""A BERT-like classifier computed by compiled code: one call a batch, one core, no torch.

``encoder.c`` is the code; ``build`` compiles it where it is used. ``models.forward`` computes the same with torch: this
is compared with it, and it runs where there is no AMX or no compiler. docs/decisions/0005 has the reasons. ``tuning``
and ``trainer.c`` are the same for tuning.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from luthier.models.architecture import Names, unsupported
from luthier.models.native.build import impossible, library
from luthier.models.native.memory import aligned
from luthier.schema import Batch, Float32, Int64

__all__ = ["NativeClassifier", "impossible", "unfit"]

_STEP = 32
_LAYER = ("mixed", "output", "up", "down", "mixed_bias", "output_bias", "up_bias", "down_bias", "norm_weight",
          "norm_bias", "last_weight", "last_bias")
_pointer = ctypes.c_void_p


class _Layer(ctypes.Structure):
    _fields_ = [(name, _pointer) for name in _LAYER]


class _Model(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_int64) for name in ("width", "inner", "heads", "layers")), ("epsilon", ctypes.c_float),
        *((name, _pointer) for name in ("words", "positions", "segments", "norm_weight", "norm_bias", "layer")),
    ]


def unfit(config: Mapping[str, Any]) -> str | None:
    """Return why a model of this configuration cannot be computed by the compiled code; ``None`` when it can."""
    why = unsupported(config)
    if why is not None:
        return why
    if config.get("hidden_act", "gelu") != "gelu":
        return f"its activation is {config['hidden_act']!r}"
    width, heads = int(config["hidden_size"]), int(config["num_attention_heads"])
    if width % heads or (width // heads) % _STEP or int(config["intermediate_size"]) % _STEP:
        return f"the width of a head or of the inner layer is no multiple of {_STEP}"
    return None


class NativeClassifier:
    """A classifier ready to compute. Safe in several threads: each works in a place of its own."""

    def __init__(self, config: Mapping[str, Any], weights: Callable[[str], Float32]) -> None:
        """Pack the weights of a configuration that is fit.

        Args:
            config: ``config.json``.
            weights: gives the float32 array of a name.

        Raises:
            KeyError: a weight is missing.
            ValueError: a weight has another shape than the configuration tells.
            ModelError: the code cannot be compiled here.
        """
        names = Names.of(config)
        self._library = library()
        self._kept: list[Any] = []  # what the structures point to
        self._places = threading.local()
        self._width = int(config["hidden_size"])
        self._counts = (0, 0, 0)
        """Words, positions and segments there are."""
        self._model = self._whole(config, names, weights)
        self._head = tuple(self._linear_of(weights, name, dense=name != names.head[-1]) for name in names.head)

    def __call__(self, batch: Batch) -> Float32:
        """Return the logits of B texts, (B, C) float32, or of their tokens, (B, T, C), zero where there is none.

        Of a model without a head: the mean of each text's states, at length 1, (B, D).
        """
        if not self._head:
            lengths = batch.mask.sum(1)
            sums = np.add.reduceat(self.all(batch), np.cumsum(lengths) - lengths)  # of length 1 as the means would be
            found: Float32 = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), np.float32(1e-12))
            return found
        if len(self._head) == 1:
            found = self._linear(self.all(batch), *self._head[0])  # (N, C)
            spread = np.zeros((*batch.mask.shape, found.shape[1]), np.float32)
            spread[batch.mask] = found
            return spread
        dense, out = self._head
        return self._linear(np.tanh(self._linear(self.first(batch), *dense)), *out)

    def first(self, batch: Batch) -> Float32:
        """Return the hidden states of each row's first token, (B, D) float32."""
        found = np.empty((len(batch.ids), self._width), np.float32)
        self._encode(batch, first=found.ctypes.data)
        return found

    def all(self, batch: Batch) -> Float32:
        """Return the hidden states of all N real tokens, row after row, (N, D) float32."""
        found = np.empty((int(batch.mask.sum()), self._width), np.float32)
        self._encode(batch, all_=found.ctypes.data)
        return found

    def _linear_of(self, weights: Callable[[str], Float32], name: str, *, dense: bool) -> tuple[Float32, Float32]:
        """Return weight and bias of a part of the head; a dense one is as wide as the model."""
        weight, bias = (weights(f"{name}.{part}") for part in ("weight", "bias"))
        rows = self._width if dense else len(weight)
        return _shaped(weight, rows, self._width), _shaped(bias, rows)

    def _linear(self, x: Float32, weight: Float32, bias: Float32) -> Float32:
        """Return (B, in) times (out, in). NumPy's own product would wake threads that the other workers need."""
        out = np.empty((len(x), len(weight)), np.float32)
        self._library.luthier_linear(
            *(ctypes.c_int64(size) for size in (len(x), *weight.shape)),
            *(_pointer(array.ctypes.data) for array in (x, weight, bias, out)))
        return out

    def _encode(self, batch: Batch, *, first: int | None = None, all_: int | None = None) -> None:
        lengths = batch.mask.sum(1, dtype=np.int64)
        ids = np.ascontiguousarray(batch.ids[batch.mask], dtype=np.int64)
        types = None if batch.type_ids is None else np.ascontiguousarray(batch.type_ids[batch.mask], dtype=np.int64)
        self._check(lengths, ids, types)
        model = ctypes.byref(self._model)
        counts = [ctypes.c_int64(int(count)) for count in (len(ids), len(lengths), lengths.max())]
        place = self._place(self._library.luthier_workspace(model, *counts))
        self._library.luthier_encode(
            model, counts[1], _pointer(lengths.ctypes.data), _pointer(ids.ctypes.data),
            _pointer(None if types is None else types.ctypes.data), _pointer(place), _pointer(first), _pointer(all_))

    def _check(self, lengths: Int64, ids: Int64, types: Int64 | None) -> None:
        """Refuse what would be read beyond a table: the code itself trusts its caller."""
        words, positions, segments = self._counts
        for what, found, least, most in (("rows of tokens", lengths, 1, positions), ("token ids", ids, 0, words - 1),
                                         ("segment ids", types, 0, segments - 1)):
            if found is not None and not (len(found) and least <= found.min() and found.max() <= most):
                seen = f"from {found.min()} to {found.max()}" if len(found) else "none"
                raise IndexError(f"{what}: {seen}; expected {least} to {most}")

    def _place(self, size: int) -> int:
        """Return where this thread may work, at a multiple of 64; it grows and stays."""
        place = getattr(self._places, "bytes", None)
        if place is None or len(place) < size:
            place = self._places.bytes = aligned(size + size // 4, np.uint8)
        return int(place.ctypes.data)

    def _layer(self, names: Mapping[str, tuple[str, ...]], weights: Callable[[str], Float32], inner: int) -> _Layer:
        width, found = self._width, dict[str, int]()
        shapes = {"mixed": (3 * width, width), "output": (width, width), "up": (inner, width), "down": (width, inner)}
        for part, shape in shapes.items():
            weight, bias = (np.concatenate([weights(f"{name}.{kind}") for name in names[part]])
                            for kind in ("weight", "bias"))
            found[part] = self._packed(_shaped(weight, *shape))
            found[f"{part}_bias"] = self._keep(bias, shape[0])
        for part in ("norm", "last"):
            for kind in ("weight", "bias"):
                found[f"{part}_{kind}"] = self._keep(weights(f"{names[part][0]}.{kind}"), width)
        return _Layer(**found)

    def _whole(self, config: Mapping[str, Any], names: Names, weights: Callable[[str], Float32]) -> _Model:
        def table(name: str) -> Float32:
            return weights(f"{names.embeddings}{name}_embeddings.weight")

        width, inner = self._width, int(config["intermediate_size"])
        words, positions, segments = (
            table("word"), table("position")[names.skipped_positions :], table("token_type"))
        self._counts = len(words), len(positions), len(segments)
        numbers = range(int(config["num_hidden_layers"]))
        layers = (_Layer * len(numbers))(*(self._layer(names.layer(number), weights, inner) for number in numbers))
        self._kept.append(layers)
        return _Model(
            width=width, inner=inner, heads=int(config["num_attention_heads"]), layers=len(layers),
            epsilon=float(config.get("layer_norm_eps", 1e-12)), words=self._keep(words, len(words), width),
            positions=self._keep(positions, len(positions), width),
            segments=self._keep(segments, len(segments), width),
            norm_weight=self._keep(weights(f"{names.embeddings}LayerNorm.weight"), width),
            norm_bias=self._keep(weights(f"{names.embeddings}LayerNorm.bias"), width),
            layer=ctypes.addressof(layers))

    def _packed(self, weight: Float32) -> int:
        """Lay a weight out for tiles, and return where, at a multiple of 64 bytes."""
        packed = aligned(weight.size, np.uint16)
        self._library.luthier_pack(*map(ctypes.c_int64, weight.shape),
                                   *(_pointer(array.ctypes.data) for array in (weight, packed)))
        self._kept.append(packed)
        return int(packed.ctypes.data)

    def _keep(self, array: Float32, *shape: int) -> int:
        """Keep an array for as long as this classifier lives, and return where it lies."""
        array = _shaped(array, *shape)
        self._kept.append(array)
        return int(array.ctypes.data)


def _shaped(array: Float32, *shape: int) -> Float32:
    """Return the array as the code reads it; a shape that it does not have would be read beyond its end."""
    if array.shape != shape:
        raise ValueError(f"expected shape {shape}, got {array.shape}")
    return np.ascontiguousarray(array, dtype=np.float32)
