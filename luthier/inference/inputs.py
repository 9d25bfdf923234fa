"""What a predictor takes: texts, or pairs of texts, and a refusal that names the row for anything else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from luthier.errors import DataError
from luthier.schema import TextInput


def checked(rows: Sequence[Any], *, pair: bool, first: int = 0) -> Sequence[TextInput]:
    """Return the rows when each is what the bundle reads.

    Args:
        rows: N values from the caller.
        pair: whether one row must be two texts.
        first: number of the first row, for messages of a stream.

    Raises:
        DataError: the rows are one text instead of a list, or a row is something else than a text or pair.
    """
    if isinstance(rows, str | bytes):
        raise DataError(f"expected a list of {'pairs of texts' if pair else 'texts'}, got one {type(rows).__name__}",
                        "put it into a list: predict([text])")
    if not isinstance(rows, Sequence):  # a generator or a column
        rows = list(rows)
    fits = _is_pair if pair else _is_text
    for number, row in enumerate(rows, first):
        if not fits(row):
            raise _refusal(row, number, pair)
    return rows


def _is_text(row: object) -> bool:
    return isinstance(row, str)


def _is_pair(row: object) -> bool:
    return isinstance(row, tuple | list) and len(row) == 2 and isinstance(row[0], str) and isinstance(row[1], str)


def _refusal(row: object, number: int, pair: bool) -> DataError:
    came = f"{type(row).__name__} {row!r:.60}"
    if pair:
        return DataError(f"row {number}: expected a pair of texts, got {came}",
                         "this bundle was tuned on pairs: give (text, text_b) for each row")
    if isinstance(row, tuple | list):
        return DataError(f"row {number}: expected one text, got {came}",
                         "this bundle was tuned on single texts: give one str for each row")
    return DataError(f"row {number}: expected a text, got {came}", "give each row as a str; leave empty cells out")
