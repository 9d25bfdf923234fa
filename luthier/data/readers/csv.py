"""CSV with commas, semicolons, tabs or bars, quoted line breaks, with or without a header."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from luthier.data.readers import _delimited
from luthier.data.readers._encoding import decode_head
from luthier.data.readers._files import suffix_of
from luthier.data.readers._objects import starts_with_object
from luthier.data.readers._tagged import looks_tagged
from luthier.data.rows import BadRow, Record

SUFFIXES: tuple[str, ...] = (".csv", ".txt", ".text", "")
IS_TEXT = True

_STEADY = 0.9
"""Share of rows that a delimiter must cut alike where the name does not say CSV."""


def sniff(path: Path, head: bytes) -> bool:
    """Accept text that a delimiter cuts into columns, and any text whose name says CSV or plain text."""
    text = decode_head(head)
    if text is None or starts_with_object(text) or looks_tagged(text):
        return False
    return suffix_of(path) in SUFFIXES or _delimited.guess_delimiter(text, ",;\t|", _STEADY) is not None


def records(path: Path, encoding: str | None) -> Iterator[Record | BadRow]:
    """Yield the rows lazily; a row's line is the one on which it starts."""
    yield from _delimited.records(path, encoding, _delimiter)


def notes(path: Path, encoding: str | None) -> list[str]:
    """Return what was guessed about the delimiter and the header."""
    return _delimited.notes(path, encoding, _delimiter)


def _delimiter(path: Path, sample: str) -> str:
    named = suffix_of(path) == ".csv"
    # Lines of prose hold commas too, only not the same number in each.
    found = _delimited.guess_delimiter(sample, ",;\t|", 0.5 if named else _STEADY)
    first = sample.split("\n", 1)[0]
    return found or ("," if named and "," in first else _delimited.NO_DELIMITER)
