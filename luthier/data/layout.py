"""Find out how a file is laid out: its format, its encoding, and which column means what."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from luthier import plugins
from luthier.data import columns as roles
from luthier.data.labels import as_list
from luthier.data.readers._encoding import HEAD_BYTES, resolve
from luthier.data.rows import BadRow, Reader, Record
from luthier.errors import DataError

SEAM = "data.readers"

_SAMPLE = 1000
"""Rows looked at to choose columns."""
_EASIEST_LAST = ("parquet", "xlsx", "jsonl", "json", "tsv", "csv")
"""Formats that are told surely come first, those that accept nearly any text last; outsiders' come before all."""
_KNOWN_BINARIES = (
    (b"\xd0\xcf\x11\xe0", "an old .xls or a workbook with a password",
     "open it in Excel and save it as .xlsx without a password"),
    (b"\x1f\x8b", "compressed with gzip", "unpack it first: gunzip -k {path}"),
    (b"PK\x03\x04", "a zip archive, not a workbook", "unpack it first: unzip {path}"),
    (b"%PDF", "a PDF", "copy its table into a CSV or XLSX file"),
)


@dataclass(frozen=True, slots=True)
class Columns:
    """What the caller says of the columns; ``None`` means: find out."""

    text: str | None = None
    text_b: str | None = None
    label: str | None = None
    label_separator: str | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything is in one file."""

    path: Path
    reader: str
    """Name of the format."""
    encoding: str | None
    """Python codec name; ``None`` for formats that are not text."""
    text: str
    """Column of the text."""
    text_b: str | None
    """Column of the second text of a pair."""
    label: str | None
    """Column of the label or labels; ``None`` when the rows are read without."""
    label_separator: str | None
    """What stands between several labels in one cell."""
    multi_label: bool
    """Whether a row may carry several labels or none."""
    notes: tuple[str, ...]
    """Sentences that say what was inferred, and from what."""


def inspect(path: str | Path, columns: Columns = Columns(), *, encoding: str | None = None,  # noqa: B008  (frozen)
            labelled: bool = True) -> Layout:
    """Look at a file's first rows and say how it is laid out.

    Args:
        path: a CSV, TSV, JSONL, JSON, Parquet or XLSX file; its content counts more than its name.
        columns: what is known already; columns that are not named here are inferred.
        encoding: Python codec name of a text format; found out from the bytes when left out.
        labelled: whether a label column is needed; without, none is looked for.

    Raises:
        DataError: the file is missing, empty, of no known format, or lacks a column.
    """
    path = Path(path)
    if columns.label_separator == "":
        raise DataError("the label separator is empty", "give what stands between two labels: --label-separator ';'")
    name, reader = find_reader(path)
    codec = resolve(path, encoding) if reader.IS_TEXT else None
    sample, bad = _sample(path, reader, codec)
    present = list(dict.fromkeys(key for record in sample for key in record.values))
    notes = _format_notes(path, name, reader, codec, encoding)
    rows = [record.values for record in sample]
    if not present:
        first = f": line {bad[0].line}: {bad[0].reason}" if bad else ""
        raise DataError(f"{path}: holds no rows{first}", "give a file with a header and at least one row of data")
    text, text_b = _texts(path, columns, rows, present, notes, labelled=labelled)
    label = None
    if labelled or columns.label:
        label = _label(path, columns, rows, [column for column in present if column not in (text, text_b)], notes)
    _check_distinct(path, {"text": text, "text_b": text_b, "label": label})
    multi = label is not None and _several(columns, rows, label, notes)
    return Layout(path=path, reader=name, encoding=codec, text=text, text_b=text_b, label=label,
                  label_separator=columns.label_separator if label else None, multi_label=multi, notes=tuple(notes))


def find_reader(path: Path) -> tuple[str, Reader]:
    """Return name and module of the format that a file is in, told by its content, then by its name.

    Raises:
        DataError: no such file, a directory, an empty file, or a format that nobody claims.
    """
    head = _head(path)
    known = plugins.names(SEAM)
    order = sorted(known, key=lambda name: _EASIEST_LAST.index(name) if name in _EASIEST_LAST else -1)
    readers: dict[str, Any] = {name: plugins.load(SEAM, name) for name in order}
    suffix = path.suffix.lower()
    # A format that the name speaks for goes first, but only if the content agrees.
    for name in sorted(order, key=lambda name: suffix not in readers[name].SUFFIXES):
        if readers[name].sniff(path, head):
            return name, readers[name]
    for magic, what, fix in _KNOWN_BINARIES:
        if head.startswith(magic):
            raise DataError(f"{path} is {what}", fix.format(path=path))
    raise DataError(f"{path}: the format is none that Luthier reads ({', '.join(known)})",
                    "save it as CSV UTF-8, XLSX or JSON Lines")


def _head(path: Path) -> bytes:
    try:
        if not (path.is_file() or path.is_dir()) and path.exists():
            raise DataError(f"{path} is a pipe or a device, which can be read only once or never ends",
                            "save what comes out of it to a file, and give that")
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except FileNotFoundError:
        near = _nearest_file(path)
        raise DataError(f"there is no file {path}", near or "give the path of a file that exists") from None
    except IsADirectoryError:
        files = [name for name in _entries(path) if (path / name).is_file()][:5]
        raise DataError(f"{path} is a directory",
                        f"give one file in it, such as {', '.join(files) or 'a CSV file'}") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", "check the path and its permissions") from None
    except ValueError as error:  # A NUL character.
        raise DataError(f"{str(path)!r} is no path: {error}", "give the path of a file that exists") from None
    if not head.strip(b" \t\r\n\xef\xbb\xbf\xff\xfe\x00"):
        raise DataError(f"{path} is empty", "give a file with a header and at least one row of data")
    return head


def _nearest_file(path: Path) -> str:
    if not path.parent.is_dir():
        return f"the directory {path.parent} does not exist either"
    hint = plugins.did_you_mean(path.name, _entries(path.parent))
    return hint if hint.startswith("did you mean") else ""


def _entries(directory: Path) -> list[str]:
    """Return the names in a directory for a hint; none when this user may not list it."""
    return sorted(os.listdir(directory)) if os.access(directory, os.R_OK | os.X_OK) else []


def _sample(path: Path, reader: Reader, codec: str | None) -> tuple[list[Record], list[BadRow]]:
    rows = list(islice(reader.records(path, codec), _SAMPLE))
    return [row for row in rows if isinstance(row, Record)], [row for row in rows if isinstance(row, BadRow)]


def _format_notes(path: Path, name: str, reader: Reader, codec: str | None, asked: str | None) -> list[str]:
    notes = []
    if path.suffix.lower() not in reader.SUFFIXES:
        notes.append(f"read as {name} because of its content, whatever its name says")
    if codec not in (None, "utf-8", "utf-8-sig") and asked is None:
        notes.append(f"read as {codec}, found from its bytes")
    if codec is None and asked is not None:
        notes.append(f"the encoding {asked} was not used: {name} is not a text format")
    more = getattr(reader, "notes", None)
    return notes + (list(more(path, codec)) if more else [])


def _texts(path: Path, columns: Columns, rows: Sequence[Mapping[str, Any]], present: list[str], notes: list[str], *,
           labelled: bool) -> tuple[str, str | None]:
    text_b = _asked(path, "text_b", columns.text_b, present) if columns.text_b else None
    if columns.text:
        return _asked(path, "text", columns.text, present), text_b
    label = _asked(path, "label", columns.label, present) if columns.label else None
    free = [column for column in present if column not in (text_b, label)]
    pair = roles.named_pair(free) if text_b is None else None
    if pair:
        notes.append(f"text pairs are in the columns {pair[0]!r} and {pair[1]!r}, by their names")
        return pair
    text = roles.named(free, roles.TEXT_NAMES)
    if text is not None and roles.longest_text(rows, [text]):
        notes.append(f"the text is in column {text!r}, by its name")
        return text, text_b
    if labelled and label is None and (named := roles.named(free, roles.LABEL_NAMES)) and len(free) > 1:
        free.remove(named)
    text = roles.longest_text(rows, free)
    if text is None:
        raise DataError(f"{path}: found no column of text among {_shown(present)}",
                        "name it: --text COLUMN (or data.text=COLUMN)")
    notes.append(f"the text is in column {text!r}: its cells are the longest" if len(free) > 1
                 else f"the text is in column {text!r}, the only one")
    return text, text_b


def _label(path: Path, columns: Columns, rows: Sequence[Mapping[str, Any]], free: list[str], notes: list[str]) -> str:
    if columns.label:
        return _asked(path, "label", columns.label, list(dict.fromkeys(key for row in rows for key in row)))
    label = roles.named(free, roles.LABEL_NAMES)
    if label is not None:
        notes.append(f"the label is in column {label!r}, by its name")
        return label
    likely = roles.few_values(rows, free)
    if not likely:
        raise DataError(f"{path}: found no label column among {_shown(free) or 'the other columns (there are none)'}",
                        "name it: --label COLUMN (or data.label=COLUMN)")
    notes.append(f"the label is in column {likely[0]!r}: it holds few distinct values"
                 + (f" ({_shown(likely[1:])} would do as well: name it with --label)" if likely[1:] else ""))
    return likely[0]


def _several(columns: Columns, rows: Sequence[Mapping[str, Any]], label: str, notes: list[str]) -> bool:
    """Tell whether a row may carry several labels; commas in a label are not enough."""
    if columns.label_separator is not None:
        notes.append(f"a row may carry several labels, with {columns.label_separator!r} between them")
        return True
    cells = [cell for row in rows if (cell := row.get(label)) not in (None, "")]
    if cells and all(as_list(cell) is not None for cell in cells):
        notes.append(f"a row may carry several labels: the cells of {label!r} are lists")
        return True
    return any(isinstance(cell, list) for cell in cells)


def _asked(path: Path, role: str, name: str, present: list[str]) -> str:
    """Return the column that the caller named, forgiving case and spaces."""
    if name in present:
        return name
    alike = [column for column in present if roles.plain(column) == roles.plain(name)]
    if len(alike) == 1:
        return alike[0]
    raise DataError(f"{path}: there is no column {name!r} for {role}; the columns are {_shown(present)}",
                    plugins.did_you_mean(name, present))


def _check_distinct(path: Path, chosen: Mapping[str, str | None]) -> None:
    """Refuse one column in two roles: a model that reads its own answer scores 100 % and has learned nothing."""
    given = [(role, column) for role, column in chosen.items() if column is not None]
    for place, (role, column) in enumerate(given):
        for other, same in given[:place]:
            if column == same:
                raise DataError(f"{path}: the column {column!r} is named for {other} and for {role}",
                                f"name another one: --{role.replace('_', '-')} COLUMN")


def _shown(names: Sequence[str]) -> str:
    listed = ", ".join(repr(name) for name in names[:20])
    return listed + (f" and {len(names) - 20} more" if len(names) > 20 else "")
