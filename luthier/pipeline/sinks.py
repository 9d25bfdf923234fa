"""Where labelled rows go: each with every cell it came with, then what the bundle says of it."""

from __future__ import annotations

import codecs
import csv
import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, time
from pathlib import Path
from typing import Any

from luthier.errors import DataError
from luthier.pipeline.files import check_output, whole_file, whole_path
from luthier.pipeline.workbooks import SUFFIX, check_workbooks, open_workbook
from luthier.schema import Answer

Cells = Mapping[str, Any]
"""Column name -> cell, in the order of the file."""
Write = Callable[[str, Cells, Answer], None]
"""Takes a row's id, its cells and the bundle's answer."""


def check_sink(out: Path | None, data: str | Path) -> None:
    """Refuse a place that cannot be written to, before any work.

    Raises:
        DataError: says which place could be.
    """
    if out is None:
        if sys.stdout is None:
            raise DataError("standard output is closed, so there is nowhere to write to", "give --out labelled.jsonl")
        return
    if out.suffix.lower() not in (".jsonl", ".csv", SUFFIX):
        raise DataError(f"cannot write {out.name}: expected a .jsonl, .csv or {SUFFIX} file",
                        "give --out labelled.jsonl")
    if out.suffix.lower() == SUFFIX:
        check_workbooks()
    check_output(out, data)


@contextmanager
def open_sink(out: Path | None, kind: type[Any]) -> Iterator[Write]:
    """Open the place: a file that is written whole or not at all, or standard output.

    Args:
        out: a ``.jsonl``, ``.csv`` or ``.xlsx`` file; ``None`` for standard output.
        kind: class of the answers, whose ``KEYS`` and ``COLUMNS`` are what it writes of one.

    Raises:
        DataError: for tables, a row has a column that the first row lacks; for Excel, a text or the file is too long.
    """
    keys = ("id", *kind.KEYS)
    if out is None:
        # A terminal or a program that does not take UTF-8 still reads JSON's own escapes.
        escaped = codecs.lookup(sys.stdout.encoding).name != "utf-8"
        yield lambda *row: _write_json(sys.stdout, keys, *row, escaped=escaped)
    elif out.suffix.lower() == ".jsonl":
        with whole_file(out) as file:
            yield lambda *row: _write_json(file, keys, *row)
    elif out.suffix.lower() == SUFFIX:
        with whole_path(out) as place, open_workbook(place) as put:
            table = _Table(put, kind.COLUMNS, typed=True)
            yield table.write
            table.end()
    else:
        # With a mark at its start, a spreadsheet program shows Chinese as Chinese.
        with whole_file(out, encoding="utf-8-sig") as file:
            table = _Table(csv.writer(file).writerow, kind.COLUMNS)
            yield table.write
            table.end()


def _write_json(
    file: Any, keys: tuple[str, ...], row: str, cells: Cells, answer: Answer, *, escaped: bool = False
) -> None:
    given = {name: None if _is_missing(cell) else cell for name, cell in _renamed(cells, keys).items()}
    values = {"id": row, **given, **answer.to_dict()}
    try:
        line = json.dumps(values, ensure_ascii=escaped, default=str, allow_nan=False)
    except ValueError:  # a number in some cell is infinite, or none, which JSON has no word for
        values = _finite(values)
        line = json.dumps(values, ensure_ascii=escaped, default=str, allow_nan=False)
    if line != _writable(line):  # half a surrogate pair in some cell: JSON's own escape keeps it
        line = json.dumps(values, default=str, allow_nan=False)
    file.write(line + "\n")


def _finite(value: Any) -> Any:
    """Return a cell with ``None`` for each number that is not finite."""
    if isinstance(value, dict):
        return {name: _finite(child) for name, child in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(child) for child in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


class _Table:
    """A table whose header is that of its first row."""

    def __init__(self, put: Callable[[list[Any]], Any], own: tuple[str, ...], *, typed: bool = False) -> None:
        self._put = put
        self._own = own
        """Columns of an answer."""
        self._cell: Callable[[Any], Any] = _typed if typed else _cell
        self._answer: Callable[[str, Any], Any] = _typed_answer if typed else _own
        self._columns: list[str] | None = None

    def write(self, row: str, cells: Cells, answer: Answer) -> None:
        given = _renamed(cells, ("id", *self._own))
        if self._columns is None:
            self._begin(list(given))
        columns = self._columns or []
        if strange := [name for name in given if name not in columns]:
            raise DataError(f"{row} has a column that the first row lacks: {strange[0]!r}",
                            "a table has the same columns in each row: write .jsonl instead")
        own = answer.to_cells()
        self._put([row, *(self._cell(given.get(name)) for name in columns),
                   *(self._answer(name, value) for name, value in own.items())])

    def end(self) -> None:
        if self._columns is None:
            self._begin([])

    def _begin(self, columns: list[str]) -> None:
        self._columns = columns
        self._put(["id", *map(_writable, columns), *self._own])


def _renamed(cells: Cells, taken: tuple[str, ...]) -> dict[str, Any]:
    """Return the cells under their own names, or ``given_<name>`` where the answer takes the name."""
    renamed = {}
    for own, cell in cells.items():
        name = own
        while name in taken or (name != own and name in cells):
            name = f"given_{name}"
        renamed[name] = cell
    return renamed


def _own(_name: str, cell: Any) -> str:
    """Return a cell of an answer as text."""
    return str(cell).lower() if isinstance(cell, bool) else _cell(cell)


def _cell(cell: Any) -> str:
    if _is_missing(cell):
        return ""
    return _writable(json.dumps(cell, ensure_ascii=False, default=str) if isinstance(cell, list | dict) else str(cell))


def _typed_answer(name: str, cell: Any) -> Any:
    """Return a cell of an answer as a workbook holds it: a score is a number there."""
    return float(cell) if name == "score" and cell is not None else _typed(cell)


def _typed(cell: Any) -> Any:
    """Return a cell as a workbook holds it: numbers, truth values and dates as they are, all else as text."""
    if _is_missing(cell):
        return None
    return cell if isinstance(cell, bool | int | float | date | time) else _cell(cell)


def _is_missing(cell: Any) -> bool:
    return cell is None or (isinstance(cell, float) and math.isnan(cell))


def _writable(text: str) -> str:
    """Return the text as UTF-8 can carry it: half a surrogate pair is written as its escape."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")
