"""The two arguments in a row of a table: each in one cell or in several, or in tags within the text."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from luthier.data.cells.labels import spelt
from luthier.data.cells.places import is_whole, whole
from luthier.data.cells.relations import inclusive, is_tagged, placed, untagged
from luthier.data.cells.texts import text_cell, tokens_of_row
from luthier.data.layout_values import Layout
from luthier.data.names import plain
from luthier.schema import Marked

INCLUSIVE_NAMES = ("subjstart", "subjend", "objstart", "objend")
"""Names of TACRED's columns of first and last tokens, and what the layout calls them."""

_BRACKETS = re.compile(r"\[\s*(/?)\s*[eE]([12])\s*\]")
"""``[E1]`` and ``[/E2]``, as prepared texts often have them."""
_OPENED = re.compile(r"<\s*[eE]([12])\s*>|\[\s*[eE]([12])\s*\]")
_NUMBER = re.compile(r"\s*(\d{1,18})(?:\.0*)?\s*", re.ASCII)
"""A whole number as tables write it: ``3``, or ``3.0`` where another cell of the column was empty."""
_WORDS = ("entity", "value", "token", "surface", "surfaceform", "string", "phrase", "term")
"""Keys for the words of an argument beside those that ``placed`` knows, as ``plain`` writes them."""
_OTHER_KEYS = re.compile(r"(?:start|begin|end|stop|pos|span|offset|indices).*|from|to|text|name|word|mention")
"""Keys beside which these may name a type instead."""


def marked_row(values: Mapping[str, Any], layout: Layout) -> Marked:
    """Return the text of a row with its two stretches.

    Raises:
        ValueError: there are no such, or they do not stand in the text.
    """
    places = None
    if layout.tokens is not None:
        text, places = tokens_of_row(values, layout.tokens, layout.glue)
    else:
        text = text_cell(values, layout.text)
    cells = {role: values.get(column) for role, column in layout.more.items()}
    types = cells.get("head type"), cells.get("tail type")
    if places is not None and INCLUSIVE_NAMES[0] in cells:
        return inclusive(text, places, [_number(cells[role]) for role in INCLUSIVE_NAMES], types)
    if in_tags(layout):
        bare = _without_tags(text)
        return placed(bare.text, *([one.start, one.end] for one in (bare.head, bare.tail)), types=types)
    return placed(text, _argument(cells, "head"), _argument(cells, "tail"), tokens=places, types=types)


def in_tags(layout: Layout) -> bool:
    """Tell whether the texts hold tags, and no column places the arguments."""
    return not layout.more.keys() & {"head", "head place", "head start", INCLUSIVE_NAMES[0]}


def opens_both(cell: Any) -> bool:
    """Tell whether a text has an opening tag for each argument, in angle or square brackets."""
    return isinstance(cell, str) and {match[1] or match[2] for match in _OPENED.finditer(cell)} == {"1", "2"}


def _without_tags(text: str) -> Marked:
    """Take out tags in angle brackets; where they are not complete, those in square brackets count as such."""
    angled = text if is_tagged(text) else _BRACKETS.sub(r"<\1e\2>", text)
    try:
        return untagged(angled)
    except ValueError as error:
        if angled == text:
            raise
        raise ValueError(f"{error} ([E1] counts as <e1>)") from None


def _argument(cells: Mapping[str, Any], which: str) -> Any:
    """Return what the cells of an argument say together, in one of the forms that ``placed`` reads.

    Args:
        cells: of a row: what the layout calls it -> cell; ``head`` for the argument itself, ``head place``, or
            ``head start`` with ``head end``.
        which: ``head`` or ``tail``.
    """
    own = cells.get(which)
    words = own.strip() if isinstance(own, str) else str(whole(own)) if is_whole(own) else ""
    if f"{which} start" in cells:
        start, end = _number(cells[f"{which} start"]), _number(cells[f"{which} end"])
    elif f"{which} place" not in cells:
        return _with_words(spelt(own))
    else:
        start, end = _number(cells[f"{which} place"]), None
        if start is None:
            return _with_words(spelt(own))
        if not isinstance(start, int):
            return spelt(start)
        if not words:
            raise ValueError(f"{which}: it begins at {start}, and the words that say how long it is are missing")
    # The words say where it ends; files that count the last character in are read, too: the words must stand there.
    if words and isinstance(start, int) and end in (None, start + len(words) - 1):
        end = start + len(words)
    found = {"start": start, "end": end, "text": words or None}
    return {key: value for key, value in found.items() if value is not None}


def _number(cell: Any) -> Any:
    """Return the whole number that a cell holds or spells, ``None`` for an empty one, or the cell as it is."""
    if isinstance(cell, str):
        found = _NUMBER.fullmatch(cell)
        return int(found[1]) if found else cell if cell.strip() else None
    if isinstance(cell, float) and math.isnan(cell):
        return None
    return whole(cell) if is_whole(cell) else cell


def _with_words(value: Any) -> Any:
    """Return an object that names its words by a less usual key with the usual one; anything else as it is."""
    if not isinstance(value, Mapping):
        return value
    shown = {plain(str(key)): key for key in value}
    if any(map(_OTHER_KEYS.fullmatch, shown)):
        return value
    key = next((shown[name] for name in _WORDS if isinstance(value.get(shown.get(name, "")), str)), None)
    return value if key is None else {**value, "text": value[key]}
