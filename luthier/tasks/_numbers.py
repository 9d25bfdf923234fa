"""Scores of numbers against the true ones, for the rows as they are and for any number of resamples at once.

Definitions are those of scikit-learn (``mean_squared_error``, ``r2_score``, ``cohen_kappa_score`` with quadratic
weights) and SciPy (``pearsonr``, ``spearmanr``, ties sharing their mean rank). What is undefined, because all numbers
are the same, is 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from luthier.schema import Int64

Float64 = npt.NDArray[np.float64]

_ROUNDING = 1e-13
"""Share of a mean square below which a variance is what rounding left of none."""


def number_scores(true: npt.NDArray[Any], given: npt.NDArray[Any], times: Float64 | None = None) -> dict[str, Float64]:
    """Score numbers.

    Args:
        true: (G,) numbers.
        given: (G,) what a model says.
        times: (R, G) float64, how often each of the rows is drawn; once each, R = 1, when left out.

    Returns:
        ``mse``, ``rmse``, ``mae``, ``r2``, ``pearson`` and ``spearman``, each (R,).
    """
    true, given = np.asarray(true, np.float64), np.asarray(given, np.float64)
    times = np.ones((1, len(true))) if times is None else times
    rows = times.sum(axis=1)
    apart = given - true
    squared = times @ apart**2 / rows
    middle = true - true.mean()  # sums of squares far from 0 would lose digits
    mean_square = times @ middle**2 / rows
    spread = mean_square - (times @ middle / rows) ** 2
    varied = spread > _ROUNDING * mean_square  # else all drawn numbers are equal, and what is left is rounding
    return {
        "mse": squared, "rmse": np.sqrt(squared), "mae": times @ np.abs(apart) / rows,
        "r2": np.where(varied, 1 - squared / np.where(varied, spread, 1), 0.0),
        "pearson": _correlation(times, middle, given - given.mean()),
        "spearman": _correlation(times, _ranks(true, times), _ranks(given, times)),
    }


def grade_scores(true: Int64, given: Int64, grades: int, times: Float64 | None = None) -> dict[str, Float64]:
    """Score grades.

    Args:
        true: (G,) places in the list of grades.
        given: (G,) those that a model says.
        grades: how many there are.
        times: as in ``number_scores``.

    Returns:
        ``qwk``, Cohen's kappa with quadratic weights, and ``accuracy``, each (R,).
    """
    times = np.ones((1, len(true))) if times is None else times
    rows = times.sum(axis=1)
    every = np.eye(grades)
    weights = (np.arange(grades)[:, None] - np.arange(grades)) ** 2.0
    seen = times @ ((true - given) ** 2.0) / rows
    shares = [times @ every[side] / rows[:, None] for side in (true, given)]  # (R, grades) each
    expected = ((shares[0] @ weights) * shares[1]).sum(axis=1)
    return {"qwk": np.where(expected > 0, 1 - seen / np.where(expected > 0, expected, 1), 0.0),
            "accuracy": times @ (true == given).astype(np.float64) / rows}


def _ranks(values: Float64, times: Float64) -> Float64:
    """Return the rank of each value in each resample, (R, G), less the middle one; equal values share theirs."""
    _, group = np.unique(values, return_inverse=True)
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    sizes = np.add.reduceat(times[:, order], starts, axis=1)  # (R, distinct values)
    ranks: Float64 = np.cumsum(sizes, axis=1) - sizes / 2 - sizes.sum(axis=1, keepdims=True) / 2
    return ranks[:, group]


def _correlation(times: Float64, one: Float64, other: Float64) -> Float64:
    """Return the correlation of two (G,) or (R, G) in each resample, (R,)."""
    rows = times.sum(axis=1)

    def mean(values: Float64) -> Float64:
        found: Float64 = (times @ values if values.ndim == 1 else (times * values).sum(axis=1)) / rows
        return found

    a, b = mean(one), mean(other)
    shared, first, second = mean(one * other) - a * b, mean(one**2) - a**2, mean(other**2) - b**2
    # What is left of a constant after rounding is no spread.
    real = (first > _ROUNDING * mean(one**2)) & (second > _ROUNDING * mean(other**2))
    below = np.sqrt(np.where(real, first * second, 1.0))
    return np.clip(np.where(real, shared / below, 0.0), -1.0, 1.0)
