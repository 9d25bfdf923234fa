"""Memory as the compiled code wants it: at multiples of 64 bytes, kept by whoever made it."""

from __future__ import annotations

from typing import Any

import numpy as np

ALIGNMENT = 64
"""Bytes of a cache line and of a tile's row."""


def aligned(count: int, kind: Any) -> np.ndarray[Any, Any]:
    """Return a flat array of so many numbers that begins at a multiple of 64 bytes; its content is undefined."""
    size = count * np.dtype(kind).itemsize
    raw = np.empty(size + ALIGNMENT, np.uint8)
    start = -int(raw.ctypes.data) % ALIGNMENT
    found: np.ndarray[Any, Any] = raw[start : start + size].view(kind)
    return found
