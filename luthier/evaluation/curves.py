"""ROC and precision-recall curves with their areas, in plain numpy.

Definitions follow scikit-learn's ``roc_curve``, ``precision_recall_curve`` and ``average_precision_score``: one point
for each distinct score, tied scores moving together, and the area under precision-recall summed in steps (never by the
trapezoidal rule, which is too kind).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from luthier.schema import Bool

Array = npt.NDArray[np.float64]
AnyFloat = npt.NDArray[np.floating[Any]]

PLOT_POINTS = 120
"""Most points kept of a curve that is only drawn."""


@dataclass(frozen=True, slots=True)
class Curve:
    """A line in the unit square."""

    x: Array
    """(P,) float64 in [0, 1]."""
    y: Array
    """(P,) float64 in [0, 1]."""
    area: float


def roc_curve(scores: AnyFloat, positive: Bool) -> Curve | None:
    """Return false positive rate against true positive rate, or ``None`` when one side is missing.

    Args:
        scores: (N,) floats, higher for likelier.
        positive: (N,) bool.
    """
    false, true = _cumulative(scores, positive)
    if true[-1] == 0 or false[-1] == 0:
        return None
    x = np.concatenate([[0.0], false / false[-1]])
    y = np.concatenate([[0.0], true / true[-1]])
    return Curve(x, y, float(((x[1:] - x[:-1]) * (y[1:] + y[:-1]) / 2).sum()))


def precision_recall_curve(scores: AnyFloat, positive: Bool) -> Curve | None:
    """Return recall against precision, or ``None`` when nothing is positive; the area is the average precision.

    Args:
        scores: (N,) floats, higher for likelier.
        positive: (N,) bool.
    """
    false, true = _cumulative(scores, positive)
    if true[-1] == 0:
        return None
    recall = np.concatenate([[0.0], true / true[-1]])
    precision = true / (true + false)
    return Curve(recall, np.concatenate([[1.0], precision]), float((np.diff(recall) * precision).sum()))


def area_under_roc(scores: AnyFloat, positive: Bool) -> float | None:
    """Return the area under the ROC curve of (N,) scores, or ``None`` when one side is missing."""
    curve = roc_curve(scores, positive)
    return curve.area if curve else None


def average_precision(scores: AnyFloat, positive: Bool) -> float | None:
    """Return the average precision of (N,) scores, or ``None`` when nothing is positive."""
    curve = precision_recall_curve(scores, positive)
    return curve.area if curve else None


def thin(curve: Curve, points: int = PLOT_POINTS) -> Curve:
    """Return the curve with at most about that many points, ends and the steepest parts kept; the area is untouched."""
    if len(curve.x) <= points:
        return curve
    # Evenly along the length of the line rather than along its index: flat stretches need few points.
    way = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(curve.x)) + np.abs(np.diff(curve.y)))])
    keep = np.unique(np.searchsorted(way, np.linspace(0, way[-1], points)).clip(max=len(way) - 1))
    keep = np.unique(np.concatenate([[0], keep, [len(way) - 1]]))
    return Curve(curve.x[keep], curve.y[keep], curve.area)


def _cumulative(scores: AnyFloat, positive: Bool) -> tuple[Array, Array]:
    """Return how many negatives and positives score at or above each distinct score, from the highest: two of (P,)."""
    order = np.argsort(-scores, kind="stable")
    ranked, hit = scores[order], positive[order].astype(np.float64)
    ends = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    true = np.cumsum(hit)[ends]
    return (ends + 1) - true, true
