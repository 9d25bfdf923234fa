"""What came of each row, where a row has a score of its own: every metric is the mean over rows.

The same use as ``Outcomes``: one function for the rows as they are and for every bootstrap resample.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from luthier.evaluation.outcomes import Array, Counts, Keys, RowOutcomes
from luthier.schema import Bool, Int64


@dataclass(frozen=True, slots=True)
class RowValues:
    """Scores of N rows."""

    values: Mapping[str, Array]
    """Metric -> (N,) float64, each row's own."""
    right: Bool
    """(N,) bool."""
    carried: Counts | None = None
    """(N, C) bool, which labels the rows carry; ``None`` where they carry none."""
    given: Counts | None = None
    """(N, C) bool, which labels they were given."""
    parts: Mapping[str, Bool] = field(default_factory=dict)
    """Part of the rows -> (N,) bool; each metric is also told of each part as ``<metric>_<part>``."""
    truth: Sequence[object] = ()
    """What each row carries, so that two systems can be told to have answered the same rows."""

    def __len__(self) -> int:
        """Return N."""
        return len(self.right)

    @property
    def keys(self) -> Keys:
        """Return the scores of each row as bytes, (N, bytes) uint8: equal where rows have equal outcomes."""
        columns = [np.asarray(value, np.float64) for value in (*self.values.values(), *self.parts.values())]
        return np.ascontiguousarray(np.stack(columns, axis=1)).view(np.uint8)

    def same_truth(self, other: RowOutcomes) -> bool:
        """Return whether both have rows that carry the same."""
        return isinstance(other, RowValues) and list(self.truth) == list(other.truth)

    def metrics(self, times: Array, rows: Int64) -> dict[str, Array]:
        """Return each metric for each of R resamples, (R,); 0 of a part that no row of a resample is of.

        Args:
            times: (R, G) float64, how often each of G rows is drawn; whole numbers.
            rows: (G,) int64, which rows these are.
        """
        result = {name: times @ value[rows] / times.sum(axis=1) for name, value in self.values.items()}
        for part, mask in self.parts.items():
            drawn = np.maximum(times @ mask[rows].astype(np.float64), 1)
            result |= {f"{name}_{part}": times @ (value * mask)[rows] / drawn for name, value in self.values.items()}
        return result
