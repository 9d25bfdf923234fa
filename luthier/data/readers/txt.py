"""Plain text: documents of one line or several, with a blank line between two of them.

A file with one text a line and no blank lines is read by the reader of CSV, which cuts nothing where nothing separates
cells; so every line is a document there. Where documents alone can be meant, each of its lines is one here, too: its
commas are those of prose.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from luthier.data.names import TEXT_NAMES, plain
from luthier.data.readers import _delimited
from luthier.data.readers._encoding import DAMAGE, HEAD_BYTES, decode_head, lines_of, open_text, resolve
from luthier.data.readers._files import open_bytes, suffix_of
from luthier.data.readers._objects import starts_with_object
from luthier.data.readers._tagged import looks_tagged
from luthier.data.rows import BadRow, Record

SUFFIXES: tuple[str, ...] = (".txt", ".text", ".md")
IS_TEXT = True

_PUNCTUATION = re.compile("[,;] ")
_STEADY = 0.9
"""Share of lines that a delimiter cuts alike in a table."""
_LEAST, _LONGEST = 3, 20
"""Documents, and lines of the mean one, below and above which blank lines are slips in a file with one text a line."""


def sniff(path: Path, head: bytes) -> bool:  # noqa: ARG001  (content tells)
    """Accept text that no delimiter cuts into columns, with blank lines between documents."""
    text = _prose(head)
    return text is not None and _parted(text, whole=len(head) < HEAD_BYTES)


def is_prose(path: Path, head: bytes) -> bool:
    """Tell whether a file of this name holds text that no delimiter cuts into columns, with blank lines or without."""
    return suffix_of(path) in SUFFIXES and _prose(head) is not None


def _prose(head: bytes) -> str | None:
    text = decode_head(head)
    if text is None or starts_with_object(text) or looks_tagged(text):
        return None
    # Punctuation of prose, which a space follows, may come as often in each line; of cells it would be odd.
    cut = _delimited.guess_delimiter(_PUNCTUATION.sub(" ", text), ",;\t|", _STEADY)
    return text.removeprefix("\ufeff") if cut is None else None


def _parted(text: str, *, whole: bool) -> bool:
    """Tell whether blank lines stand between documents, and are no slips."""
    lines = [line.strip() for line in lines_of(text)]
    if not whole:
        lines.pop()  # cut in the middle
    filled = sum(map(bool, lines))
    documents = sum(bool(line) and (not place or not lines[place - 1]) for place, line in enumerate(lines))
    return documents >= _LEAST and filled <= _LONGEST * documents


def records(path: Path, encoding: str | None) -> Iterator[Record | BadRow]:
    """Yield a row for each document, lazily: its ``text``, lines as they are, with the number of its first line."""
    each = _by_lines(path)
    with open_text(path, resolve(path, encoding)) as file:
        lines: list[str] = []
        first = 0
        for number, line in enumerate(file, start=1):
            text = (line.removeprefix("\ufeff") if number == 1 else line).rstrip("\r\n")
            if each and text.strip() and not (number == 1 and plain(text) in TEXT_NAMES):
                yield _record(number, [text])
            elif text.strip() and not each:
                first = first if lines else number
                lines.append(text)
            elif lines:
                yield _record(first, lines)
                lines = []
        if lines:
            yield _record(first, lines)


def notes(path: Path, encoding: str | None) -> list[str]:  # noqa: ARG001  (asked of all)
    """Return what was taken for a document."""
    return ["one document a line" if _by_lines(path) else "one document between two blank lines"]


def _by_lines(path: Path) -> bool:
    with open_bytes(path) as file:
        head = file.read(HEAD_BYTES)
    return not _parted(decode_head(head) or "", whole=len(head) < HEAD_BYTES)


def _record(line: int, lines: list[str]) -> Record | BadRow:
    text = "\n".join(lines)
    if DAMAGE in text:
        return BadRow(line, "bytes that do not belong to the file's encoding")
    return Record(line, {"text": text})
