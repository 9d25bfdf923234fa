"""Classes given to whole texts: what the kinds with one label and with several have in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from luthier.data.cells.labels import label_name, label_names
from luthier.data.cells.texts import texts_in_memory
from luthier.errors import DataError
from luthier.schema import Example

TASK = "text-classification"
"""Name of the task."""


def one_name(cell: Any) -> tuple[str, ...] | None:
    """Return the name of the one label in a cell, or ``None`` when it is missing."""
    name = label_name(cell)
    return None if name is None else (name,)


def from_memory(row: Any, label: Any, name: str, *, labelled: bool) -> Example:
    """Make an example of a text (or pair) with a label, or a list of labels.

    Raises:
        DataError: the row is no text, or has no label.
    """
    text, text_b = texts_in_memory(row)
    names = label_names(label, None) if labelled and not isinstance(label, str) else one_name(label)
    if labelled and names is None:
        raise DataError(f"the label is missing ({label!r})", "drop the rows without a label, or label them")
    return Example(name, text, text_b, names)


def check_labelled(split: str, rows: Sequence[Example]) -> None:
    """Refuse rows without labels.

    Raises:
        DataError: names some of them.
    """
    bare = [row.id for row in rows if row.labels is None]
    if bare:
        raise DataError(f"{split}: {len(bare)} rows have no label, such as {', '.join(bare[:3])}",
                        "label them, or leave them out; a label column is named with --label COLUMN")


def target(row: Example) -> tuple[str, ...]:
    """Return the labels of a row in one order."""
    return tuple(sorted(row.labels or ()))


def at_least_two(rows: Sequence[Example]) -> Counter[str]:
    """Return how many rows carry each label.

    Raises:
        DataError: all rows carry the same one, or none.
    """
    counts = Counter(label for row in rows for label in row.label_names)
    if not counts or (len(counts) == 1 and max(counts.values()) == len(rows)):
        only = f"the label {next(iter(counts))!r}" if counts else "no label"
        raise DataError(f"all {len(rows):,} rows carry {only}; there is nothing to tell apart",
                        "give rows of at least two labels, or name another column: --label COLUMN")
    return counts
