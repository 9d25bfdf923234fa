"""Rows to be scored: their texts in the form in which rows are learned, and a query once.

Duplicates and contradictions, which training leaves out of its test rows, are scored as they stand in the file.
"""

from __future__ import annotations

from collections.abc import Sequence

from luthier.data.kind import Kind
from luthier.schema import Example
from luthier.text.normalize import Form


def scored_rows(rows: Sequence[Example], kind: Kind, form: Form) -> tuple[list[Example], list[str]]:
    """Return the rows as they are scored, and why some are left out.

    Args:
        rows: as they were read.
        kind: their problem type's.
        form: that the model's training rows were given.

    Returns:
        The rows in their normal form but those without a text; where several are scored together, one for them.
    """
    normal = [(row, kind.normal(row, form)) for row in rows]
    told = [f"left out {row.id}: it lacks a text" for row, found in normal if found is None]
    kept = [found for _, found in normal if found is not None]
    if hasattr(kind, "scored_together"):
        kept, lost = kind.scored_together(kept)
        told += lost
    return kept, told
