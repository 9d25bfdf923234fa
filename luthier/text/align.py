"""Where each character of a normalised text came from, so that what is found in it can be shown in the caller's own."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Literal

import numpy as np

from luthier.schema import Int64
from luthier.text import _characters
from luthier.text.normalize import INVISIBLE, Form, normalize, visible

_UnicodeForm = Literal["NFC", "NFKC"]

_GONE = re.compile(f"(?<=\r)\n|(?![\r\x85]){INVISIBLE.pattern}")
"""Characters that the visible text no longer holds: the second of a line end of two, and the invisible ones. (A lone
carriage return and a next-line character are among the latter, but become line ends before those are dropped.)"""
_BLOCKS = (range(0xA0, 0x3400), range(0xA000, 0xAC00), range(0xF900, 0x20000), range(0x2F800, 0x2FA20))
"""Where all characters lie that a normal form changes or joins to the one before: neither Han nor Hangul syllables."""
_LONGEST = 32
"""Characters of a stretch up to which it is split further: real letters carry fewer marks."""


@dataclass(frozen=True, slots=True)
class Aligned:
    """A normalised text of M characters, and the stretch of the original that each of them stands for."""

    text: str
    """Exactly ``normalize(original, form)``."""
    starts: Int64
    """(M,) int64, first character in the original, in code points; never falls."""
    ends: Int64
    """(M,) int64, the character behind the last; never falls, and is always greater than ``starts``."""


def aligned(text: str, form: Form = "nfc") -> Aligned:
    """Normalise a text and say where each character came from.

    A character that several originals were joined to, as a letter and its accent, stands for all of them, and so does
    each of the several characters that one was taken apart to. Dropped characters belong to none, unless they stood
    amid ones that were joined. The normal form is taken apart where UAX #15 (section 9.1, stable code points) lets it.
    """
    if form == "none" or (text.isascii() and text.isprintable()):
        return _shifted(normalize(text, form), text)
    unicode_form: _UnicodeForm = "NFC" if form == "nfc" else "NFKC"
    seen = visible(text)
    starts, ends = _kept(text, len(seen))
    whole = seen
    if not unicodedata.is_normalized(unicode_form, seen):
        first, last, whole = _composed(seen, unicode_form)
        starts, ends = starts[first], ends[last]
    trimmed = whole.strip()
    lead = len(whole) - len(whole.lstrip())
    place = slice(lead, lead + len(trimmed))
    return Aligned(trimmed, starts[place], ends[place])


def _shifted(found: str, text: str) -> Aligned:
    lead = len(text) - len(text.lstrip()) if len(found) < len(text) else 0
    starts = np.arange(lead, lead + len(found), dtype=np.int64)
    return Aligned(found, starts, starts + 1)


def _kept(text: str, count: int) -> tuple[Int64, Int64]:
    """Return starts and ends of the ``count`` characters that stay visible, before they are composed."""
    if count == len(text):
        starts = np.arange(count, dtype=np.int64)
        return starts, starts + 1
    gone = np.fromiter((match.start() for match in _GONE.finditer(text)), np.int64)
    keep = np.ones(len(text), np.bool_)
    keep[gone] = False
    starts = np.flatnonzero(keep).astype(np.int64)
    ends = starts + 1
    # A line end of two characters is one: it stands for both.
    second = gone[[text[place] == "\n" for place in gone.tolist()]]
    ends[np.searchsorted(starts, second) - 1] += 1
    return starts, ends


def _composed(text: str, form: _UnicodeForm) -> tuple[Int64, Int64, str]:
    """Return of each character of the normal form the first and the last character it came from, and the form."""
    opens = np.ones(len(text), np.bool_)
    changed, sizes, parts, done = [], [], [], 0
    for match in _pattern(form).finditer(text):
        place, stretch = match.start(), match.group()
        parts.append(text[done:place])
        done = match.end()
        for taken, given in _pieces(stretch, form) if len(stretch) <= _LONGEST else [_piece(stretch, form)]:
            changed.append(place)
            sizes.append(len(given))
            parts.append(given)
            opens[place + 1 : place + taken] = False
            place += taken
    first = np.flatnonzero(opens).astype(np.int64)
    last = np.append(first[1:], len(text)) - 1
    counts = np.ones(len(first), np.int64)
    counts[np.searchsorted(first, changed)] = sizes
    return np.repeat(first, counts), np.repeat(last, counts), "".join([*parts, text[done:]])


def _piece(stretch: str, form: _UnicodeForm) -> tuple[int, str]:
    return len(stretch), unicodedata.normalize(form, stretch)


@lru_cache(maxsize=1 << 14)
def _pieces(stretch: str, form: _UnicodeForm) -> tuple[tuple[int, str], ...]:
    """Take a stretch apart as far as its parts have the normal form of the whole: (characters in, normal form)."""
    pieces = []
    while stretch:
        whole = unicodedata.normalize(form, stretch)
        for cut in range(1, len(stretch) + 1):
            head = unicodedata.normalize(form, stretch[:cut])
            if head + unicodedata.normalize(form, stretch[cut:]) == whole:
                break
        pieces.append((cut, head))
        stretch = stretch[cut:]
    return tuple(pieces)


@cache
def _pattern(form: _UnicodeForm) -> re.Pattern[str]:
    """Match what a normal form may change: a character with those that may join it, or one that it writes otherwise."""
    seconds = {chr(point) for block in (range(0x1161, 0x1176), range(0x11A8, 0x11C3)) for point in block}
    for point in (point for block in _BLOCKS for point in block):
        parts = unicodedata.decomposition(chr(point)).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            seconds.add(chr(int(parts[1], 16)))

    def joins(character: str) -> bool:
        first = unicodedata.normalize(f"{form[:-1]}D", character)[0]  # type: ignore[arg-type]
        return unicodedata.combining(first) != 0 or first in seconds

    def changes(character: str) -> bool:
        return not unicodedata.is_normalized(form, character)

    joining = _characters.character_class(joins, _BLOCKS)
    return re.compile(f"(?s:.)[{joining}]+|[{_characters.character_class(changes, _BLOCKS)}]")
