"""What came of each row, as counts: their sums give every averaged metric, for classes and for spans alike.

One function turns sums into metrics for the rows as they are and for every bootstrap resample, so an interval always
belongs to the number it stands beside.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from luthier.schema import Bool, Int64
from luthier.tasks import averages, precision_recall_f1

Array = npt.NDArray[np.float64]
Counts = npt.NDArray[np.bool_ | np.integer[Any]]
Keys = npt.NDArray[np.uint8]


class RowOutcomes(Protocol):
    """What came of each of N rows, whatever they are labelled with: enough to score any draw of them.

    Outcomes that also hold ``carried`` and ``given``, (N, C), tell which labels rows carry and were given.
    """

    def __len__(self) -> int:
        """Return N."""
        ...

    @property
    def right(self) -> Bool:
        """Return whether each row was answered rightly, (N,)."""
        ...

    @property
    def keys(self) -> Keys:
        """Return (N, bytes) uint8, equal where rows have equal outcomes: those are drawn together."""
        ...

    def metrics(self, times: Array, rows: Int64) -> dict[str, Array]:
        """Return each metric for each of R resamples, (R,); where there are classes also ``f1`` of each, (R, C).

        Args:
            times: (R, G) float64, how often each of G rows is drawn; whole numbers.
            rows: (G,) int64, which rows these are.
        """
        ...

    def same_truth(self, other: RowOutcomes) -> bool:
        """Return whether two systems were asked for the same: their rows carry the same truth, in the same order."""
        ...


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Counts of N rows."""

    counts: Counts
    """(N, 3, C) bool or whole numbers: true positives, false positives and false negatives of each class."""
    right: Bool
    """(N,) bool: nothing missed and nothing too much."""
    keys: Keys
    """(N, bytes) uint8: equal where rows have equal outcomes."""
    every_class: bool = False
    """Whether a class that no row carries or was given still counts in the macro average."""
    ways: Mapping[str, Counts] = field(default_factory=dict)
    """Other way of counting -> (N, 3, any number), pooled to ``precision_<way>``, ``recall_<way>`` and ``f1_<way>``."""
    tokens: Counts | None = None
    """(N, 3, tags): words by their tag, for ``token_f1_micro`` and ``token_f1_macro``; only of true spans none of which
    overlap."""

    def __len__(self) -> int:
        """Return N."""
        return len(self.right)

    @property
    def carried(self) -> Counts:
        """Return how much of each class the rows carry, (N, C): whether, where the counts are bool."""
        return self.counts[:, 0] + self.counts[:, 2]

    @property
    def given(self) -> Counts:
        """Return how much of each class the rows were given, (N, C): whether, where the counts are bool."""
        return self.counts[:, 0] + self.counts[:, 1]

    def same_truth(self, other: RowOutcomes) -> bool:
        """Return whether both have rows that carry the same."""
        if not isinstance(other, Outcomes) or not np.array_equal(self.carried, other.carried):
            return False
        # Rows without a span look alike: their words do not.
        return self.tokens is None or other.tokens is None or np.array_equal(_words(self.tokens), _words(other.tokens))

    def metrics(self, times: Array, rows: Int64) -> dict[str, Array]:
        """Return each metric for each of R resamples, (R,), and ``f1`` per class, (R, C).

        Args:
            times: (R, G) float64, how often each of G rows is drawn; whole numbers.
            rows: (G,) int64, which rows these are.

        Returns:
            ``accuracy``, the nine averages, those of ``ways`` and ``tokens``, and ``f1``.
        """
        parts = _summed(self.counts, times, rows)
        accuracy = times @ self.right[rows].astype(np.float64) / times.sum(axis=1)
        result = {"accuracy": accuracy, **averages(*parts, multi_label=self.every_class),
                  "f1": precision_recall_f1(*parts)[2]}
        for way, counts in self.ways.items():
            pooled = precision_recall_f1(*(part.sum(-1) for part in _summed(counts, times, rows)))
            result |= dict(zip(named_metrics(way), pooled, strict=True))
        if self.tokens is not None:
            means = averages(*_summed(self.tokens, times, rows), multi_label=False)
            result |= {f"token_{metric}": means[metric] for metric in ("f1_micro", "f1_macro")}
        return result


def named_metrics(way: str) -> tuple[str, str, str]:
    """Return the names of precision, recall and F1 by another way of counting."""
    return f"precision_{way}", f"recall_{way}", f"f1_{way}"


def label_outcomes(
    truth: Bool, chosen: Bool, *, multi_label: bool, ways: Mapping[str, Counts] | None = None
) -> Outcomes:
    """Count the labels of N classified rows.

    Args:
        truth: (N, C) bool, labels that the rows carry.
        chosen: (N, C) bool, labels that the rows were given.
        multi_label: whether rows may carry several labels.
        ways: other ways of counting; see ``Outcomes``.
    """
    return Outcomes(
        np.stack([truth & chosen, chosen & ~truth, truth & ~chosen], axis=1), (truth == chosen).all(axis=1),
        # Packed bits compare fast and small.
        np.packbits(np.concatenate([truth, chosen], axis=1), axis=1), multi_label, ways or {},
    )


def _words(tokens: Counts) -> Counts:
    """Return how many words of each tag the rows carry, from (N, 3, tags) counts."""
    return tokens[:, 0] + tokens[:, 2]


def _summed(counts: Counts, times: Array, rows: Int64) -> list[Array]:
    """Return three (R, columns): whole numbers well below 2**53, so float64 sums them exactly in any order."""
    table = counts[rows].reshape(len(rows), -1).astype(np.float64)  # (G, 3 * columns)
    return np.split(times @ table, 3, axis=1)
