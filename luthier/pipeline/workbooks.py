"""Excel workbooks, written a row at a time: memory does not grow with them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

from luthier import plugins
from luthier.errors import DataError

SUFFIX = ".xlsx"
MOST_ROWS = 1_048_576
"""Rows of a sheet, the header included."""
MOST_CHARACTERS = 32_767
"""Characters of a cell, as UTF-16 counts them: an emoji is two."""
_DIGITS = 15
"""Of a number that Excel keeps; of a longer one, such as an account's, the last ones become zeros."""
_UNWRITABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
"""What XML cannot hold."""
_ELSE = "write .jsonl or .csv instead"

Put = Callable[[Sequence[Any]], None]
"""Takes the cells of a row: texts, numbers, truth values, dates, or ``None``."""


def check_workbooks() -> None:
    """Refuse before any work where workbooks cannot be written.

    Raises:
        MissingExtraError: openpyxl is not installed.
    """
    plugins.require("openpyxl")


@contextmanager
def open_workbook(path: Path) -> Iterator[Put]:
    """Open a new workbook of one sheet; it is written to ``path`` when the block ends well."""
    check_workbooks()
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell

    book = Workbook(write_only=True)
    sheet = book.create_sheet("luthier")
    rows = 0

    def cell(value: Any) -> Any:
        found = WriteOnlyCell(sheet, _as_excel_has_it(value))
        if isinstance(found.value, str):
            found.data_type = "s"  # a text, even where it begins as a formula does
        return found

    def put(values: Sequence[Any]) -> None:
        nonlocal rows
        rows += 1
        if rows > MOST_ROWS:
            raise DataError(f"a sheet of Excel holds {MOST_ROWS:,} rows, and there are more", _ELSE)
        sheet.append([cell(value) for value in values])

    try:
        yield put
    except BaseException:
        sheet.close()  # what writes it would else complain when it is collected
        raise
    book.save(path)


def _as_excel_has_it(value: Any) -> Any:
    """Return a value as a cell holds it: what is none of Excel's own kinds as a text.

    Raises:
        DataError: a text is longer than a cell.
    """
    if value is None or isinstance(value, bool | time) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, int) and abs(value) < 10**_DIGITS:
        return value
    if isinstance(value, date) and not (isinstance(value, datetime) and value.tzinfo is not None):
        return value
    text = _UNWRITABLE.sub(lambda found: f"\\x{ord(found[0]):02x}", str(value))
    length = len(text.encode("utf-16-le", "surrogatepass")) // 2
    if length > MOST_CHARACTERS:
        raise DataError(f"a text of {length:,} characters does not fit into a cell of Excel, which holds "
                        f"{MOST_CHARACTERS:,}", _ELSE)
    return text
