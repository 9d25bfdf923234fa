"""Targets of spans: those of each window, whatever they share, and the tokens that they may begin and end with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from luthier.schema import Bool, Int64

NONE = -1
"""Fills the places of spans where a window has fewer than others."""


@dataclass(frozen=True, slots=True)
class SpanTargets:
    """The spans of N windows."""

    tokens: Sequence[Bool]
    """N arrays (T,) bool, true at tokens that show something of the text."""
    spans: Sequence[Int64]
    """N arrays (E, 3) int64: first token, last token and type of each span, each once."""

    def __len__(self) -> int:
        """Return N."""
        return len(self.tokens)

    def __getitem__(self, chosen: Int64 | slice) -> Int64:
        """Return the targets of B windows as one array, which the loss takes apart again.

        Returns:
            (B, T + 3 E) int64: 1 at tokens that show something and 0 at others, then three numbers a span, ``NONE``
            where there is no further one. T and E are those of the longest.
        """
        rows = range(len(self))[chosen] if isinstance(chosen, slice) else chosen.tolist()
        width = max((len(self.tokens[row]) for row in rows), default=0)
        most = max((len(self.spans[row]) for row in rows), default=0)
        found = np.full((len(rows), width + 3 * most), NONE, np.int64)
        found[:, :width] = 0
        for place, row in enumerate(rows):
            found[place, : len(self.tokens[row])] = self.tokens[row]
            found[place, width:width + self.spans[row].size] = self.spans[row].ravel()
        return found

    def counts(self, chosen: Int64) -> int:
        """Return how many answers the chosen windows ask for: one each."""
        return len(chosen)
