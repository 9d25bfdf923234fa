"""AdamW by compiled code: the norm of all gradients, and one run over weights, gradients and moments.

Weights are told as rows of a table, which is made once: a step only fills in where the gradients lie and how far to go.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from luthier.models.native.build import library
from luthier.models.threads import in_threads
from luthier.schema import Float32, Int64

PIECE = 1 << 18
"""Numbers that a worker takes at once of a weight that is not packed."""
_ROW = np.dtype([
    ("weight", np.uint64), ("gradient", np.uint64), ("mean", np.uint64), ("square", np.uint64), ("count", np.int64),
    ("rate", np.float32), ("root", np.float32), ("shrunk", np.float32), ("padding", np.float32),
    ("forward", np.uint64), ("backward", np.uint64), ("inputs", np.int64), ("depth", np.int64), ("from", np.int64),
])
_number, _pointer = ctypes.c_int64, ctypes.c_void_p


class _Settings(ctypes.Structure):
    _fields_ = [(name, ctypes.c_float) for name in ("beta1", "beta2", "epsilon", "scale")]


@dataclass(frozen=True, slots=True)
class Packing:
    """Where a matrix is laid out for products when it has moved."""

    forward: int
    backward: int
    inputs: int
    depth: int
    """Outputs of the product that this matrix is a part of."""
    first: int
    """The first of them that is this matrix's."""


@dataclass(frozen=True, slots=True)
class Weight:
    """Where a weight and its moments lie: float32 without gaps."""

    weight: int
    mean: int
    square: int
    count: int
    packing: Packing | None


@dataclass(frozen=True, slots=True)
class Pace:
    """How far each weight goes: (W,) float32 each."""

    rate: Float32
    """Learning rate over the bias correction of the first moment."""
    root: Float32
    """One over the root of that of the second."""
    shrunk: Float32
    """What weight decay leaves."""


class Moves:
    """All weights of a model, ready to be moved by ``threads`` at once."""

    def __init__(self, weights: Sequence[Weight], threads: int) -> None:
        """Make the table."""
        rows, owners, offsets = [], [], []
        for number, one in enumerate(weights):
            each = one.count if one.packing else PIECE
            for begin in range(0, one.count, each):
                rows.append(_row(one, begin, min(each, one.count - begin)))
                owners.append(number)
                offsets.append(4 * begin)
        self._rows = np.array(rows, _ROW)
        self._owners, self._offsets = np.array(owners), np.array(offsets, np.uint64)
        self._threads = threads

    def norm(self, gradients: Int64, known: Sequence[bool]) -> float:
        """Return the norm over all gradients but those that are ``known``, (W,) each; a gradient at 0 is none."""
        places = self._places(gradients)
        wanted = (places > 0) & ~np.asarray(known)[self._owners]
        table = self._rows[wanted]
        table["gradient"] = places[wanted]
        squares = np.zeros(len(table))
        _share(table, self._threads, library().luthier_squares, _pointer(squares.ctypes.data))
        return math.sqrt(squares.sum())

    def move(self, gradients: Int64, pace: Pace, betas: tuple[float, float], epsilon: float, scale: float) -> None:
        """Move every weight that has a gradient, let its moments follow, and pack it.

        Args:
            gradients: (W,) where they lie; 0 for none.
            pace: how far each goes.
            betas: how much of each moment stays.
            epsilon: added to the root of the second.
            scale: what gradients are multiplied by first.
        """
        self._rows["gradient"] = self._places(gradients)
        for name in ("rate", "root", "shrunk"):
            self._rows[name] = getattr(pace, name)[self._owners]
        settings = _Settings(*betas, epsilon, scale)
        _share(self._rows[self._rows["gradient"] > 0], self._threads, library().luthier_adamw, ctypes.byref(settings))

    def _places(self, gradients: Int64) -> Any:
        found = gradients.astype(np.uint64)[self._owners]
        return np.where(found > 0, found + self._offsets, 0)


def _share(table: Any, threads: int, code: Any, *last: Any) -> None:
    """Let every thread run ``code`` on the table: each takes the next row until none is left."""
    following = np.zeros(1, np.int64)
    in_threads(lambda _: code(_number(len(table)), _pointer(table.ctypes.data), _pointer(following.ctypes.data), *last),
               range(threads), threads)


def pack(weights: Sequence[Weight], threads: int) -> None:
    """Lay matrices out for products without moving them."""
    _share(np.array([_row(one, 0, one.count) for one in weights], _ROW), threads, library().luthier_pack_moved)


def _row(one: Weight, begin: int, count: int) -> tuple[Any, ...]:
    packing = one.packing
    packed = (packing.forward, packing.backward, packing.inputs, packing.depth, packing.first) if packing else (0,) * 5
    at = 4 * begin
    return (one.weight + at, 0, one.mean + at, one.square + at, count, 0.0, 0.0, 0.0, 0.0, *packed)
