"""One JSON value that holds the whole data set: a list of rows, ``{"data": [...]}``, or an object of columns.

Articles with questions, as SQuAD nests them, give a row for each question, spaCy's pairs of a text and its entities one
row each, lists of rows below their relation (FewRel) these rows, and an object that is one conversation is one row.

The file is read into memory; JSON Lines is the format for files larger than that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from luthier.data.readers import _header, jsonl
from luthier.data.readers._encoding import DAMAGE, HEAD_BYTES, decode_head, lines_of, open_text
from luthier.data.readers._files import suffix_of
from luthier.data.readers._nested import laid_open, unpaired
from luthier.data.readers._objects import (
    by_relation,
    column_rows,
    is_columns,
    is_conversation,
    is_whole_file,
    rows_key,
)
from luthier.data.rows import BadRow, Record
from luthier.errors import DataError

SUFFIXES: tuple[str, ...] = (".json",)
IS_TEXT = True

_LIST = re.compile(r":\s*\[\s*\{")
_SPACE = re.compile(r"[ \t\r\n]*")
_Rows = list[tuple[int, Any]]


def sniff(path: Path, head: bytes) -> bool:
    """Accept text that starts a list of rows, or an object that runs over several lines or is a data set by itself."""
    text = (decode_head(head) or "").lstrip()
    if text.startswith("["):
        return suffix_of(path) in SUFFIXES or text[1:].lstrip().startswith(("{", "[", "]"))
    if not text.startswith("{"):
        return False
    lines = lines_of(text)
    try:
        first = json.loads(lines[0])
    except ValueError:
        return sum(1 for line in lines[:20] if line.startswith("{")) == 1 and (
            suffix_of(path) in SUFFIXES or len(lines) > 1 or len(head) == HEAD_BYTES)
    return isinstance(first, dict) and len(lines) == 1 and is_whole_file(first)


def records(path: Path, encoding: str | None) -> Iterator[Record | BadRow]:
    """Yield the rows; a row's line is the one on which it starts, or its number when rows share lines.

    Raises:
        DataError: the file is not JSON, or holds no rows in a shape that is known.
    """
    with open_text(path, encoding) as file:
        text = file.read().removeprefix("\ufeff")
    if _is_lines(text):
        yield from jsonl.records(path, encoding)
        return
    damaged = DAMAGE in text
    rows = unpaired(laid_open(_rows(path, text)))
    if rows and all(isinstance(row, list) for _, row in rows):
        yield from _header.records((line, row) for line, row in rows)
        return
    for line, row in rows:
        if not isinstance(row, dict):
            yield BadRow(line, f"expected an object {{…}}, came {type(row).__name__}")
        elif damaged and DAMAGE in json.dumps(row, ensure_ascii=False):
            yield BadRow(line, "bytes that do not belong to the file's encoding")
        else:
            yield Record(line, row)


def notes(path: Path, encoding: str | None) -> list[str]:
    """Return which other lists of rows stand beside those that are read."""
    with open_text(path, encoding) as file:
        text = file.read().removeprefix("\ufeff")
    # Parsed once more only where several lists of objects begin, in the rows or beside them.
    several = len(list(islice(_LIST.finditer(text), 2))) > 1
    if not several or not text.startswith("{", _skip(text, 0)) or _is_lines(text):
        return []
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return []  # whoever reads the rows says so
    key = rows_key(value) if _turned(value) is None else None
    others = [name for name, child in value.items() if name != key and isinstance(child, list) and child
              and isinstance(child[0], dict)]
    return [f"the rows below {key!r} are read, and not those below {', '.join(map(repr, others))}: give these a file "
            "of their own (--valid FILE, --test FILE)"] if key is not None and others else []


def _is_lines(text: str) -> bool:
    """Tell whether an object ends with its line and another one follows: JSON Lines whose first row fills the head."""
    start = _skip(text, 0)
    if not text.startswith("{", start):
        return False
    try:
        _, end = json.JSONDecoder().raw_decode(text, start)
    except (ValueError, RecursionError):
        return False
    after = _skip(text, end)
    return text.startswith("{", after) and "\n" in text[end:after]


def _rows(path: Path, text: str) -> _Rows:
    start = _skip(text, 0)
    try:
        if text.startswith("[", start):
            return _numbered(_list_rows(text, start))
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(f"{path}:{error.lineno}: not JSON: {error.msg} at column {error.colno}",
                        "mend the file there, or save JSON Lines, where a bad row costs only itself") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON that can be read: {error}", "mend the file, or save it as CSV") from None
    rows = _object_rows(value, text) if isinstance(value, dict) else None
    if rows is None:
        raise DataError(f"{path}: expected a list of rows, came {_shape(value)}",
                        'write [{"text": "…", "label": "…"}, …], {"data": [...]} or {"text": [...], "label": [...]}')
    return rows


def _object_rows(value: dict[str, Any], text: str) -> _Rows | None:
    """Find the rows in an object; those in a list get the lines on which they start."""
    turned = _turned(value)
    if turned is not None:
        return list(enumerate(turned, start=1))
    key = rows_key(value)
    if key is not None:
        # The list is looked for again in the text, for its lines; a key of the same name further in would mislead.
        found = re.search(rf'"{re.escape(key)}"\s*:\s*\[', text)
        rows = _numbered(_list_rows(text, found.end() - 1)) if found else []
        same = [row for _, row in rows] == value[key]
        return rows if same else list(enumerate(value[key], start=1))
    if is_conversation(value):
        return [(1 + text[:_skip(text, 0)].count("\n"), value)]
    if is_whole_file(value):
        return list(enumerate(value.values(), start=1))
    return None


def _turned(value: dict[str, Any]) -> list[dict[str, Any]] | None:
    """Return the rows of an object that holds them in another order than that of rows."""
    if isinstance(value.get("columns"), list) and isinstance(value.get("data"), list):  # pandas, orient="split"
        return [dict(zip(value["columns"], row, strict=False)) for row in value["data"]]
    related = by_relation(value)
    return column_rows(value) if related is None and is_columns(value) else related


def _list_rows(text: str, start: int) -> Iterator[tuple[int, Any]]:
    """Yield (line, value) of each member of the JSON list that starts at ``start``."""
    decode = json.JSONDecoder().raw_decode
    line = 1 + text.count("\n", 0, start)
    counted, at = start, _skip(text, start + 1)
    closed = text.startswith("]", at)
    while not closed:
        line += text.count("\n", counted, at)
        counted = at
        value, at = decode(text, at)
        yield line, value
        at = _skip(text, at)
        closed = text.startswith("]", at)
        if not closed:
            if not text.startswith(",", at):
                raise json.JSONDecodeError("Expecting ',' delimiter", text, at)
            at = _skip(text, at + 1)


def _numbered(rows: Iterator[tuple[int, Any]]) -> _Rows:
    """Number the rows instead when several share a line, so that each has a place of its own."""
    found = list(rows)
    shared = len({line for line, _ in found}) < len(found)
    return [(number, row) for number, (_, row) in enumerate(found, start=1)] if shared else found


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _shape(value: Any) -> str:
    return f"an object with the keys {', '.join(list(value)[:8])}" if isinstance(value, dict) else type(value).__name__
