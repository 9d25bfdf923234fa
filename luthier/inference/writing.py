"""Texts written for texts: rows to batches and back, around a backend that writes.

Also how likely a given text is, token by token: what probes of such models hold, since a written text may turn on a
near tie and likelihoods do not.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, cast

import numpy as np

from luthier.errors import ModelError
from luthier.inference.batching import plan
from luthier.recipe import Decoding
from luthier.schema import Float32, Int64

if TYPE_CHECKING:
    from luthier.inference.backend import Backend, Writes
    from luthier.inference.generation import Written
    from luthier.models.encoding import Encoder, Ragged

PADDING = -100
"""Stands where a row has no token."""


def writes(task: ModuleType) -> bool:
    """Return whether a task's answers are written token by token."""
    return bool(getattr(task, "GENERATES", False))


def check_writes(backend: str, module: ModuleType) -> None:
    """Refuse a backend that cannot write texts.

    Raises:
        ModelError: names one that can.
    """
    if not getattr(module, "GENERATES", False):
        raise ModelError(f"the backend {backend} gives one answer for a text, and this bundle writes its answers token "
                         "by token", "use --backend torch, or leave it out")


def write(backend: Backend, encoder: Encoder, ragged: Ragged, decoding: Decoding) -> list[Written]:
    """Write a text for each of N texts.

    Where tokens are drawn, a text's own tokens and the seed decide the draws: the same text gets the same answer
    whatever stands beside it.

    Args:
        backend: writes.
        encoder: of the model.
        ragged: the N texts.
        decoding: how tokens are chosen.
    """
    found: dict[int, Written] = {}
    room = max(1, backend.max_tokens // decoding.num_beams)
    for rows in plan(ragged.lengths, max_tokens=room) if len(ragged) else ():
        numbers = [zlib.crc32(np.asarray(ragged.ids[row], np.int64).tobytes()) for row in rows]
        made = cast("Writes", backend).generate(encoder.collate(ragged, rows), decoding, text_of=encoder.text_of,
                                                rows=numbers, ends=encoder.ends)
        found |= dict(zip(rows.tolist(), made, strict=True))
    return [found[row] for row in range(len(ragged))]


def log_shares(backend: Backend, encoder: Encoder, ragged: Ragged, texts: Sequence[str]) -> list[Float32]:
    """Return how likely each token of N given texts is for its source, after the right ones before it.

    Args:
        backend: writes.
        encoder: of the model.
        ragged: the N sources.
        texts: the N texts, as the model would write them; an end that does not fit is left out.

    Returns:
        N arrays (T,) float32, natural logarithms.
    """
    wanted = encoder.written(texts)
    found: dict[int, Float32] = {}
    for rows in plan(ragged.lengths + np.array([len(ids) for ids in wanted], np.int64), max_tokens=backend.max_tokens):
        targets = _padded([wanted[row] for row in rows])
        logs = cast("Writes", backend).log_shares(encoder.collate(ragged, rows), targets)
        found |= {row: one[: len(wanted[row])] for row, one in zip(rows.tolist(), logs, strict=True)}
    return [found[row] for row in range(len(ragged))]


def _padded(rows: Sequence[Sequence[int]]) -> Int64:
    found = np.full((len(rows), max(map(len, rows))), PADDING, np.int64)
    for place, row in enumerate(rows):
        found[place, : len(row)] = row
    return found
