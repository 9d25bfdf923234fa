"""Excel workbooks: the first sheet that holds rows, read a row at a time."""

from __future__ import annotations

import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import Any

from luthier import plugins
from luthier.data.readers import _header
from luthier.data.rows import BadRow, Record
from luthier.errors import DataError

SUFFIXES: tuple[str, ...] = (".xlsx", ".xlsm")
IS_TEXT = False

_FAULTS = frozenset({"#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NULL!", "#NUM!", "#SPILL!", "#CALC!"})
"""What a formula that failed leaves in its cell: no value."""
_BATCH = 64
"""Rows held in memory at once."""


def sniff(path: Path, head: bytes) -> bool:
    """Accept zip archives that hold a workbook."""
    if not head.startswith(b"PK\x03\x04"):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.startswith("xl/") for name in archive.namelist())
    except (zipfile.BadZipFile, OSError):
        return path.suffix.lower() in SUFFIXES


def records(path: Path, encoding: str | None) -> Iterator[Record | BadRow]:  # noqa: ARG001  (not a text format)
    """Yield the rows lazily with their sheet row.

    Raises:
        DataError: the workbook is damaged.
        MissingExtraError: openpyxl is not installed.
    """
    yield from _header.records(_rows(path, []))


def notes(path: Path, encoding: str | None) -> list[str]:  # noqa: ARG001  (not a text format)
    """Return which sheet was taken and what was guessed about its header."""
    passed: list[str] = []
    header, _ = _header.split_header(_rows(path, passed))
    return [f"passed over empty sheets: {', '.join(passed)}"] * bool(passed) + list(header.notes)


def _rows(path: Path, passed: list[str]) -> Iterator[_header.Row]:
    """Yield the sheet row and cells of each row that is not empty, of the first sheet that has any.

    Args:
        path: of the workbook.
        passed: gets the titles of the empty sheets before it.
    """
    with _open(path) as book:
        for sheet in book.worksheets:
            rows = _filled(path, sheet)
            first = next(rows, None)
            if first is not None:
                yield from chain([first], rows)
                return
            passed.append(sheet.title)


def _filled(path: Path, sheet: Any) -> Iterator[_header.Row]:
    sheet.reset_dimensions()  # Other programs write a size that is too small; without it the rows themselves count.
    rows = enumerate(sheet.iter_rows(values_only=True), start=1)
    while batch := _quietly(path, rows):
        for number, values in batch:
            cells = [None if isinstance(value, str) and value in _FAULTS else value for value in values]
            if any(cell not in (None, "") for cell in cells):
                yield number, cells


def _quietly(path: Path, rows: Iterator[tuple[int, tuple[Any, ...]]]) -> list[tuple[int, tuple[Any, ...]]]:
    """Take the next rows without openpyxl's warnings about styles and extensions, which do not matter here."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return list(islice(rows, _BATCH))
    except (*_DAMAGE, SyntaxError) as error:  # SyntaxError: what the XML parser raises
        raise _damaged(path, error) from None


@contextmanager
def _open(path: Path) -> Iterator[Any]:
    plugins.require("openpyxl")
    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    # Opened here because openpyxl refuses names that do not end in .xlsx, and leaves the file open when it fails.
    with path.open("rb") as file:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                book = openpyxl.load_workbook(file, read_only=True, data_only=True)
        except (*_DAMAGE, SyntaxError, InvalidFileException) as error:
            raise _damaged(path, error) from None
        try:
            yield book
        finally:
            book.close()


# The last two: openpyxl trusts the parts of a workbook to be there and of the right kind.
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, KeyError, ValueError, AttributeError, TypeError)


def _damaged(path: Path, error: Exception) -> DataError:
    return DataError(f"{path}: not a workbook that can be read: {error}",
                     "open it in Excel and save it again as .xlsx or as CSV UTF-8")
