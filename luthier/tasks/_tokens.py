"""Targets of tokens: each row at its own length, padded when a batch is made of some."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from luthier.schema import Bool, Int64

IGNORED = -100
"""Stands where a token has no target: special tokens and padding. torch's cross entropy passes it over."""


@dataclass(frozen=True, slots=True)
class TokenTargets:
    """A number for each token of N rows."""

    rows: Sequence[Int64]
    """N arrays (T,) int64, ``IGNORED`` where a token has none."""
    counted: Sequence[Bool] | None = None
    """N arrays (T,) bool, where rows are windows: true in one of those that a token stands in."""
    owners: Int64 | None = None
    """(N,) int64, the text of each row, where rows are windows."""
    of_rows: bool = False
    """Whether the tokens of a row are one target together, and not each its own."""
    written: bool = False
    """Whether the tokens are those of a text that is written for the row, and not the row's own."""

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

    @property
    def lengths(self) -> Int64:
        """Return (N,) int64, how many tokens each row has."""
        return np.fromiter(map(len, self.rows), np.int64, len(self.rows))

    def counts(self, chosen: Int64) -> int:
        """Return how many targets the chosen rows have: one for each of their tokens that has one, or one a row."""
        if self.of_rows:
            return len(chosen)
        return int(sum(np.count_nonzero(self.rows[row] != IGNORED) for row in chosen))

    def once(self) -> list[Bool]:
        """Return N arrays (T,) bool: true at tokens that have a target, of those of several windows in one alone."""
        real = [row != IGNORED for row in self.rows]
        return real if self.counted is None else [one & own for one, own in zip(real, self.counted, strict=True)]

    def of_texts(self) -> tuple[Int64, Int64]:
        """Return the targets of all tokens, each once, row after row, (M,), and the text of each, (M,)."""
        once = self.once()
        flat = np.concatenate([*(row[keep] for row, keep in zip(self.rows, once, strict=True)), np.empty(0, np.int64)])
        owners = np.arange(len(once)) if self.owners is None else self.owners
        return flat, np.repeat(owners, [int(keep.sum()) for keep in once])
