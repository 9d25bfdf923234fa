"""The special tokens that a tokenizer puts around a text or a pair, and windows of long texts within them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from luthier.schema import Int64

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_PROBE = "a"


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands before, between and behind texts, in order."""

    pieces: tuple[tuple[int, int, int], ...]
    """(sequence, id, type id): -1 and the id of a special token; or 0 or 1 for the text that stands here, and no id."""

    @classmethod
    def of(cls, tokenizer: Tokenizer, *, pair: bool) -> Frame:
        """Read the frame off a text that is surely short, without the tokenizer's own length policy."""
        text = tokenizer.encode(_PROBE, add_special_tokens=False)
        if tokenizer.post_processor is None:
            return cls(((0, -1, 0), (1, -1, 1)) if pair else ((0, -1, 0),))
        probe = tokenizer.post_processor.process(text, text if pair else None, True)
        pieces: list[tuple[int, int, int]] = []
        for special, sequence, number, type_id in zip(
            probe.special_tokens_mask, probe.sequence_ids, probe.ids, probe.type_ids, strict=True
        ):
            # Some processors number the second text alone.
            piece = (-1, number, type_id) if special else (1 if sequence == 1 else 0, -1, type_id)
            if special or piece not in pieces:
                pieces.append(piece)
        return cls(tuple(pieces))

    @property
    def special(self) -> int:
        """Return how many special tokens there are."""
        return sum(sequence < 0 for sequence, _, _ in self.pieces)

    def ids(self, parts: Sequence[list[int]]) -> list[int]:
        """Return the ids of one or two texts within the frame."""
        return list(chain.from_iterable([number] if sequence < 0 else parts[sequence]
                                        for sequence, number, _ in self.pieces))

    def type_ids(self, parts: Sequence[list[int]]) -> list[int]:
        """Return the segment ids that go with ``ids``."""
        return list(chain.from_iterable([type_id] * (1 if sequence < 0 else len(parts[sequence]))
                                        for sequence, _, type_id in self.pieces))

    def sequence(self, lengths: Sequence[int]) -> Int64:
        """Return (T,) int64 for texts of so many tokens: 0 and 1 at theirs, -1 at special ones."""
        names = [sequence for sequence, _, _ in self.pieces]
        return np.repeat(np.array(names, np.int64), [1 if name < 0 else lengths[name] for name in names])


def windows(lengths: Sequence[int], room: int, overlap: int) -> list[tuple[slice, ...]]:
    """Return which tokens of a text, or of each of a pair, stand in each window.

    Args:
        lengths: tokens of the text, or of the first and the second one.
        room: tokens of a window that are not special.
        overlap: tokens that neighbouring windows share. Of a pair at most half of what the text in windows has of
            one, so that a long other text does not multiply the windows.

    The first text of a pair stands in each window; it keeps its first ``room // 2`` tokens where both do not fit. Only
    where the second one has no more than ``room // 2`` and the first does not fit beside it, they change their parts.
    """
    if len(lengths) == 1:
        return [(part,) for part in _slices(lengths[0], room, overlap)]
    first, second = lengths
    if second <= room // 2 and first + second > room:
        left = room - second
        return [(part, slice(0, second)) for part in _slices(first, left, min(overlap, left // 2))]
    if first + second > room:
        first = min(first, room // 2)
    left = room - first
    return [(slice(0, first), part) for part in _slices(second, left, min(overlap, left // 2))]


@dataclass(frozen=True, slots=True)
class Reach:
    """What a window holds at most, beside what the model reads: no more than the rows did that it was tuned on."""

    characters: int
    sentences: int


def at_ends(places: Int64, ends: Sequence[int], room: int, overlap: int, reach: Reach) -> list[tuple[slice, ...]]:
    """Return which tokens of a text stand in each window, where windows end with sentences.

    A window takes as many whole sentences as it may hold. One that is longer than that is read in windows that share
    some tokens, and the sentence behind it begins anew.

    Args:
        places: (T, 2) int64, the characters of each token; starts never fall.
        ends: places behind sentences, rising, that of the text not among them.
        room: tokens of a window that are not special.
        overlap: tokens that windows of one sentence share, a quarter of a window at most.
        reach: characters and sentences of a window.
    """
    count, starts = len(places), places[:, 0]
    if not count:
        return [(slice(0, 0),)]
    behind = np.maximum.accumulate(places[:, 1])
    at = np.searchsorted(starts, ends)  # the first token behind each end; no end stands within a token
    at = at[(at > 0) & (at < count)]
    stops = np.append(np.unique(at[behind[at - 1] <= starts[at]]), count)
    found: list[tuple[slice, ...]] = []
    start = 0
    while True:
        most = min(start + room, int(np.searchsorted(behind, starts[start] + reach.characters, "right")))
        nth = int(np.searchsorted(stops, start, "right"))
        fit = stops[nth : nth + reach.sentences]
        fit = fit[fit <= max(most, start + 1)]
        stop = int(fit[-1]) if len(fit) else max(most, start + 1)
        found.append((slice(start, stop),))
        if stop >= count:
            return found
        start = stop if len(fit) else stop - min(overlap, (stop - start) // 4)


def around(count: int, room: int, marks: tuple[int, int, int]) -> list[slice]:
    """Return which tokens of a text stand in the one window around its two arguments, or in one around each mark.

    Args:
        count: tokens of the text.
        room: tokens of a window that are not special.
        marks: token of the mark before one argument, of that before the other, and behind the last mark; rising.

    Returns:
        One window of what is around both arguments, or at least both marks; two where no window holds both marks.
    """
    first, second, end = marks
    for behind in (max(end, second + 1), second + 1):
        if behind - first <= room:
            return [_centred(first, behind, count, room)]
    return [_centred(mark, mark + 1, count, room) for mark in (first, second)]


def _centred(begin: int, end: int, count: int, room: int) -> slice:
    """Return the window whose middle is that of the tokens from ``begin`` to ``end``, within the text."""
    start = max(0, min((begin + end - room) // 2, count - room))
    return slice(start, min(start + room, count))


def _slices(count: int, room: int, overlap: int) -> list[slice]:
    if count <= room:
        return [slice(0, count)]
    return [slice(start, min(start + room, count)) for start in range(0, count - overlap, room - overlap)]
