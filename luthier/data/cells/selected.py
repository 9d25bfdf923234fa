"""Queries with passages that people looked through, laid open as passages that belong to them and such that do not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from luthier.data.cells.flags import flag

_PASSAGES, _TEXT, _SELECTED = "passages", "passage_text", "is_selected"
"""Keys of MS MARCO (Bajaj et al., 2016)."""


def selected(values: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return a row of MS MARCO with all passages, those selected and the others; ``None`` where it is another row.

    Its passages are a list of objects, or as Hugging Face keeps them an object of lists.
    """
    cell = values.get(_PASSAGES)
    if isinstance(cell, Mapping):
        texts, flags = cell.get(_TEXT), cell.get(_SELECTED)
        if not isinstance(texts, list) or not isinstance(flags, list) or len(texts) != len(flags):
            return None
        cell = [{_TEXT: text, _SELECTED: flag} for text, flag in zip(texts, flags, strict=True)]
    if not isinstance(cell, list) or not cell or not all(
            isinstance(one, Mapping) and {_TEXT, _SELECTED} <= set(one) for one in cell):
        return None
    marked = [(text, flag(one[_SELECTED])) for one in cell if isinstance(text := one[_TEXT], str)]
    return {**values, _PASSAGES: [text for text, _ in marked],
            "positive_passages": [text for text, right in marked if right],
            "negative_passages": [text for text, right in marked if not right]}
