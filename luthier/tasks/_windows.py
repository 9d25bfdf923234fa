"""Tokens of texts that are read in windows: as whole texts, and each token once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from luthier.models.encoding import Ragged
from luthier.schema import Bool, Int64


def owners_of(ragged: Ragged) -> Int64:
    """Return the text that each row belongs to, (W,) int64."""
    return np.arange(len(ragged)) if ragged.owners is None else ragged.owners


def places_of(ragged: Ragged) -> list[Int64]:
    """Return where the tokens of each row stand, (T, 2) int64.

    Raises:
        ValueError: they were not asked for: a fault of the caller's.
    """
    if ragged.offsets is None:
        raise ValueError("this task needs texts encoded with offsets")
    return ragged.offsets


def of_text(ragged: Ragged) -> list[Int64]:
    """Return which tokens of each row are the text's, not special ones."""
    sequence = ragged.sequence
    if sequence is None:
        raise ValueError("this task needs texts encoded with offsets")
    return [np.flatnonzero(row >= 0) for row in sequence]


def shared_of(ragged: Ragged) -> list[int]:
    """Return how many of the text's tokens each row shares with the row of the same text before it."""
    sizes = [len(own) for own in of_text(ragged)]
    if ragged.fresh is not None:
        return [size - new for size, new in zip(sizes, ragged.fresh.tolist(), strict=True)]
    first = np.diff(owners_of(ragged), prepend=-1) > 0
    return [0 if begins else min(ragged.overlap, size) for size, begins in zip(sizes, first.tolist(), strict=True)]


def once(ragged: Ragged) -> list[Bool]:
    """Return (T,) bool of each row: true at tokens that show something of the text, a shared one in one row alone.

    It is taken from the window in which it stands further from the edge.
    """
    owners, own, every = owners_of(ragged), of_text(ragged), shared_of(ragged)
    keep = [places[:, 1] > places[:, 0] for places in places_of(ragged)]
    for before in np.flatnonzero(owners[1:] == owners[:-1]).tolist():
        left, right = own[before], own[before + 1]
        shared = min(every[before + 1], len(left))
        keep[before][left[len(left) - (shared - shared // 2):]] = False
        keep[before + 1][right[: shared // 2]] = False
    return keep


def cut_texts(ragged: Ragged, texts: int) -> Bool:
    """Return whether any window of a text lost something, (N,) bool."""
    cut = np.zeros(texts, np.bool_)
    np.logical_or.at(cut, owners_of(ragged), ragged.truncated)
    return cut


def whole_texts(ragged: Ragged) -> Iterator[tuple[int, Int64, list[tuple[int, Int64, slice]]]]:
    """Yield each text's number, the places of all its tokens, (T, 2) int64, and its rows.

    A row is its number, which of its tokens are the text's, and where these stand among all tokens of the text.
    """
    owners, own, places, every = owners_of(ragged), of_text(ragged), places_of(ragged), shared_of(ragged)
    begins = np.flatnonzero(np.diff(owners, prepend=-1)).tolist()
    for begin, end in zip(begins, [*begins[1:], len(owners)] if begins else [], strict=True):
        rows, parts, at = [], [], 0
        for row in range(begin, end):
            shared = min(every[row], at)
            rows.append((row, own[row], slice(at - shared, at - shared + len(own[row]))))
            parts.append(places[row][own[row]][shared:])
            at += len(own[row]) - shared
        yield int(owners[begin]), np.concatenate(parts), rows


def chosen_texts(ragged: Ragged, texts: Sequence[int]) -> Ragged:
    """Return the rows of some of the texts alone, which are numbered anew in their order."""
    numbers = np.full(int(owners_of(ragged).max(initial=-1)) + 1, -1, np.int64)
    numbers[list(texts)] = np.arange(len(texts))
    rows = chosen_rows(ragged, texts)
    parts: dict[str, Any] = {name: [value[row] for row in rows] for name in ("ids", "type_ids", "offsets", "sequence")
                             if (value := getattr(ragged, name)) is not None}
    return replace(ragged, **parts, truncated=ragged.truncated[rows], owners=numbers[owners_of(ragged)[rows]],
                   fresh=None if ragged.fresh is None else ragged.fresh[rows])


def some_texts(ragged: Ragged, texts: Sequence[int],
               most: int = 256) -> Iterator[tuple[Sequence[int], list[int], Ragged]]:
    """Yield a few of the texts at a time: their numbers, those of their rows, and these rows as ``chosen_texts`` does.

    Where something is computed for each token and output, all texts at once may not fit into memory.
    """
    for start in range(0, len(texts), most):
        part = texts[start:start + most]
        yield part, chosen_rows(ragged, part), chosen_texts(ragged, part)


def chosen_rows(ragged: Ragged, texts: Sequence[int]) -> list[int]:
    """Return the rows of some of the texts."""
    found: list[int] = np.flatnonzero(np.isin(owners_of(ragged), np.asarray(texts, np.int64))).tolist()
    return found
