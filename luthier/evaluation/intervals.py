"""How sure a score is: percentile bootstrap over the test rows, and the paired bootstrap for two systems.

Following Efron and Tibshirani, *An Introduction to the Bootstrap* (1993), chapters 13 and 16. Drawing N rows with
replacement is the same as drawing how often each *distinct outcome* (what the row carries, what it was given) occurs
from a multinomial distribution. So rows with equal outcomes are counted once and the counts are drawn: exact, and the
cost grows with distinct outcomes (4 for two classes), not with rows.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from luthier.errors import DataError
from luthier.evaluation.outcomes import Array, Keys, RowOutcomes, label_outcomes
from luthier.schema import Bool, Int64

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
    lower_is_better: bool = False

    @property
    def verdict(self) -> str:
        """Return ``better`` or ``worse`` when the interval leaves 0 out, else ``no significant difference``."""
        if self.low > 0:
            return "worse" if self.lower_is_better else "better"
        if self.high < 0:
            return "better" if self.lower_is_better else "worse"
        return "no significant difference"

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"value": self.value, "low": self.low, "high": self.high, "verdict": self.verdict}


@dataclass(frozen=True, slots=True)
class Intervals:
    """Intervals of the averaged metrics and of each class's F1."""

    metrics: dict[str, Interval]
    class_f1: tuple[Interval, ...]
    """C intervals in the order of the label set; none where there are no classes."""


@dataclass(frozen=True, slots=True)
class Draws:
    """How rows are drawn again."""

    resamples: int = 1000
    """How many times the N rows are drawn again."""
    confidence: float = 0.95
    """Coverage of the intervals."""
    seed: int = 0
    """Of the draws; the same seed and rows give the same intervals."""


def intervals(outcomes: RowOutcomes, draws: Draws) -> Intervals:
    """Return percentile intervals of every metric, and of each class's F1 where there are classes."""
    point, joined = _resampled([outcomes.keys], outcomes.metrics, draws)
    metrics = {
        name: _interval(float(value[0]), joined[name], draws.confidence)
        for name, value in point.items()
        if value.ndim == 1
    }
    classes = point["f1"][0] if "f1" in point and point["f1"].ndim == 2 else ()
    per_class = tuple(_interval(float(value), joined["f1"][:, c], draws.confidence) for c, value in enumerate(classes))
    return Intervals(metrics, per_class)


def differences(
    first: RowOutcomes, second: RowOutcomes, draws: Draws, *, lower_is_better: Collection[str] = ()
) -> dict[str, Difference]:
    """Return how much one system scores above another on the same rows: both are scored on the same resamples.

    Args:
        first: outcomes of the one system.
        second: outcomes of the other.
        draws: how rows are drawn again.
        lower_is_better: metrics of which less is better.

    Raises:
        DataError: the two systems did not answer as many rows.
    """
    if len(first) != len(second):
        raise DataError(
            f"a paired comparison needs the same rows for both systems, got {len(first)} and {len(second)} rows",
            "evaluate both on the same file",
        )

    def apart(times: Array, rows: Int64) -> dict[str, Array]:
        one, other = first.metrics(times, rows), second.metrics(times, rows)
        return {name: one[name] - other[name] for name in one if name in other and one[name].ndim == 1}

    point, joined = _resampled([first.keys, second.keys], apart, draws)
    result = {}
    for name, value in point.items():
        interval = _interval(float(value[0]), joined[name], draws.confidence)
        result[name] = Difference(interval.value, interval.low, interval.high, name in lower_is_better)
    return result


def bootstrap(
    truth: Bool,
    chosen: Bool,
    *,
    multi_label: bool = False,
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Intervals:
    """Return ``intervals`` of labels.

    Args:
        truth: (N, C) bool, labels that the rows carry.
        chosen: (N, C) bool, labels that the rows were given.
        multi_label: whether rows may carry several labels; decides what a macro average runs over.
        resamples: how many times the N rows are drawn again.
        confidence: coverage of the intervals.
        seed: of the draws; the same seed and rows give the same intervals.
    """
    return intervals(label_outcomes(truth, chosen, multi_label=multi_label), Draws(resamples, confidence, seed))


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
    first, second = (label_outcomes(truth, each, multi_label=multi_label) for each in (chosen, other))
    return differences(first, second, Draws(resamples, confidence, seed))


def _resampled(
    keys: Sequence[Keys], measure: Callable[[Array, Int64], dict[str, Array]], draws: Draws
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Measure the rows as they are, (1, …) each, and every resample, (resamples, …) each."""
    # Rows of equal outcomes are drawn together; unique sorts, so the order of the rows does not matter.
    _, rows, times = np.unique(np.concatenate(keys, axis=1), axis=0, return_index=True, return_counts=True)
    point = measure(times[None].astype(np.float64), rows)
    random = np.random.default_rng(draws.seed)
    chunk = max(1, _CHUNK_CELLS // len(times))
    drawn = []
    for start in range(0, draws.resamples, chunk):
        size = min(chunk, draws.resamples - start)
        counts = random.multinomial(times.sum(), times / times.sum(), size=size)  # (size, G)
        drawn.append(measure(counts.astype(np.float64), rows))
    return point, {name: np.concatenate([part[name] for part in drawn]) for name in point}


def _interval(value: float, drawn: Array, confidence: float) -> Interval:
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Interval(value, float(low), float(high))
