"""Text with tabs between the cells, quoted as spreadsheets write it or not at all as benchmarks do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from luthier.data.readers import _delimited
from luthier.data.readers._encoding import decode_head
from luthier.data.readers._files import suffix_of
from luthier.data.readers._objects import starts_with_object
from luthier.data.readers._tagged import looks_tagged
from luthier.data.rows import BadRow, Record

SUFFIXES: tuple[str, ...] = (".tsv", ".tab")
IS_TEXT = True


def sniff(path: Path, head: bytes) -> bool:
    """Accept text that tabs cut into columns, and any text whose name says TSV."""
    text = decode_head(head)
    if text is None or starts_with_object(text) or looks_tagged(text):
        return False
    if suffix_of(path) in SUFFIXES:
        return "\t" in text or _delimited.guess_delimiter(text, ",;|") is None
    return _delimited.guess_delimiter(text, "\t,;|") == "\t"


def records(path: Path, encoding: str | None) -> Iterator[Record | BadRow]:
    """Yield the rows lazily; a row's line is the one on which it starts."""
    yield from _delimited.records(path, encoding, _tab)


def notes(path: Path, encoding: str | None) -> list[str]:
    """Return what was guessed about the header."""
    return [note for note in _delimited.notes(path, encoding, _tab) if "tabs" not in note]


def _tab(path: Path, sample: str) -> str:  # noqa: ARG001  (the shape of a chooser)
    return "\t"
