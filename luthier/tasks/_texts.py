"""Texts that shall be written for others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from luthier.errors import DataError
from luthier.models.encoding import Ragged
from luthier.schema import Example
from luthier.tasks._tokens import IGNORED, TokenTargets


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


def following(ragged: Ragged) -> TokenTargets:
    """Return the token that shall follow each token of N rows that a causal language model reads.

    Args:
        ragged: whole rows as token ids; ``sequence`` is 1 at the tokens that are learned.

    Returns:
        N rows (T,): at each token's place the next one, where that is learned, else ``IGNORED``.
    """
    rows = []
    for number, ids in enumerate(ragged.ids):
        row = np.full(len(ids), IGNORED, np.int64)
        learned = np.ones(len(ids), np.bool_) if ragged.sequence is None else ragged.sequence[number] == 1
        row[:-1][learned[1:]] = np.array(ids[1:], np.int64)[learned[1:]]
        rows.append(row)
    return TokenTargets(rows)
