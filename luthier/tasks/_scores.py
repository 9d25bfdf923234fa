"""Confusion, precision, recall and F1 from counts. What nobody predicted has precision 0, as in scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from luthier.schema import Int64

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Averages:
    """One kind of average over the classes."""

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True, slots=True)
class ClassScores:
    """Scores of each class and their averages. Each array is (C,); all shares are in [0, 1]."""

    accuracy: float
    """Share of rows answered rightly; of rows with the exact set of labels where a row may carry several."""
    precision: Float64
    recall: Float64
    f1: Float64
    support: Int64
    """Rows that carry the class."""
    predicted: Int64
    """Rows that were given the class."""
    macro: Averages
    """Plain mean over classes. Classes neither carried nor predicted by any row are left out for single-label data."""
    micro: Averages
    """Over all decisions together; equals the accuracy for single-label data."""
    weighted: Averages
    """Mean over classes weighted by support."""


def confusion_matrix(targets: Int64, predicted: Int64, classes: int) -> Int64:
    """Count rows by true and predicted class.

    Args:
        targets: (N,) int64, true class.
        predicted: (N,) int64, predicted class.
        classes: C.

    Returns:
        (C, C) int64, row = true class, column = predicted class.
    """
    return np.bincount(targets * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def counts(targets: npt.NDArray[Any], predicted: npt.NDArray[Any], classes: int) -> tuple[Int64, Int64, Int64]:
    """Count true positives, false positives and false negatives of each class.

    Args:
        targets: (N,) class numbers, or (N, C) with 1 where the row carries the class.
        predicted: like ``targets``.
        classes: C.

    Returns:
        Three (C,) int64 arrays.
    """
    if targets.ndim == 1:
        true = np.bincount(targets[targets == predicted], minlength=classes)
        return true, np.bincount(predicted, minlength=classes) - true, np.bincount(targets, minlength=classes) - true
    real, given = targets > 0.5, predicted > 0.5
    return (real & given).sum(0), (~real & given).sum(0), (real & ~given).sum(0)


def precision_recall_f1(
    true_positives: npt.NDArray[Any], false_positives: npt.NDArray[Any], false_negatives: npt.NDArray[Any]
) -> tuple[Float64, Float64, Float64]:
    """Return precision, recall and F1 from counts of any one shape, element by element; 0 where undefined."""
    return (
        _ratio(true_positives, true_positives + false_positives),
        _ratio(true_positives, true_positives + false_negatives),
        _ratio(2 * true_positives, 2 * true_positives + false_positives + false_negatives),
    )


def averages(
    true_positives: npt.NDArray[Any],
    false_positives: npt.NDArray[Any],
    false_negatives: npt.NDArray[Any],
    *,
    multi_label: bool,
) -> dict[str, Float64]:
    """Average over classes, for any number of count vectors at once (one a bootstrap resample, say).

    Args:
        true_positives: (..., C).
        false_positives: (..., C).
        false_negatives: (..., C).
        multi_label: whether a class that no row carries or was given still counts in the macro average.

    Returns:
        ``precision_macro``, ``f1_weighted`` and so on, nine arrays of shape (...).
    """
    parts = (true_positives, false_positives, false_negatives)
    support = true_positives + false_negatives
    present = np.ones_like(support) if multi_label else ((support + false_positives) > 0).astype(np.int64)
    micro = precision_recall_f1(*(part.sum(-1) for part in parts))
    result: dict[str, Float64] = {}
    for name, each, over_all in zip(("precision", "recall", "f1"), precision_recall_f1(*parts), micro, strict=True):
        result[f"{name}_macro"] = _ratio((each * present).sum(-1), present.sum(-1))
        result[f"{name}_micro"] = over_all
        result[f"{name}_weighted"] = _ratio((each * support).sum(-1), support.sum(-1))
    return result


def classification_scores(targets: npt.NDArray[Any], predicted: npt.NDArray[Any], classes: int) -> ClassScores:
    """Score predictions.

    Args:
        targets: (N,) int64 class numbers, or (N, C) with 1 where the row carries the class.
        predicted: like ``targets``.
        classes: C.
    """
    multi_label = targets.ndim == 2
    true, false, missed = counts(targets, predicted, classes)
    mean = {name: float(value) for name, value in averages(true, false, missed, multi_label=multi_label).items()}
    right = ((targets > 0.5) == (predicted > 0.5)).all(1) if multi_label else targets == predicted
    precision, recall, f1 = precision_recall_f1(true, false, missed)
    return ClassScores(
        accuracy=float(right.mean()) if len(right) else 0.0,
        precision=precision,
        recall=recall,
        f1=f1,
        support=true + missed,
        predicted=true + false,
        macro=_of("macro", mean),
        micro=_of("micro", mean),
        weighted=_of("weighted", mean),
    )


def _of(kind: str, mean: dict[str, float]) -> Averages:
    return Averages(mean[f"precision_{kind}"], mean[f"recall_{kind}"], mean[f"f1_{kind}"])


def _ratio(above: npt.NDArray[Any], below: npt.NDArray[Any]) -> Float64:
    above, below = np.asarray(above, np.float64), np.asarray(below, np.float64)
    result: Float64 = np.divide(above, below, out=np.zeros_like(above), where=below > 0)
    return result
