"""What a reader yields: a row, or why there is none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Record:
    """One row of a file, before anyone has said which column means what."""

    line: int
    """Physical line on which the row starts, from 1; row of a sheet; row number where there are no lines."""
    values: dict[str, Any]
    """Column name -> cell, in the order of the columns."""


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that could not be used."""

    line: int
    """Where it starts, counted like ``Record.line``."""
    reason: str
    """What was expected and what came."""


class Reader(Protocol):
    """What a file in ``data/readers/`` offers.

    It may add ``notes(path, encoding) -> list[str]``: what it had to guess.
    """

    SUFFIXES: tuple[str, ...]
    """File name endings, lower case, with the dot."""
    IS_TEXT: bool
    """Whether the file is text, so that its encoding matters."""

    def sniff(self, path: Path, head: bytes) -> bool:
        """Tell from the first bytes whether the file is of this format."""

    def records(self, path: Path, encoding: str | None) -> Iterator[Record | BadRow]:
        """Yield the rows lazily; ``encoding`` is found out when ``None``."""
