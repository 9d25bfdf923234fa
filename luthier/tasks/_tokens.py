"""Targets of tokens: each row at its own length, padded when a batch is made of some."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from luthier.schema import Int64

IGNORED = -100
"""Stands where a token has no target: special tokens and padding. torch's cross entropy passes it over."""


@dataclass(frozen=True, slots=True)
class TokenTargets:
    """A number for each token of N rows."""

    rows: Sequence[Int64]
    """N arrays (T,) int64, ``IGNORED`` where a token has none."""
    of_rows: bool = False
    """Whether the tokens of a row are one target together, and not each its own."""

    def __len__(self) -> int:
        """Return N."""
        return len(self.rows)

    def __getitem__(self, chosen: Int64 | slice) -> Int64:
        """Return the targets of B rows, padded on the right to the longest, (B, T) int64."""
        rows = self.rows[chosen] if isinstance(chosen, slice) else [self.rows[row] for row in chosen]
        found = np.full((len(rows), max(map(len, rows), default=0)), IGNORED, np.int64)
        for place, row in enumerate(rows):
            found[place, : len(row)] = row
        return found

    def counts(self, chosen: Int64) -> int:
        """Return how many targets the chosen rows have: one for each of their tokens that has one, or one a row."""
        if self.of_rows:
            return len(chosen)
        return int(sum(np.count_nonzero(self.rows[row] != IGNORED) for row in chosen))

    @property
    def flat(self) -> Int64:
        """Return the targets of all tokens that have one, row after row, (M,) int64."""
        every: Int64 = np.concatenate([*self.rows, np.empty(0, np.int64)])
        found: Int64 = every[every != IGNORED]
        return found
