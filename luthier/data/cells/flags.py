"""Cells that say yes or no: whether the label that a column is called by applies to a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from luthier.data.cells.labels import label_name
from luthier.data.cells.paths import columns_in

_YES, _NO = ("1", "1.0", "true", "yes", "y", "是"), ("0", "0.0", "false", "no", "n", "否")
_SAYS = {**dict.fromkeys(_YES, True), **dict.fromkeys(_NO, False)}
_MOST = 0.9
"""Share of the filled cells of a column that must say one or the other; those that do not are bad rows."""


def flag(cell: Any) -> bool | None:
    """Return whether a cell says yes; ``None`` when it says neither that nor no."""
    name = None if isinstance(cell, list | dict | bytes) else label_name(cell)
    return None if name is None else _SAYS.get(name.casefold())


def are_flags(rows: Sequence[Mapping[str, Any]], column: str) -> bool:
    """Tell whether nearly all filled cells of a column say yes or no."""
    cells = [cell for row in rows if (cell := row.get(column)) not in (None, "")]
    return bool(cells) and sum(flag(cell) is not None for cell in cells) >= _MOST * len(cells)


def flagged(values: Mapping[str, Any], columns: str) -> tuple[str, ...]:
    """Return the columns of a row that say yes, as its labels.

    Args:
        values: of the row.
        columns: their names, with commas between them.

    Raises:
        ValueError: a cell says neither yes nor no.
    """
    found = []
    for column in columns_in(columns):
        cell = values.get(column)
        said = flag(cell)
        if said is None:
            raise ValueError(f"{column!r} is {str(cell)[:40]!r}, expected 1 where the label applies, or 0")
        if said:
            found.append(column)
    return tuple(found)
