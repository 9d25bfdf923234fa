"""Numbers as labels: reading them from cells, telling them from classes, and what prepare needs to know of them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from luthier.data.cells.labels import as_list, label_name
from luthier.data.names import plain
from luthier.errors import DataError
from luthier.schema import Example, Scale

_GRADES = ("score", "scores", "rating", "ratings", "stars", "grade", "grades", "评分", "星级", "分数", "得分", "等级")
"""Names of columns of grades and amounts."""
MOST_GRADES = 20
"""Distinct whole numbers up to which they are read as grades."""
FAR = 1e30
"""Numbers beyond this do not survive float32."""

_BINS = 10
"""Quantiles that rows are split by."""
_BIN_ROWS = 10
"""Least rows of a quantile."""
_FINEST = 1e-5
"""Least deviation, as a share of the mean, that float32 tells apart."""

_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20, 0x2212: 0x2D}
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?", re.ASCII)


def number_of(cell: Any) -> float:
    """Return the finite number in a cell.

    Full-width digits and signs count as their plain ones, and commas as thousands where nothing else can be meant:
    ``1,234.5`` and ``1,234,567``. What may be read in two ways is refused.

    Raises:
        ValueError: says why the cell holds no number.
    """
    if hasattr(cell, "item") and hasattr(cell, "dtype"):
        cell = cell.item()
    if isinstance(cell, bool):
        raise ValueError(f"{str(cell).lower()!r} is no number")
    if isinstance(cell, int | float):
        try:
            found = float(cell)
        except OverflowError:
            found = math.inf
    elif label_name(cell) is None if not isinstance(cell, list | dict | bytes) else False:
        raise ValueError("is empty: the row has no number")
    else:
        found = _spelled(cell)
    if math.isnan(found):
        raise ValueError("is empty: the row has no number")
    if abs(found) > FAR:
        raise ValueError(f"{str(cell)[:40]!r} is no number within {FAR:g}")
    return found


def _spelled(cell: Any) -> float:
    """Return the number that a text spells."""
    if isinstance(cell, list | dict | bytes) or (isinstance(cell, str) and as_list(cell) is not None):
        raise ValueError(f"expected one number, came {type(cell).__name__}")
    text = str(cell).translate(_FULL_WIDTH).strip()
    shown = repr(text[:40])
    if _NUMBER.fullmatch(text):
        return float(text)
    if text.endswith("%") and _NUMBER.fullmatch(text[:-1].strip()):
        raise ValueError(f"{shown} may be {text[:-1].strip()} or a hundredth of it: write it without the percent sign")
    if _GROUPED.fullmatch(text):
        if "." in text or text.count(",") > 1:
            return float(text.replace(",", ""))
        raise ValueError(f"{shown} may be {text.replace(',', '')} or {text.replace(',', '.')}: write it without comma")
    if "," in text and _NUMBER.fullmatch(text.replace(",", ".")):
        raise ValueError(f"{shown} is no number: write the decimal point as a point")
    raise ValueError(f"{shown} is no number")


MOST = 0.9
"""Share of the cells of a column of numbers that must be numbers: the others are bad rows."""


def numbers_in(rows: Sequence[Mapping[str, Any]], column: str, *, share: float = 1.0) -> list[float] | None:
    """Return the numbers of a column, without its empty cells; ``None`` when too many others are no numbers.

    Args:
        rows: with the column.
        column: its name.
        share: of the filled cells that must be numbers.
    """
    found, others = [], 0
    for row in rows:
        cell = row.get(column)
        if isinstance(cell, list | dict | bytes) or (cell is not None and label_name(cell) is not None):
            try:
                found.append(number_of(cell))
            except ValueError:
                others += 1
                if share == 1:
                    return None
    return found if found and len(found) >= share * (len(found) + others) else None


def are_amounts(numbers: Sequence[float]) -> bool:
    """Tell whether numbers are surely no classes: not all whole, and more of them distinct than ``MOST_GRADES``.

    Whole numbers never are: 150 of them may well be the numbers of 150 intents.
    """
    return not whole(numbers) and len(set(numbers)) > MOST_GRADES


def consecutive(numbers: Sequence[float]) -> bool:
    """Tell whether numbers look like grades: three or more whole ones without a gap."""
    distinct = sorted(set(numbers))
    return 3 <= len(distinct) <= MOST_GRADES and whole(distinct) and distinct[-1] - distinct[0] == len(distinct) - 1


def are_called_grades(column: str) -> bool:
    """Tell whether a column is called as people call grades and amounts."""
    return plain(column) in _GRADES


def whole(numbers: Sequence[float]) -> bool:
    """Tell whether all numbers are whole."""
    return all(float(one).is_integer() for one in numbers)


def values_of(rows: Sequence[Example]) -> npt.NDArray[np.float64]:
    """Return the numbers of N examples, (N,) float64.

    Raises:
        DataError: an example has none.
    """
    for row in rows:
        if row.value is None or not math.isfinite(row.value):
            raise DataError(f"{row.id}: expected a number, got {row.value!r}",
                            "give the row a number or leave it out; use `luthier predict` for rows without")
    return np.array([row.value for row in rows], np.float64)


def scale_of(rows: Sequence[Example]) -> Scale:
    """Return mean, deviation and grades of training rows.

    Raises:
        DataError: all numbers are the same, or differ by less than float32 can tell.
    """
    values = values_of(rows)
    mean, deviation = float(values.mean()), float(values.std())
    if values.min() == values.max():
        raise DataError(f"all {len(rows):,} rows have the number {values[0]:g}; there is nothing to learn",
                        "give rows of different numbers, or name another column: --label COLUMN")
    if deviation < _FINEST * abs(mean) or deviation < 1 / FAR:
        raise DataError(f"the numbers are {mean:g} give or take {deviation:g}: too close together for a model to tell",
                        "subtract what they have in common, or give them in another unit")
    distinct = sorted(set(values.tolist()))
    graded = len(distinct) <= MOST_GRADES and whole(distinct)
    return Scale(mean, deviation, tuple(int(one) for one in distinct) if graded else ())


def binned(rows: Sequence[Example]) -> list[Example]:
    """Return the rows with the quantile of their number as their label, to be split or sampled by."""
    values = values_of(rows)
    bins = max(1, min(_BINS, len(rows) // _BIN_ROWS))
    edges = np.unique(np.quantile(values, np.arange(1, bins) / bins, method="lower"))
    return [replace(row, labels=(f"{place:02d}",))
            for row, place in zip(rows, np.searchsorted(edges, values, side="left").tolist(), strict=True)]


def unbinned(rows: Sequence[Example]) -> list[Example]:
    """Undo ``binned``."""
    return [replace(row, labels=None) for row in rows]


def described(rows: Sequence[Example]) -> dict[str, float]:
    """Return minimum, mean, maximum and standard deviation of the numbers."""
    values = values_of(rows)
    return {"min": float(values.min()), "mean": float(values.mean()), "max": float(values.max()),
            "deviation": float(values.std())}
