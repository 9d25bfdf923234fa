"""Texts written for texts: rows to batches and back, around a backend that writes.

Also how likely a given text is, token by token: what probes of such models hold, since a written text may turn on a
near tie and likelihoods do not.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, cast

import numpy as np

from luthier.errors import LimitError, ModelError
from luthier.inference.batching import plan
from luthier.inference.generation.values import Stop, Written
from luthier.recipe import Decoding
from luthier.schema import Float32, Int64

if TYPE_CHECKING:
    from luthier.inference.backend import Backend, Writes
    from luthier.models.encoding import Encoder, Ragged

_NOTHING = Written((), "", -math.inf, "length")
"""Of a row that was not begun, since nobody waited for it."""

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


def write(backend: Backend, encoder: Encoder, ragged: Ragged, decoding: Decoding, stop: Stop | None = None,
          ) -> list[Written]:
    """Write a text for each of N texts.

    Where tokens are drawn, a text's own tokens and the seed decide the draws: the same text gets the same answer
    whatever stands beside it.

    Args:
        backend: writes.
        encoder: of the model.
        ragged: the N texts.
        decoding: how tokens are chosen.
        stop: asked at each step for each row: one that nobody waits for ends as it stands, or is not begun.

    Raises:
        LimitError: a text leaves no room for what is to be written; the message names the row.
    """
    found: dict[int, Written] = {}
    held = cast("Writes", backend).held_tokens
    for planned in batches(ragged.lengths, decoding, backend.max_tokens, held):
        rows = [row for row in planned.tolist() if stop is None or not stop(row)]
        numbers = [zlib.crc32(np.asarray(ragged.ids[row], np.int64).tobytes()) for row in rows]
        ask = None if stop is None else partial(_asked, stop, rows)
        try:
            made = cast("Writes", backend).generate(encoder.collate(ragged, rows), decoding, text_of=encoder.text_of,
                                                    rows=numbers, ends=encoder.ends, stop=ask) if rows else []
        except LimitError as error:
            raise (error if error.row is None else error.at(rows[error.row])) from None
        found |= dict(zip(rows, made, strict=True))
    return [found.get(row, _NOTHING) for row in range(len(ragged))]


def batches(lengths: Int64, decoding: Decoding, max_tokens: int, held: int) -> list[Int64]:
    """Plan which texts are written together: by what is read at once, and by what is held in the end.

    Args:
        lengths: (N,) int64, tokens of each text that is read.
        decoding: the most tokens written, and beams, each of which holds its own.
        max_tokens: padded tokens that the backend computes at once.
        held: tokens whose keys and values it may hold.

    Returns:
        Row numbers, an (B,) int64 array a batch. B times the tokens read and written, times the beams, is at most
        ``held``, unless B is 1.
    """
    found: list[Int64] = []
    for rows in plan(lengths, max_tokens=max(1, max_tokens // decoding.num_beams)) if len(lengths) else ():
        longest = int(lengths[rows].max()) + decoding.max_new_tokens
        most = max(1, held // (decoding.num_beams * longest))
        found += np.array_split(rows, -(-len(rows) // most))
    return found


def _asked(stop: Stop, rows: Sequence[int], place: int) -> bool:
    """Ask of a row by its place in a batch."""
    return stop(rows[place])


def target_logprobs(backend: Backend, encoder: Encoder, ragged: Ragged, texts: Sequence[str]) -> list[Float32]:
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
        logs = cast("Writes", backend).target_logprobs(encoder.collate(ragged, rows), targets)
        found |= {row: one[: len(wanted[row])] for row, one in zip(rows.tolist(), logs, strict=True)}
    return [found[row] for row in range(len(ragged))]


def _padded(rows: Sequence[Sequence[int]]) -> Int64:
    found = np.full((len(rows), max(map(len, rows))), PADDING, np.int64)
    for place, row in enumerate(rows):
        found[place, : len(row)] = row
    return found
