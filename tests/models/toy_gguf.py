"""GGUF files written byte by byte from the format's description, the slow and plain way."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np

F32, Q4_1, Q8_0, Q6_K = 0, 3, 8, 14
KINDS = {"uint8": (0, "B"), "int8": (1, "b"), "uint16": (2, "H"), "int16": (3, "h"), "uint32": (4, "I"),
         "int32": (5, "i"), "float32": (6, "f"), "bool": (7, "?"), "uint64": (10, "Q"), "int64": (11, "q"),
         "float64": (12, "d")}


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def typed(value: Any, kind: str = "uint32") -> bytes:
    """Write a value with its kind: strings and lists by their own, numbers by the kind named."""
    if isinstance(value, str):
        return struct.pack("<I", 8) + text(value)
    if isinstance(value, list):
        items = [typed(item, kind) for item in value]
        return struct.pack("<I", 9) + items[0][:4] + struct.pack("<Q", len(items)) + b"".join(it[4:] for it in items)
    number, layout = KINDS["float32" if isinstance(value, float) and kind == "uint32" else kind]
    return struct.pack(f"<I{layout}", number, value)


def q4_1(quants: np.ndarray, scale: float, least: float) -> bytes:
    out = b""
    for block in quants.reshape(-1, 32).tolist():
        out += np.float16(scale).tobytes() + np.float16(least).tobytes()
        out += bytes(block[j] | block[j + 16] << 4 for j in range(16))
    return out


def q8_0(quants: np.ndarray, scale: float) -> bytes:
    return b"".join(np.float16(scale).tobytes() + np.int8(block).tobytes() for block in quants.reshape(-1, 32))


def write(path: Path, metadata: dict[str, bytes], tensors: dict[str, tuple[int, tuple[int, ...], bytes]],
          head: bytes = b"GGUF\x03\0\0\0", alignment: int = 32) -> Path:
    """Write a file; metadata are what `typed` gives, tensors (kind, shape, bytes)."""
    out = head + struct.pack("<QQ", len(tensors), len(metadata))
    out += b"".join(text(name) + value for name, value in metadata.items())
    body = b""
    for name, (kind, shape, raw) in tensors.items():
        body += bytes(-len(body) % alignment)
        out += text(name) + struct.pack("<I", len(shape)) + struct.pack(f"<{len(shape)}Q", *shape[::-1])
        out += struct.pack("<IQ", kind, len(body))
        body += raw
    path.write_bytes(out + bytes(-len(out) % alignment) + body)
    return path
