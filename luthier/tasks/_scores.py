"""Confusion, precision, recall and F1 from counts. What nobody predicted has precision 0, as in scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from luthier.schema import Int64

Float64 = npt.NDArray[np.float64]


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


def _ratio(above: npt.NDArray[Any], below: npt.NDArray[Any]) -> Float64:
    above, below = np.asarray(above, np.float64), np.asarray(below, np.float64)
    result: Float64 = np.divide(above, below, out=np.zeros_like(above), where=below > 0)
    return result
