"""What is known of how a file is laid out: before it is looked at, and after."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from luthier.schema import ProblemType


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
    problem_type: ProblemType | None = None
    """What the labels are given to; ``None`` when the rows are read without."""
    tokens: str | None = None
    """Column that holds the text as a list of tokens, the same as ``text`` then; ``None`` where it is a text."""
    spans: str | None = None
    """Column of the marked spans, or of a tag for each token, the same as ``label`` then."""
    glue: str = " "
    """What stands between tokens joined to a text, where neither is Chinese."""
    answers: str | None = None
    """Column of the answers to questions, the same as ``label`` then."""
    impossible: str | None = None
    """Column that says of a question that its context answers it not."""
    group: str | None = None
    """Column that names what rows have in common that must not stand in two splits."""
