"""Where labelled rows go: each with every cell it came with, then what the bundle says of it."""

from __future__ import annotations

import codecs
import csv
import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from luthier.errors import DataError
from luthier.pipeline.files import check_output, whole_file
from luthier.schema import Prediction

Cells = Mapping[str, Any]
"""Column name -> cell, in the order of the file."""
Write = Callable[[str, Cells, Prediction], None]
"""Takes a row's id, its cells and its prediction."""

JSON_KEYS = ("id", "label", "labels", "score", "probabilities", "truncated")
CSV_COLUMNS = ("id", "label", "score", "truncated")


def check_sink(out: Path | None, data: str | Path) -> None:
    """Refuse a place that cannot be written to, before any work.

    Raises:
        DataError: says which place could be.
    """
    if out is None:
        if sys.stdout is None:
            raise DataError("standard output is closed, so there is nowhere to write to", "give --out labelled.jsonl")
        return
    if out.suffix.lower() not in (".jsonl", ".csv"):
        raise DataError(f"cannot write {out.name}: expected a .jsonl or .csv file", "give --out labelled.jsonl")
    check_output(out, data)


@contextmanager
def open_sink(out: Path | None) -> Iterator[Write]:
    """Open the place: a file that is written whole or not at all, or standard output.

    Raises:
        DataError: for CSV, a row has a column that the first row lacks.
    """
    if out is None:
        # A terminal or a program that does not take UTF-8 still reads JSON's own escapes.
        escaped = codecs.lookup(sys.stdout.encoding).name != "utf-8"
        yield lambda *row: _write_json(sys.stdout, *row, escaped=escaped)
    elif out.suffix.lower() == ".jsonl":
        with whole_file(out) as file:
            yield lambda *row: _write_json(file, *row)
    else:
        # With a mark at its start, a spreadsheet program shows Chinese as Chinese.
        with whole_file(out, encoding="utf-8-sig") as file:
            table = _Table(file)
            yield table.write
            table.end()


def _write_json(file: Any, row: str, cells: Cells, prediction: Prediction, *, escaped: bool = False) -> None:
    given = {name: None if _is_missing(cell) else cell for name, cell in _renamed(cells, JSON_KEYS).items()}
    values = {"id": row, **given, **prediction.to_dict()}
    line = json.dumps(values, ensure_ascii=escaped, default=str)
    if line != _writable(line):  # half a surrogate pair in some cell: JSON's own escape keeps it
        line = json.dumps(values, default=str)
    file.write(line + "\n")


class _Table:
    """A CSV file whose header is that of its first row."""

    def __init__(self, file: Any) -> None:
        self._writer = csv.writer(file)
        self._columns: list[str] | None = None

    def write(self, row: str, cells: Cells, prediction: Prediction) -> None:
        given = _renamed(cells, CSV_COLUMNS)
        if self._columns is None:
            self._begin(list(given))
        columns = self._columns or []
        if strange := [name for name in given if name not in columns]:
            raise DataError(f"{row} has a column that the first row lacks: {strange[0]!r}",
                            "a table has the same columns in each row: write .jsonl instead")
        self._writer.writerow((row, *(_cell(given.get(name)) for name in columns), prediction.label,
                               f"{prediction.score:.6f}", str(prediction.truncated).lower()))

    def end(self) -> None:
        if self._columns is None:
            self._begin([])

    def _begin(self, columns: list[str]) -> None:
        self._columns = columns
        self._writer.writerow((CSV_COLUMNS[0], *map(_writable, columns), *CSV_COLUMNS[1:]))


def _renamed(cells: Cells, taken: tuple[str, ...]) -> dict[str, Any]:
    """Return the cells under their own names, or ``given_<name>`` where the prediction takes the name."""
    renamed = {}
    for own, cell in cells.items():
        name = own
        while name in taken or (name != own and name in cells):
            name = f"given_{name}"
        renamed[name] = cell
    return renamed


def _cell(cell: Any) -> str:
    if _is_missing(cell):
        return ""
    return _writable(json.dumps(cell, ensure_ascii=False, default=str) if isinstance(cell, list | dict) else str(cell))


def _is_missing(cell: Any) -> bool:
    return cell is None or (isinstance(cell, float) and math.isnan(cell))


def _writable(text: str) -> str:
    """Return the text as UTF-8 can carry it: half a surrogate pair is written as its escape."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")
