"""Which tokens are the marks around the two stretches that a relation is asked of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from luthier.models.encoding import Ragged
from luthier.schema import Int64, Marked, TextInput
from luthier.tasks._windows import of_text, owners_of, places_of
from luthier.text import written

HEAD, TAIL = 1, 2
"""Bits of a token: whether it is the mark before the head, before the tail, or stands for both."""


def mark_bits(ragged: Ragged, texts: Sequence[TextInput]) -> list[Int64]:
    """Return (T,) int64 of each of W rows: the bits of the tokens that the marks of their texts are, else 0.

    A mark that stands in two windows counts in the one in which it is further from the edge. One that is in none,
    where texts are cut, is stood for by the first token.
    """
    bits = [np.zeros(len(ids), np.int64) for ids in ragged.ids]
    places, own = places_of(ragged), of_text(ragged)
    rows: list[list[int]] = [[] for _ in texts]
    for row, owner in enumerate(owners_of(ragged).tolist()):
        rows[owner].append(row)
    for text, windows in zip(texts, rows, strict=True):
        if not isinstance(text, Marked):
            raise TypeError(f"relations are told of marked texts, not of {type(text).__name__}")
        marks = written(text)
        for bit, place in ((HEAD, marks.head), (TAIL, marks.tail)):
            found = [(_room(at, own[row]), row, at) for row in windows
                     if (at := _token_at(place, places[row], own[row])) is not None]
            _, row, at = max(found, default=(0, windows[0], 0))
            bits[row][at] |= bit
    return bits


def _token_at(place: int, places: Int64, own: Int64) -> int | None:
    """Return the token that shows the character at a place of the text: the last, for one of a space may go before."""
    found = own[(places[own, 0] <= place) & (places[own, 1] > place)]
    return int(found[-1]) if len(found) else None


def _room(at: int, own: Int64) -> int:
    """Return how many tokens of the text stand on the side of a token where there are fewer."""
    return min(at - int(own[0]), int(own[-1]) - at)
