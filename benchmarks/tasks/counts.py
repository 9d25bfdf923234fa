"""Counts of each test row, whose sums over any draw of rows give the scores, so that intervals belong to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from luthier.evaluation.intervals import Difference, Draws, Interval, differences, intervals
from luthier.evaluation.outcomes import Array, Keys, RowOutcomes
from luthier.schema import Bool, Int64

Rows = dict[str, list[list[float]]]
"""Test set -> of each row its counts, the first of which is 1."""
Figures = Callable[[Array], dict[str, Array]]
"""From the sums of R draws of rows, (R, S), to each metric, (R,) in [0, 1]."""
DRAWS = Draws(resamples=1000)


@dataclass(frozen=True, slots=True)
class Counted:
    """The counts of N rows, as ``luthier.evaluation`` draws them again."""

    counts: Array
    """(N, S) float64."""
    figures: Figures

    def __len__(self) -> int:
        """Return N."""
        return len(self.counts)

    @property
    def right(self) -> Bool:
        """Return that no row is told to be right, (N,): it is not asked."""
        return np.zeros(len(self.counts), np.bool_)

    @property
    def keys(self) -> Keys:
        """Return (N, 8 S) uint8: the counts as bytes."""
        return np.ascontiguousarray(self.counts).view(np.uint8)

    def metrics(self, times: Array, rows: Int64) -> dict[str, Array]:
        """Return each metric of R draws, (R,), from how often each of G rows is drawn, (R, G)."""
        return self.figures(times @ self.counts[rows])

    def same_truth(self, other: RowOutcomes) -> bool:
        """Return whether both are of as many rows; the driver gives all sides the same ones."""
        return len(self) == len(other)


def score(rows: Sequence[Sequence[float]], figures: Figures) -> dict[str, Interval]:
    """Return each metric with its 95 % interval."""
    return intervals(Counted(np.array(rows, np.float64), figures), DRAWS).metrics


def compare(ours: Sequence[Sequence[float]], theirs: Sequence[Sequence[float]], figures: Figures,
            ) -> dict[str, Difference]:
    """Return by how much the first side scores higher, with the 95 % interval of a paired bootstrap."""
    first, second = (Counted(np.array(rows, np.float64), figures) for rows in (ours, theirs))
    return differences(first, second, DRAWS)


def f1(right: Array, said: Array, true: Array) -> Array:
    """Return F1 from how many were right, said and true, all of one shape; 0 where nothing was said or true."""
    return 2 * right / np.maximum(said + true, 1)


def means(*names: str) -> Figures:
    """Return figures that are means over rows: of the columns behind the first, in this order."""
    return lambda sums: {name: sums[:, number] / sums[:, 0] for number, name in enumerate(names, start=1)}
