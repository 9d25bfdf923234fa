"""JSON Lines: one JSON object a line (https://jsonlines.org)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from luthier.data.readers._encoding import DAMAGE, HEAD_BYTES, decode_head, lines_of, open_text
from luthier.data.readers._files import suffix_of
from luthier.data.readers._nested import is_nested, laid_open
from luthier.data.readers._objects import is_whole_file
from luthier.data.rows import BadRow, Record

SUFFIXES: tuple[str, ...] = (".jsonl", ".ndjson", ".jsonlines")
IS_TEXT = True


def sniff(path: Path, head: bytes) -> bool:
    """Accept text whose first line is one JSON object that is not a whole data set by itself."""
    text = (decode_head(head) or "").lstrip()
    if not text.startswith("{"):
        return False
    lines = lines_of(text)
    try:
        first = json.loads(lines[0])
    except ValueError:
        # A broken or very long first line: more lines that open an object, or the name, tell.
        opening = sum(1 for line in lines[:20] if line.startswith("{"))
        return opening > 1 or (suffix_of(path) in SUFFIXES and (len(head) < HEAD_BYTES or len(lines) == 1))
    alone = not any(line.strip() for line in lines[1:])
    return isinstance(first, dict) and not (alone and is_whole_file(first))


def records(path: Path, encoding: str | None) -> Iterator[Record | BadRow]:
    """Yield the rows lazily; blank lines are passed over. An article with its questions gives a row for each of them,
    numbered from 1.
    """
    laid = 0
    with open_text(path, encoding) as file:
        for number, line in enumerate(file, start=1):
            text = line.removeprefix("\ufeff") if number == 1 else line
            if not text or text.isspace():
                continue
            found = _record(number, text)
            if isinstance(found, BadRow) or not is_nested(found.values):
                yield found
                continue
            for _, one in laid_open([(number, found.values)]):
                laid += 1
                yield Record(laid, one) if isinstance(one, dict) else _no_object(laid, one)


def _record(number: int, text: str) -> Record | BadRow:
    if DAMAGE in text:
        return BadRow(number, "bytes that do not belong to the file's encoding")
    try:
        value: Any = json.loads(text)
    except json.JSONDecodeError as error:
        return BadRow(number, f"not JSON: {error.msg} at column {error.colno}")
    except (ValueError, RecursionError) as error:
        return BadRow(number, f"not JSON that can be read: {error}")
    if not isinstance(value, dict):
        return _no_object(number, value)
    return Record(number, value)


def _no_object(number: int, value: Any) -> BadRow:
    return BadRow(number, f"expected an object {{…}}, came {type(value).__name__}")
