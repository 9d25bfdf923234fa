"""How sure a score is: percentile bootstrap over the test rows, and the paired bootstrap for two systems.

Following Efron and Tibshirani, *An Introduction to the Bootstrap* (1993), chapters 13 and 16. Drawing N rows with
replacement is the same as drawing how often each *distinct outcome* (what the row carries, what it was given) occurs
from a multinomial distribution. So rows with equal outcomes are counted once and the counts are drawn: exact, and the
cost grows with distinct outcomes (4 for two classes), not with rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from luthier.errors import DataError
from luthier.schema import Bool
from luthier.tasks import averages, precision_recall_f1

Array = npt.NDArray[np.float64]

_CHUNK_CELLS = 2_000_000  # draws held at once: 16 MB of int64


@dataclass(frozen=True, slots=True)
class Interval:
    """A score with its percentile interval; in the unit of the metric, [0, 1]."""

    value: float
    """On the rows as they are."""
    low: float
    high: float

    def to_dict(self) -> dict[str, float]:
        """Return the JSON form."""
        return {"value": self.value, "low": self.low, "high": self.high}


@dataclass(frozen=True, slots=True)
class Difference:
    """How much one system scores above another on the same rows."""

    value: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """Return ``better`` or ``worse`` when the interval leaves 0 out, else ``no significant difference``."""
        if self.low > 0:
            return "better"
        return "worse" if self.high < 0 else "no significant difference"

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"value": self.value, "low": self.low, "high": self.high, "verdict": self.verdict}


@dataclass(frozen=True, slots=True)
class Intervals:
    """Intervals of the averaged metrics and of each class's F1."""

    metrics: dict[str, Interval]
    class_f1: tuple[Interval, ...]
    """C intervals in the order of the label set."""


def bootstrap(
    truth: Bool,
    chosen: Bool,
    *,
    multi_label: bool = False,
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Intervals:
    """Return percentile intervals of the accuracy, of every averaged metric and of each class's F1.

    Args:
        truth: (N, C) bool, labels that the rows carry.
        chosen: (N, C) bool, labels that the rows were given.
        multi_label: whether rows may carry several labels; decides what a macro average runs over.
        resamples: how many times the N rows are drawn again.
        confidence: coverage of the intervals.
        seed: of the draws; the same seed and rows give the same intervals.
    """
    point = _metrics(*_as_is(truth, chosen), truth.shape[1], multi_label)
    drawn = [
        _metrics(counts, distinct, truth.shape[1], multi_label)
        for counts, distinct in _draws((truth, chosen), resamples, seed)
    ]
    joined = {name: np.concatenate([part[name] for part in drawn]) for name in point}
    metrics = {
        name: _interval(float(value[0]), joined[name], confidence) for name, value in point.items() if value.ndim == 1
    }
    per_class = tuple(_interval(float(value), joined["f1"][:, c], confidence) for c, value in enumerate(point["f1"][0]))
    return Intervals(metrics, per_class)


def paired_bootstrap(
    truth: Bool,
    chosen: Bool,
    other: Bool,
    *,
    multi_label: bool = False,
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> dict[str, Difference]:
    """Return how much ``chosen`` scores above ``other`` on the same rows, with percentile intervals.

    Args:
        truth: (N, C) bool, labels that the rows carry.
        chosen: (N, C) bool, labels that the first system gave.
        other: (N, C) bool, labels that the second system gave.
        multi_label: whether rows may carry several labels; decides what a macro average runs over.
        resamples: how many times the N rows are drawn again, the same rows for both systems.
        confidence: coverage of the intervals.
        seed: of the draws.

    Raises:
        DataError: the two systems did not answer the same rows.
    """
    if chosen.shape != other.shape or truth.shape != chosen.shape:
        raise DataError(
            f"a paired comparison needs the same rows for both systems, got {chosen.shape[0]} and "
            f"{other.shape[0]} rows",
            "evaluate both on the same file",
        )
    classes = truth.shape[1]
    point = _difference(*_as_is(truth, chosen, other), classes, multi_label)
    drawn = [
        _difference(counts, distinct, classes, multi_label)
        for counts, distinct in _draws((truth, chosen, other), resamples, seed)
    ]
    result = {}
    for name, value in point.items():
        interval = _interval(float(value[0]), np.concatenate([part[name] for part in drawn]), confidence)
        result[name] = Difference(interval.value, interval.low, interval.high)
    return result


def _as_is(*parts: Bool) -> tuple[Array, Bool]:
    """Return the rows as one resample that draws each row once: (1, N) float64 and (N, …) bool."""
    return np.ones((1, len(parts[0]))), np.concatenate(parts, axis=1)


def _difference(counts: Array, distinct: Bool, classes: int, multi_label: bool) -> dict[str, Array]:
    truth, chosen, other = (distinct[:, part * classes : (part + 1) * classes] for part in range(3))
    first = _metrics(counts, np.concatenate([truth, chosen], axis=1), classes, multi_label)
    second = _metrics(counts, np.concatenate([truth, other], axis=1), classes, multi_label)
    return {name: first[name] - second[name] for name in first if first[name].ndim == 1}


def _draws(parts: tuple[Bool, ...], resamples: int, seed: int) -> Iterator[tuple[Array, Bool]]:
    """Yield counts of the distinct outcomes, (R, G) float64 for a chunk of R resamples, with the (G, …) outcomes."""
    rows = np.concatenate(parts, axis=1)
    # Packed bits compare fast and small; unique sorts, so the order of the rows does not matter.
    _, first, times = np.unique(np.packbits(rows, axis=1), axis=0, return_index=True, return_counts=True)
    shares = times / times.sum()
    random = np.random.default_rng(seed)
    chunk = max(1, _CHUNK_CELLS // len(times))
    for start in range(0, resamples, chunk):
        size = min(chunk, resamples - start)
        yield random.multinomial(len(rows), shares, size=size).astype(np.float64), rows[first]


def _metrics(counts: Array, distinct: Bool, classes: int, multi_label: bool) -> dict[str, Array]:
    """Return each metric for each resample, (R,), and ``f1`` per class, (R, C)."""
    truth, chosen = distinct[:, :classes], distinct[:, classes:]
    # (R, G) draws times (G, 3C) outcomes: whole numbers well below 2**53, so float64 sums them exactly.
    sums = counts @ np.concatenate([truth & chosen, chosen & ~truth, truth & ~chosen], axis=1).astype(np.float64)
    parts = np.split(sums, 3, axis=1)
    right = (truth == chosen).all(axis=1).astype(np.float64)
    means = averages(*parts, multi_label=multi_label)
    return {"accuracy": counts @ right / counts.sum(axis=1), **means, "f1": precision_recall_f1(*parts)[2]}


def _interval(value: float, drawn: Array, confidence: float) -> Interval:
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Interval(value, float(low), float(high))
