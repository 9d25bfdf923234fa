"""Weights read where they lie: a safetensors file mapped into memory, without torch and without a copy."""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path
from typing import Any

import numpy as np

from luthier.errors import ModelError
from luthier.schema import Float32

_HEADER_LIMIT = 100_000_000
"""Bytes; the format's own limit."""


class MappedWeights:
    """Gives float32 arrays by name. Pages are read when they are touched, and shared between processes."""

    def __init__(self, path: Path) -> None:
        """Map a file.

        Raises:
            ModelError: it cannot be read, or is no safetensors file.
        """
        self._path = path
        try:
            self._bytes = np.memmap(path, np.uint8, "r")
            (size,) = struct.unpack("<Q", self._bytes[:8].tobytes())
            if size > min(_HEADER_LIMIT, len(self._bytes) - 8):
                raise ValueError(f"its header has {size} bytes")
            self._records: dict[str, Any] = json.loads(self._bytes[8 : 8 + size].tobytes())
        except (OSError, ValueError, struct.error) as error:
            raise ModelError(f"cannot read the weights {path}: {error}", "fetch or write the file again") from error
        self._start = 8 + size

    def __call__(self, name: str) -> Float32:
        """Return a tensor, without copying where it is float32 already.

        Raises:
            KeyError: there is none of that name.
            ModelError: its record does not fit the file, or its numbers are of another kind.
        """
        record = self._records[name]
        try:
            begin, end = (self._start + int(offset) for offset in record["data_offsets"])
            shape, kind = tuple(map(int, record["shape"])), str(record["dtype"])
        except (KeyError, TypeError, ValueError) as error:
            raise self._damaged(name) from error
        if kind not in ("F32", "F16", "BF16"):
            raise ModelError(f"{name} in {self._path} is of type {kind}; expected F32, F16 or BF16",
                             "use --backend torch")
        if not self._start <= begin <= end <= len(self._bytes) or math.prod(shape) * _bytes(kind) != end - begin:
            raise self._damaged(name)
        raw = self._bytes[begin:end]
        if kind == "BF16":
            return (raw.view("<u2").astype(np.uint32) << 16).view(np.float32).reshape(shape)
        if kind == "F32" and raw.ctypes.data % 4:
            raw = raw.copy()  # a header of odd length leaves numbers at odd places
        return raw.view("<f4" if kind == "F32" else "<f2").astype(np.float32, copy=False).reshape(shape)

    def _damaged(self, name: str) -> ModelError:
        return ModelError(f"the record of {name} in {self._path} does not fit the file", "fetch or write it again")


def _bytes(kind: str) -> int:
    return 4 if kind == "F32" else 2
