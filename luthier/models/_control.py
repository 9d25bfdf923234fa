"""Control tokens that a text spells out, such as ``<|im_end|>``: they are words of its author and must end no turn."""

from __future__ import annotations

import re
from collections.abc import Sequence

_BREAK = "\ud800"
"""Where no token reaches across. Half a character of UTF-16, which no text holds."""


def spelt_out(text: str, control: Sequence[str]) -> str:
    """Return the text with a break inside each control token, so that a tokenizer reads its letters; see ``runs``.

    Args:
        text: what somebody wrote.
        control: the tokenizer's special tokens.
    """
    met = [token for token in control if len(token) > 1 and token in text]
    if not met:
        return text
    begins = "|".join(map(re.escape, met))
    return re.sub(f"(?={begins}).", lambda found: found[0] + _BREAK, text, flags=re.DOTALL)


def runs(text: str) -> list[tuple[int, str]]:
    """Return what stands between breaks, which is tokenised by itself, each with its place in the text."""
    found, place = [], 0
    for part in text.split(_BREAK):
        found.append((place, part))
        place += len(part) + len(_BREAK)
    return found
