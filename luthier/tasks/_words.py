"""Where words end, for tasks that never cut one."""

from __future__ import annotations


def goes_on(left: str, right: str) -> bool:
    """Return whether two characters stand in one word: both letters or digits of scripts that put spaces between."""
    return left.isalnum() and right.isalnum() and not (_unspaced(left) or _unspaced(right))


def widened(text: str, start: int, end: int) -> tuple[int, int]:
    """Widen a stretch until neither of its ends stands within a word."""
    while start > 0 and start < len(text) and goes_on(text[start - 1], text[start]):
        start -= 1
    while 0 < end < len(text) and goes_on(text[end - 1], text[end]):
        end += 1
    return start, end


def _unspaced(letter: str) -> bool:
    """Return whether words of a letter's script run together, or endings stand at them: Thai to Khmer, CJK, Hangul."""
    return "\u0e00" <= letter <= "\u109f" or "\u1780" <= letter <= "\u17ff" or letter >= "\u2e80"
