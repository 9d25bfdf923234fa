"""Give the columns of a table their names: from its first row, or by number when that row is data already."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from luthier.data.names import is_heading, is_known, is_number
from luthier.data.readers._sentences import TokenColumns, sentences, token_columns
from luthier.data.rows import BadRow, Record

Row = tuple[int, list[Any]]
"""Line and cells of one row."""

_PEEK = 50
_REPEATED = 4
"""Values below a heading from which on it shows that they repeat."""
_SENTENCE = re.compile(r"[。！？，、；!?]|[.,;:]\s|\w\s+\w+\s+\w+\s+\w|[\u4e00-\u9fff]{12}")
"""Marks of running text, which column names seldom have."""


@dataclass(frozen=True, slots=True)
class Header:
    """The names of a table's columns and how they came about."""

    names: tuple[str, ...]
    skip: int
    """Rows before the data: titles above the header, and the header itself."""
    notes: tuple[str, ...]
    tokens: TokenColumns | None = None
    """The columns of a table with one token a row; ``None`` when its rows are rows."""


def split_header(rows: Iterable[Row | BadRow]) -> tuple[Header, Iterator[Row | BadRow]]:
    """Look at the first rows, name the columns, and return the header with the rows of data."""
    source = (row for row in rows if isinstance(row, BadRow) or _filled(row[1]))
    peeked = list(islice(source, _PEEK))
    tables = [row[1] for row in peeked if not isinstance(row, BadRow)]
    header = find_header(tables)
    left = header.skip
    kept: list[Row | BadRow] = []
    for row in peeked:
        if left and not isinstance(row, BadRow):
            left -= 1
        else:
            kept.append(row)
    return header, chain(kept, source)


def records(rows: Iterable[Row | BadRow]) -> Iterator[Record | BadRow]:
    """Turn rows of cells into records; rows without any content are passed over, tokens are joined to sentences."""
    header, data = split_header(rows)
    named = _named(header.names, data)
    yield from named if header.tokens is None else sentences(named, header.tokens)


def _named(names: tuple[str, ...], rows: Iterable[Row | BadRow]) -> Iterator[Record | BadRow]:
    width = len(names)
    for row in rows:
        if isinstance(row, BadRow):
            yield row
            continue
        line, cells = row
        if len(cells) == width:
            yield Record(line, dict(zip(names, cells, strict=True)))
        else:
            yield _ragged(line, cells, names)


def find_header(rows: Sequence[list[Any]]) -> Header:
    """Name the columns from the first rows of a table."""
    if not rows:
        return Header((), 0, ())
    titles = _title_rows(rows)
    first, rest = _trimmed(rows[titles]), rows[titles + 1:]
    notes = [f"passed over {titles} title row(s) above the header"] if titles else []
    if _is_data(first, rest):
        names = tuple(f"column_{number}" for number in range(1, max(len(_trimmed(row)) for row in rows) + 1))
        notes.append(f"the first row looks like data, so there is no header: the columns are called {', '.join(names)}")
        return Header(names, titles, tuple(notes))
    names, renamed = _unique([str("" if cell is None else cell).strip().strip("\ufeff") for cell in first])
    if renamed:
        notes.append(f"column names that stand twice or are empty got a number: {', '.join(renamed)}")
    tokens = token_columns(names, rest)
    return Header(names, titles + 1, tuple(notes if tokens is None else [*notes, tokens.note]), tokens)


def _ragged(line: int, cells: list[Any], names: tuple[str, ...]) -> Record | BadRow:
    """Forgive missing cells at the end and empty cells too many; refuse text that spills over."""
    extra = [cell for cell in cells[len(names):] if cell not in (None, "")]
    if extra:
        return BadRow(line, f"{len(cells)} cells where the header has {len(names)}: "
                            "a text with the delimiter in it needs quotes around it")
    padded = cells[:len(names)] + [None] * (len(names) - len(cells))
    return Record(line, dict(zip(names, padded, strict=True)))


def _filled(cells: list[Any]) -> bool:
    # Zero and false are content, so the first test is only the quick one.
    return any(cells) or any(cell not in (None, "") for cell in cells)


def _title_rows(rows: Sequence[list[Any]]) -> int:
    """Count leading rows with one cell filled in above a row that is surely a header."""
    for number, row in enumerate(rows[:5]):
        filled = [cell for cell in row if cell not in (None, "")]
        if len(filled) > 1:
            return number if number and any(isinstance(cell, str) and is_known(cell) for cell in filled) else 0
    return 0


def _trimmed(cells: list[Any]) -> list[Any]:
    """Drop the empty cells at the end: spreadsheets export them by the dozen."""
    end = len(cells)
    while end > 1 and cells[end - 1] in (None, ""):
        end -= 1
    return cells[:end]


def _is_data(first: list[Any], rest: Sequence[list[Any]]) -> bool:
    """Tell whether the first row is data rather than names."""
    shown = ["" if cell is None else cell for cell in first]
    if len(shown) == 1 and max((len(row) for row in rest), default=1) == 1:
        return not (isinstance(shown[0], str) and is_heading(shown[0].strip("\ufeff ")))  # a list of texts
    below = [[row[place] for row in rest if place < len(row)] for place in range(len(shown))]
    again = [cell != "" and cell in cells for cell, cells in zip(shown, below, strict=True)]
    known = [isinstance(cell, str) and is_known(cell.strip("\ufeff ")) for cell in shown]
    # A label of the first row comes again below it, even where people name columns so; a column's name does not.
    # Where people put files together, the whole header does.
    if any(one and not other for one, other in zip(known, again, strict=True)) or all(known):
        return False
    # Data frames without column names are exported with the header 0,1,2 (and an empty name above the row numbers).
    if [str(cell) for cell in shown if cell != ""] == [str(number) for number in range(sum(c != "" for c in shown))]:
        return len(shown) < 2
    if any(again):
        return True
    if any(map(_asks, shown, below)):
        return False
    return any(not isinstance(cell, str) or is_number(cell) or len(cell) > 60 or bool(_SENTENCE.search(cell))
               for cell in shown)


def _asks(cell: Any, below: list[Any]) -> bool:
    """Tell whether a cell is a sentence above short values that repeat, as a survey's question is above its answers."""
    filled = [str(one) for one in below if one not in (None, "")]
    return (isinstance(cell, str) and _SENTENCE.search(cell) is not None and 2 * len(set(filled)) <= len(filled)
            and len(filled) >= _REPEATED and max(map(len, filled)) < len(cell))


def _unique(names: list[str]) -> tuple[tuple[str, ...], list[str]]:
    """Number the names that are empty or taken."""
    taken: set[str] = set()
    renamed: list[str] = []
    for position, name in enumerate(names, start=1):
        chosen, number = name or f"column_{position}", 1
        while chosen in taken:
            number += 1
            chosen = f"{name or f'column_{position}'}_{number}"
        if chosen != name:
            renamed.append(chosen)
        taken.add(chosen)
        names[position - 1] = chosen
    return tuple(names), renamed
