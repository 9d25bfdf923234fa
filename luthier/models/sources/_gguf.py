"""A GGUF file: its metadata, and its tensors as float32.

Layout (github.com/ggml-org/ggml, docs/gguf.md), little endian: magic ``GGUF``, version, counts of tensors and keys; the
keys with their values; name, shape, kind and place of each tensor; padding; the tensors. Of the many kinds of tensors
those are read that the packaged models hold: float32, and two of blocks of 32 weights. Q8_0 has 34 bytes a block, a
float16 scale ``d`` and 32 int8 worth ``q * d``. Q4_1 has 20 bytes, float16 ``d`` and ``m`` and 16 bytes whose low
nibbles are weights 0-15 and high nibbles 16-31, worth ``q * d + m``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from luthier.schema import Float32

_MAGIC = b"GGUF"
_VERSION = 3
_ALIGNMENT = 32
_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
"""Kind of a value -> how ``struct`` writes it."""
_STRING, _ARRAY = 8, 9
_BLOCK = 32
_F32, _Q4_1, _Q8_0 = 0, 3, 8
_BLOCK_BYTES = {_F32: 4 * _BLOCK, _Q4_1: 20, _Q8_0: 34}
"""Kind of a tensor -> bytes of 32 weights."""


@dataclass(frozen=True, slots=True)
class _Place:
    shape: tuple[int, ...]
    kind: int
    start: int  # bytes from the beginning of the file


@dataclass(frozen=True, slots=True)
class GgufFile:
    """An opened file. Open one with ``GgufFile.open``."""

    metadata: Mapping[str, Any]
    """Numbers, strings and lists by key, such as ``llama.block_count``."""
    places: Mapping[str, _Place]
    """Of each tensor, by name."""
    data: npt.NDArray[np.uint8]
    """The whole file, mapped."""

    @classmethod
    def open(cls, path: Path) -> GgufFile:
        """Read everything but the tensors.

        Raises:
            ValueError: another format or version, or a key of an unknown kind.
            struct.error: the file ends too early.
            UnicodeDecodeError: a name is no UTF-8.
        """
        cursor = _Cursor(np.memmap(path, np.uint8, mode="r"))
        magic, version, tensors, keys = cursor.take("4sIQQ")
        if (magic, version) != (_MAGIC, _VERSION):
            raise ValueError(f"magic {magic!r}, version {version}")
        metadata = {}
        for _ in range(keys):
            name = cursor.text()
            metadata[name] = cursor.value(*cursor.take("I"))
        found = list(_places(cursor, tensors))
        alignment = int(metadata.get("general.alignment", _ALIGNMENT))
        start = -(-cursor.at // alignment) * alignment
        places = {name: _Place(shape, kind, start + offset) for name, shape, kind, offset in found}
        return cls(metadata, places, cursor.data)

    def tensor(self, name: str) -> Float32:
        """Return one tensor in the shape that torch gives it, such as (out, in).

        Raises:
            KeyError: there is no tensor of that name.
            ValueError: its kind is not read here, or it lies outside the file.
        """
        place = self.places[name]
        if place.kind not in _BLOCK_BYTES:
            raise ValueError(f"tensor {name} is of kind {place.kind}")
        weights = int(np.prod(place.shape))
        end = place.start + weights * _BLOCK_BYTES[place.kind] // _BLOCK
        if end > len(self.data):
            raise ValueError(f"tensor {name} lies outside the file")
        return _unpacked(self.data[place.start : end], place.kind).reshape(place.shape)


@dataclass(slots=True)
class _Cursor:
    """A place in the file that moves on with each reading."""

    data: npt.NDArray[np.uint8]
    at: int = 0

    def take(self, layout: str) -> tuple[Any, ...]:
        values = struct.unpack_from(f"<{layout}", self.data.data, self.at)
        self.at += struct.calcsize(f"<{layout}")
        return values

    def text(self) -> str:
        (length,) = self.take("Q")
        return str(self.take(f"{length}s")[0], "utf-8")

    def value(self, kind: int) -> Any:
        if kind == _STRING:
            return self.text()
        if kind == _ARRAY:
            of, count = self.take("IQ")
            if of in _NUMBERS:
                return list(self.take(f"{count}{_NUMBERS[of]}"))
            return [self.value(of) for _ in range(count)]
        if kind not in _NUMBERS:
            raise ValueError(f"a value is of kind {kind}")
        return self.take(_NUMBERS[kind])[0]


def _places(cursor: _Cursor, count: int) -> Iterator[tuple[str, tuple[int, ...], int, int]]:
    """Yield name, shape, kind and offset within the tensors; stored shapes begin with the innermost axis."""
    for _ in range(count):
        name = cursor.text()
        (axes,) = cursor.take("I")
        shape = cursor.take(f"{axes}Q")[::-1]
        kind, offset = cursor.take("IQ")
        yield name, shape, kind, offset


def _unpacked(packed: npt.NDArray[np.uint8], kind: int) -> Float32:
    """Return the weights of a tensor's bytes, flat."""
    if kind == _F32:
        return packed.view("<f4").astype(np.float32)
    blocks = packed.reshape(-1, _BLOCK_BYTES[kind])
    scales = _float16(blocks[:, :2])
    if kind == _Q8_0:
        return (blocks[:, 2:].view(np.int8) * scales).reshape(-1)
    values = np.empty((len(blocks), _BLOCK), np.float32)
    values[:, : _BLOCK // 2] = blocks[:, 4:] & 15
    values[:, _BLOCK // 2 :] = blocks[:, 4:] >> 4
    values *= scales
    values += _float16(blocks[:, 2:4])
    return values.reshape(-1)


def _float16(pairs: npt.NDArray[np.uint8]) -> Float32:
    """Return (blocks, 1) float32 of (blocks, 2) bytes."""
    return np.ascontiguousarray(pairs).view("<f2").astype(np.float32)
