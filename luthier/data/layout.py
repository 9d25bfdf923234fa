"""Find out how a file is laid out: its format, its encoding, and which column means what."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path

from luthier import plugins
from luthier.data.cells.annotations import has_several, unfolded
from luthier.data.formats import SEAM, find_reader
from luthier.data.kind import kinds
from luthier.data.layout_values import Columns, Layout, Seen
from luthier.data.names import shown
from luthier.data.readers._encoding import resolve
from luthier.data.readers._files import is_gzip, suffix_of
from luthier.data.rows import BadRow, Reader, Record
from luthier.errors import DataError

__all__ = ["SEAM", "Columns", "Layout", "find_reader", "inspect"]

_SAMPLE = 1000
"""Rows looked at to choose columns."""


def inspect(path: str | Path, columns: Columns = Columns(), *, encoding: str | None = None,  # noqa: B008  (frozen)
            labelled: bool = True, task: str | None = None) -> Layout:
    """Look at a file's first rows and say how it is laid out.

    Args:
        path: a CSV, TSV, JSONL, JSON, CoNLL, Parquet or XLSX file, those of text perhaps compressed with gzip; its
            content counts more than its name.
        columns: what is known already; columns that are not named here are inferred.
        encoding: Python codec name of a text format; found out from the bytes when left out.
        labelled: whether a label column is needed; without, none is looked for.
        task: ``text-classification``, ``named-entities``, ``text-to-text`` and so on; found out from the
            columns when left out.

    Raises:
        DataError: the file is missing, empty, of no known format, lacks a column, or does not fit the task.
        UnknownNameError: no such task.
    """
    path = Path(path)
    known = kinds()
    tasks = sorted({kind.TASK for kind in known})
    if task is not None and task not in tasks:
        raise plugins.unknown("task", task, tasks)
    if columns.label_separator == "":
        raise DataError("the label separator is empty", "give what stands between two labels: --label-separator ';'")
    unlabelled = any(task == kind.TASK and getattr(kind, "UNLABELLED", False) for kind in known)
    name, reader = find_reader(path, prose=unlabelled and columns == Columns())
    codec = resolve(path, encoding) if reader.IS_TEXT else None
    sample, bad = _sample(path, reader, codec)
    rows = [unfolded(record.values) for record in sample]
    present = tuple(dict.fromkeys(key for row in rows for key in row))
    if not present:
        first = f": line {bad[0].line}: {bad[0].reason}" if bad else ""
        raise DataError(f"{path}: holds no rows{first}", "give a file with a header and at least one row of data")
    notes = (*_format_notes(path, name, reader, codec, encoding), *(_unread(sample) if labelled else ()))
    seen = Seen(path, columns, rows, present, notes)
    found = (kind.find(seen, task, labelled=labelled) for kind in known)
    layout = next((one for one in found if one is not None), None)
    if layout is None:
        raise DataError(f"{path} holds no rows for the task {task}; the columns are {shown(present)}",
                        "name the columns: --text COLUMN --label COLUMN, or leave the task out")
    return replace(layout, reader=name, encoding=codec)


def _sample(path: Path, reader: Reader, codec: str | None) -> tuple[list[Record], list[BadRow]]:
    rows = list(islice(reader.records(path, codec), _SAMPLE))
    return [row for row in rows if isinstance(row, Record)], [row for row in rows if isinstance(row, BadRow)]


def _unread(sample: list[Record]) -> list[str]:
    count = sum(has_several(record.values) for record in sample)
    return [f"{count:,} of the first {len(sample):,} tasks have several annotations: of each the first is read that "
            "was not cancelled"] if count else []


def _format_notes(path: Path, name: str, reader: Reader, codec: str | None, asked: str | None) -> list[str]:
    notes = []
    if suffix_of(path) not in reader.SUFFIXES:
        notes.append(f"read as {name} because of its content, whatever its name says")
    if is_gzip(path) and reader.IS_TEXT:
        notes.append("unpacked while it is read: it is compressed with gzip")
    if codec not in (None, "utf-8", "utf-8-sig") and asked is None:
        notes.append(f"read as {codec}, found from its bytes")
    if codec is None and asked is not None:
        notes.append(f"the encoding {asked} was not used: {name} is not a text format")
    more = getattr(reader, "notes", None)
    return notes + (list(more(path, codec)) if more else [])
