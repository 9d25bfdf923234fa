"""Where words end, for tasks that never cut one."""

from __future__ import annotations

import unicodedata


def within_word(text: str, place: int) -> bool:
    """Return whether a place between two characters of a text stands within a word.

    It does between letters or digits of scripts that put spaces between words, and before accents and vowel signs,
    which belong to what they follow.
    """
    if not 0 < place < len(text) or text[place - 1].isspace():
        return False
    right = text[place]
    if _is_mark(right):
        return True
    before = place - 1
    while before > 0 and _is_mark(text[before]):
        before -= 1
    left = text[before]
    return left.isalnum() and right.isalnum() and not (_unspaced(left) or _unspaced(right))


def widened(text: str, start: int, end: int) -> tuple[int, int]:
    """Widen a stretch until neither of its ends stands within a word."""
    while within_word(text, start):
        start -= 1
    while within_word(text, end):
        end += 1
    return start, end


def _is_mark(character: str) -> bool:
    return not character.isascii() and unicodedata.category(character)[0] == "M"


def _unspaced(letter: str) -> bool:
    """Return whether words of a letter's script run together, or endings stand at them: Thai to Khmer, CJK, Hangul."""
    return "\u0e00" <= letter <= "\u109f" or "\u1780" <= letter <= "\u17ff" or letter >= "\u2e80"
