"""What rows with marked spans must hold, whatever they are learned as."""

from __future__ import annotations

from collections.abc import Collection

from luthier.errors import DataError
from luthier.plugins import did_you_mean
from luthier.schema import Example


def check_marked(example: Example, types: Collection[str]) -> None:
    """Refuse a row without spans, or with one of another type.

    Raises:
        DataError: names the row.
    """
    if example.spans is None:
        raise DataError(f"{example.id}: expected spans, got none",
                        "mark the entities of the row, or give it an empty list of them")
    for span in example.spans:
        if span.label not in types:
            raise DataError(f"{example.id}: entity type {span.label!r} is not in the label set",
                            did_you_mean(span.label, types))
