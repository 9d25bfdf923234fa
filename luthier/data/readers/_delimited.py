"""Read delimited text row by row, with the damage of a stray quote held to its own line.

The csv module alone would let one unclosed quote swallow the rest of the file. So a line without quotes is simply
split; a row with quotes goes through the csv module and may run over several lines, but only if it is well formed.
"""

from __future__ import annotations

import csv
import re
from collections import Counter, deque
from collections.abc import Callable, Iterator
from pathlib import Path

from luthier.data.readers._encoding import DAMAGE, HEAD_BYTES, lines_of, open_text, resolve
from luthier.data.readers._header import Row, split_header
from luthier.data.readers._header import records as named_records
from luthier.data.rows import BadRow, Record

NO_DELIMITER = "\x1f"
"""Splits nothing: for a file with one text a line."""

_SAMPLE_ROWS = 100
_LONE = re.compile(r'\\(?!["\\])')
"""A backslash before neither a quote nor another one."""
_MAX_SPAN = 100_000
"""Lines that one quoted cell may run over before its quote counts as never closed."""
_SHORT_SPAN = 200
"""The same once such a quote was met, so that a file full of them is not read over and over."""


def records(path: Path, encoding: str | None, delimiter_of: Callable[[Path, str], str]) -> Iterator[Record | BadRow]:
    """Yield the rows of a delimited file; ``delimiter_of(path, start of the text)`` chooses the delimiter."""
    yield from named_records(_rows(path, encoding, delimiter_of))


def notes(path: Path, encoding: str | None, delimiter_of: Callable[[Path, str], str]) -> list[str]:
    """Return what was guessed about the delimiter and the header."""
    with open_text(path, encoding) as file:
        delimiter = delimiter_of(path, file.read(HEAD_BYTES).removeprefix("\ufeff"))
    shown = {"\t": "tabs", NO_DELIMITER: "nothing (one text a line)"}.get(delimiter, repr(delimiter))
    header, _ = split_header(_rows(path, encoding, delimiter_of))
    return ([] if delimiter == "," else [f"cells are separated by {shown}"]) + list(header.notes)


def guess_delimiter(sample: str, candidates: str, steady: float = 0.5) -> str | None:
    """Return the candidate that cuts the sample into the steadiest number of cells, at least two.

    ``None`` when no candidate cuts the share ``steady`` of the rows into the same number of cells.
    """
    lines = lines_of(sample)
    if lines and lines[0].startswith("sep=") and len(lines[0].strip()) == 5:
        return lines[0].strip()[-1]
    if len(sample) >= HEAD_BYTES and len(lines) > 1:
        lines.pop()  # Cut in the middle.
    best: tuple[float, bool, int, str] | None = None
    for delimiter in candidates:
        widths: Counter[int] = Counter()
        for number, cells in enumerate(csv.reader(lines, delimiter=delimiter)):
            if cells:
                widths[len(cells)] += 1
            if number >= _SAMPLE_ROWS:
                break
        width, count = max(widths.items(), key=lambda item: item[1], default=(0, 0))
        # Tabs hardly stand in texts, as commas do, so as steady they win.
        if width > 1 and (best is None or (count / widths.total(), delimiter == "\t", width) > best[:3]):
            best = (count / widths.total(), delimiter == "\t", width, delimiter)
    return best[3] if best and best[0] >= steady else None


def _rows(path: Path, encoding: str | None, delimiter_of: Callable[[Path, str], str]) -> Iterator[Row | BadRow]:
    # The limit is the csv module's and holds for the whole process; cells of megabytes are legal here.
    csv.field_size_limit(2**31 - 1)
    encoding = resolve(path, encoding)
    with open_text(path, encoding) as file:
        delimiter = delimiter_of(path, file.read(HEAD_BYTES).removeprefix("\ufeff"))
    with open_text(path, encoding) as file:
        yield from _Rows(file, delimiter)


class _Rows:
    """The rows of an open file, with lines that can be put back."""

    def __init__(self, file: Iterator[str], delimiter: str) -> None:
        self._file = file
        self._back: deque[str] = deque()
        self._delimiter = delimiter
        self._next = 1
        self._width = 0
        self._span = _MAX_SPAN

    def __iter__(self) -> Iterator[Row | BadRow]:
        delimiter = self._delimiter
        while (line := self._take()) is not None:
            start = self._next - 1
            if start == 1:
                line = line.removeprefix("\ufeff")
                if line.strip() == f"sep={delimiter}":
                    continue
            if DAMAGE in line:
                yield BadRow(start, "bytes that do not belong to the file's encoding")
                continue
            row = self._quoted(line, start) if '"' in line else (start, self._raw(line))
            if not isinstance(row, BadRow):
                if row[1] == [""]:
                    continue
                self._width = self._width or len(row[1])
            yield row

    def _take(self) -> str | None:
        line = self._back.popleft() if self._back else next(self._file, None)
        if line is not None:
            self._next += 1
        return line

    def _put_back(self, lines: list[str]) -> None:
        self._back.extendleft(reversed(lines))
        self._next -= len(lines)

    def _quoted(self, line: str, start: int) -> Row | BadRow:
        """Parse a row with quotes, which may run on over the next lines."""
        alone = self._strict([line])
        if (alone is None or not self._fits(alone)) and '\\"' in line:
            alone = self._escaped(line)
        if alone is not None and self._fits(alone):
            return start, alone
        pulled = [line]
        ended = False

        def feed() -> Iterator[str]:
            nonlocal ended
            yield line
            while len(pulled) < self._span and (more := self._take()) is not None:
                pulled.append(more)
                yield more
            ended = True

        cells = next(csv.reader(feed(), delimiter=self._delimiter))
        whole = not ended and self._fits(cells)
        if whole and len(pulled) == 1:
            # In text with tabs, or one a line, quotes that do not enclose a whole cell are the writer's own words.
            return start, self._raw(line) if self._delimiter in ("\t", NO_DELIMITER) else cells
        if whole and not self._are_rows(pulled) and self._strict(pulled) is not None:
            damaged = any(DAMAGE in part for part in pulled)
            return BadRow(start, "bytes that do not belong to the file's encoding") if damaged else (start, cells)
        if len(pulled) == 1 and not ended:
            return start, cells
        self._put_back(pulled[1:])
        if ended:
            self._span = _SHORT_SPAN
        raw = self._raw(line)
        if self._fits(raw) and self._width:
            return start, raw
        return BadRow(start, "a quote opens here and does not close where a cell ends: double the quotes inside a cell")

    def _are_rows(self, lines: list[str]) -> bool:
        """Tell whether each of several lines is a row of a table with tabs: hardly a cell holds both tab and break.

        So two texts that only begin and end with a quote stay two rows. Between commas the same lines may be one cell.
        """
        return self._delimiter == "\t" and self._width > 1 and all(self._fits(self._raw(line)) for line in lines)

    def _escaped(self, line: str) -> list[str] | None:
        """Return a row whose quotes are written ``\\"``, as Spark and MySQL do; ``None`` where it is none such."""
        pulled: list[str] = []

        def feed() -> Iterator[str]:
            more: str | None = line
            while more is not None and len(pulled) < _SHORT_SPAN:
                pulled.append(more)
                yield _LONE.sub(r"\\\\", more)  # other backslashes stay what they are
                more = self._take()
            if more is not None:
                pulled.append(more)

        try:
            cells = next(csv.reader(feed(), delimiter=self._delimiter, doublequote=False, escapechar="\\", strict=True))
        except (csv.Error, StopIteration):
            cells = None
        if cells is not None and self._width and self._fits(cells) and not any(DAMAGE in part for part in pulled):
            return cells
        self._put_back(pulled[1:])
        return None

    def _fits(self, cells: list[str]) -> bool:
        return not self._width or len(cells) == self._width

    def _strict(self, lines: list[str]) -> list[str] | None:
        """Return the cells of one row if every quoted cell ends where its quote ends, else ``None``."""
        try:
            rows = list(csv.reader(lines, delimiter=self._delimiter, strict=True))
        except csv.Error:
            return None
        return rows[0] if len(rows) == 1 else None

    def _raw(self, line: str) -> list[str]:
        return line.rstrip("\r\n").split(self._delimiter)
