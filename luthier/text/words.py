"""The words of a text, for scoring and showing what models say of tokens."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from luthier.text import _characters
from luthier.text.language import HAN, KANA

_MARKS = (range(0x20), range(0x7F, 0x1_F400), range(0xE_0000, 0xE_0200))
"""Where all characters lie that show nothing of their own: marks, joiners, variation selectors, controls."""
_MARK_CATEGORIES = {"Mn", "Mc", "Me", "Cf", "Cc"}
_TONES = "\U0001f3fb-\U0001f3ff\uff9e\uff9f"
"""Skin tones and the half-width voicing marks of kana: letters or symbols of their own to Unicode."""
_FLAGS = "\U0001f1e6-\U0001f1ff"


def units(text: str) -> list[tuple[int, int]]:
    """Return the words of a text as (start, end), in characters (code points), in order.

    A word is a run of letters and digits; one Han or kana character; or one character of any other kind but white
    space, as BERT splits punctuation. Accents, vowel signs, joiners, variation selectors, skin tones and invisible
    characters stay with what they follow, and what a joiner joins stays together: a family emoji is one word, and so
    is a flag. Hangul is written with spaces and counts as letters. Each character but white space is in one word.
    """
    return [match.span() for match in _pattern().finditer(text)]


@cache
def _pattern() -> re.Pattern[str]:
    def shows_nothing(character: str) -> bool:
        return unicodedata.category(character) in _MARK_CATEGORIES and not character.isspace()

    mark = f"[{_TONES}{_characters.character_class(shows_nothing, _MARKS)}]"
    single = f"[{HAN}{KANA}]"
    letter = rf"(?:(?!{single})[^\W_])"
    symbol = r"[^\w\s]"
    # Groups are repeated greedily, not possessively: Python 3.11.0 to 3.11.4 (Debian 12 has 3.11.2) match those wrongly
    # (https://github.com/python/cpython/issues/106052). Nothing follows them, so nothing is ever given back.
    return re.compile(
        f"{single}{mark}*+"
        f"|{letter}(?:{letter}|{mark})*"
        f"|[{_FLAGS}]{{2}}{mark}*+"
        rf"|\S(?:{mark}|(?<=\u200d){symbol})*"
    )
