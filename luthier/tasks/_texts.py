"""Texts that shall be written for others."""

from __future__ import annotations

from collections.abc import Sequence

from luthier.errors import DataError
from luthier.schema import Example


def first_targets(examples: Sequence[Example]) -> list[str]:
    """Return the text that is learned for each example, the first of those that are right.

    Raises:
        DataError: an example has none.
    """
    for row in examples:
        if not row.targets or not row.targets[0]:
            raise DataError(f"{row.id}: expected a text to be written for it, got none",
                            "give the row a target, or leave it out; use `luthier predict` for rows without")
    return [row.targets[0] for row in examples if row.targets]
