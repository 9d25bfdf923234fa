"""Cells of a row to text, labels and numbers; each says why it cannot."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from luthier.data.cells.labels import as_list, label_name
from luthier.data.cells.paths import columns_in
from luthier.data.cells.paths import joined as joined_levels
from luthier.data.cells.spans import joined, token_list
from luthier.data.layout_values import Layout
from luthier.errors import DataError

Values = Mapping[str, Any]
"""Column name -> cell."""


def texts_of_row(values: Values, layout: Layout) -> tuple[str, str | None]:
    """Return the text of a row and its pair; tokens are joined.

    Raises:
        ValueError: a column is missing, or holds no text.
    """
    if layout.tokens is not None:
        return tokens_of_row(values, layout.tokens, layout.glue)[0], None
    return text_cell(values, layout.text), None if layout.text_b is None else text_cell(values, layout.text_b)


def tokens_of_row(values: Values, column: str, glue: str) -> tuple[str, list[tuple[int, int]]]:
    """Return the text that the tokens of a row make, with start and end of each in code points.

    Raises:
        ValueError: the cell is no list of tokens.
    """
    text, places = joined(token_list(values.get(column), column), glue)
    check_characters(text, column)
    return text, places


def text_cell(values: Values, column: str) -> str:
    """Return a cell as text; an empty cell is an empty text, which *prepare* counts and drops.

    Raises:
        ValueError: there is no such column, or it holds no text.
    """
    cell = values.get(column, _ABSENT)
    if isinstance(cell, str):
        check_characters(cell, column)
        return cell
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return ""
    if cell is _ABSENT:
        raise ValueError(f"has no {column!r}")
    if isinstance(cell, list | dict | bytes):
        raise ValueError(f"{column!r}: expected text, came {type(cell).__name__}")
    return label_name(cell) or ""


def label_cell(values: Values, column: str) -> Any:
    """Return a cell that may hold a label or several; levels in columns of their own, ``a,b``, make one path.

    Raises:
        ValueError: it holds an object, or characters that are none, or a level is missing above another.
    """
    cell = values.get(column)
    if column not in values and len(levels := columns_in(column)) > 1:
        cell = joined_levels(values, levels)
    if isinstance(cell, dict | bytes):
        raise ValueError(f"{column!r}: expected a label, came {type(cell).__name__}")
    if isinstance(cell, str):
        check_characters(cell, column)
    return cell


def check_characters(cell: str, column: str) -> None:
    """Refuse halves of surrogate pairs.

    Raises:
        ValueError: says where one stands.
    """
    if cell.isascii():
        return
    try:
        cell.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(f"{column!r}: character {error.start + 1} is half a surrogate pair, not text") from None


def texts_in_memory(row: Any) -> tuple[str, str | None]:
    """Return a text, or a pair of texts, that the caller holds in memory.

    Raises:
        DataError: it is neither.
    """
    pair = None if isinstance(row, str) else as_list(row)
    if isinstance(row, str) or (pair is not None and len(pair) == 2 and all(isinstance(part, str) for part in pair)):
        texts = [str(part) for part in pair or (row,)]
        try:
            for text in texts:
                check_characters(text, "text")
        except ValueError as error:
            raise DataError(str(error), "leave such characters out: text.encode('utf-8', 'ignore').decode()") from None
        return texts[0], texts[1] if pair else None
    raise DataError(f"expected a text or a pair of texts, came {type(row).__name__}",
                    "make every text a string, such as [str(text) for text in texts]; drop missing ones")


_ABSENT = object()
