"""Memory as the compiled code wants it: at multiples of 64 bytes, kept by whoever made it."""

from __future__ import annotations

from collections.abc import Sequence
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


def together(counts: Sequence[tuple[int, Any]]) -> list[np.ndarray[Any, Any]]:
    """Return flat arrays of so many zeros each, of a kind, that begin at multiples of 64 bytes.

    They lie in one piece, for which NumPy asks for large pages: a run's first step touches hundreds of megabytes.
    """
    sizes = [-(-count * np.dtype(kind).itemsize // ALIGNMENT) * ALIGNMENT for count, kind in counts]
    raw = np.zeros(sum(sizes) + ALIGNMENT, np.uint8)  # fresh pages are zero: nothing is touched yet
    ends = np.cumsum(sizes) - int(raw.ctypes.data) % -ALIGNMENT
    return [raw[end - size : end - size + count * np.dtype(kind).itemsize].view(kind)
            for end, size, (count, kind) in zip(ends, sizes, counts, strict=True)]
