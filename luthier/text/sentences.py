"""Where sentences and lines begin and end: for cutting long texts, for leads and answers. Standard library only."""

from __future__ import annotations

import re

from luthier.text.language import HAN, KANA

_CLOSING = "\"'”’』」）)】》\\]"
# Runs are taken whole and from their beginning: tried at each of its characters, a long one would take hours.
_END = re.compile(
    f"[。！？｡]++[{_CLOSING}]*+"
    f"|(?<![!?])[!?]++[{_CLOSING}]*+(?=[\\s{HAN}{KANA}])"
    f"|(?<!\\.)\\.++[{_CLOSING}]*+(?=\\s++(?:[^\\W\\d_a-zß-öø-ÿ]|[\"'“‘(\\[]|\\d))"
    "|[\\n\\r\\u2028\\u2029\\x85]\\s*+")
_WORD = re.compile(r"[^\W_]+(?:[.'’&-][^\W_]+)*\Z")
_BEFORE = 24
"""Characters before a full stop that are looked at; longer words are no abbreviations."""
_SHORT = re.compile(
    "adm|approx|assoc|ave|bros|capt|cf|co|corp|dept|dr|eds|etc|figs?|gen|gov|hon|inc|jr|lt|ltd|maj|messrs|mrs?|ms|mt|pp|prof"
    "|reps?|rev|sens?|sgt|sr|st|univ|vol|vs|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec|tue|thu", re.IGNORECASE)


def sentence_ends(text: str) -> list[int]:
    """Return the places behind the ends of sentences and lines, rising; that of the whole text is not among them.

    A full stop ends a sentence where white space follows and then a capital letter, a digit, a quotation mark or a
    letter without case, unless it stands behind a single letter or digit, a word that holds a full stop (U.S., 3.5) or
    an abbreviation.
    """
    found = [match.end() for match in _END.finditer(text) if _ends(text, match)]
    last = len(text.rstrip())
    return [place for place in found if 0 < place < last]


def sentences(text: str) -> list[tuple[int, int]]:
    """Return where the sentences and lines of a text begin and end, without white space at either end."""
    ends = [*sentence_ends(text), len(text)]
    pieces = ((start, text[start:end]) for start, end in zip([0, *ends], ends, strict=False))
    return [(start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip()))
            for start, piece in pieces if piece.strip()]


def _ends(text: str, match: re.Match[str]) -> bool:
    if text[match.start()] != "." or match[0].startswith(".."):
        return True
    word = _WORD.search(text[max(0, match.start() - _BEFORE) : match.start()])
    if word is None:
        return True
    said = word[0]
    return not (len(said) == 1 or "." in said or _SHORT.fullmatch(said))
