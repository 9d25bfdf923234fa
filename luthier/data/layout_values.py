"""What is known of how a file is laid out: before it is looked at, and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from luthier.schema import ProblemType


@dataclass(frozen=True, slots=True)
class Columns:
    """What the caller says of the columns; ``None`` means: find out."""

    text: str | None = None
    text_b: str | None = None
    label: str | None = None
    label_separator: str | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """What was met in the first rows of a file."""

    path: Path
    columns: Columns
    """What the caller says of them."""
    rows: Sequence[Mapping[str, Any]]
    present: tuple[str, ...]
    """The columns that there are."""
    notes: tuple[str, ...]
    """What was inferred of the format."""


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
    notes: tuple[str, ...]
    """Sentences that say what was inferred, and from what."""
    problem_type: ProblemType | None = None
    """The kind that reads the rows; ``None`` where they are texts or pairs without labels."""
    tokens: str | None = None
    """Column that holds the text as a list of tokens, the same as ``text`` then; ``None`` where it is a text."""
    spans: str | None = None
    """Column of the marked spans, or of a tag for each token, the same as ``label`` then."""
    one_hot: bool = False
    """Whether ``label`` names columns, with commas between them, that say of each label whether it applies."""
    bare_tags: bool = False
    """Whether the tags are types without letters, ``PER`` in place of ``B-PER``."""
    glue: str = " "
    """What stands between tokens joined to a text, where neither is Chinese."""
    answers: str | None = None
    """Column of the answers to questions, the same as ``label`` then."""
    group: str | None = None
    """Column that names what rows have in common that must not stand in two splits."""
    more: Mapping[str, str] = field(default_factory=dict)
    """What else the kind reads of a row: what it calls it -> its column."""
