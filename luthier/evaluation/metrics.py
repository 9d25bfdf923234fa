"""Scores of a classifier from its probabilities and choices, in plain numpy.

Precision, recall and F1 come from the task's own counting (``luthier.tasks.averages``), for validation, for the point
estimate and for every bootstrap resample alike, so an interval always belongs to the number it stands beside.
Definitions follow scikit-learn's ``precision_recall_fscore_support`` with ``zero_division=0``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from luthier.errors import DataError
from luthier.evaluation.curves import area_under_roc, average_precision
from luthier.evaluation.scores import Scores, class_scores
from luthier.schema import Bool, Example, LabelSet
from luthier.tasks import averages, confusion_matrix, counts

_SMALLEST = 1e-12  # probabilities below this count as this in the log loss, which would be infinite at 0


def membership(examples: Sequence[Example], labels: LabelSet) -> Bool:
    """Return which labels the examples carry: (N, C) bool.

    Raises:
        DataError: an example is unlabelled or carries a label outside the set.
    """
    truth = np.zeros((len(examples), len(labels)), dtype=np.bool_)
    index = {name: column for column, name in enumerate(labels.names)}
    for row, example in enumerate(examples):
        if example.labels is None or (not labels.multi_label and len(example.labels) != 1):
            raise DataError(
                f"{example.id}: evaluation needs {'labels' if labels.multi_label else 'exactly one label'}"
                f" for every row, got {example.labels!r}",
                "leave the row out, or use `luthier predict` for unlabelled rows",
            )
        for name in example.labels:
            if name not in index:
                raise DataError(
                    f"{example.id}: the label {name!r} is not one that the model knows: {', '.join(labels.names[:20])}",
                    "correct the label or leave the row out",
                )
            truth[row, index[name]] = True
    return truth


def choose(probabilities: npt.NDArray[np.floating[Any]], labels: LabelSet, threshold: float = 0.5) -> Bool:
    """Return the labels chosen: the likeliest class, or with several labels all at or above the threshold.

    Args:
        probabilities: (N, C) floats in [0, 1].
        labels: the label set.
        threshold: least probability of a chosen label, several labels only.

    Returns:
        (N, C) bool.
    """
    if labels.multi_label:
        return np.asarray(probabilities >= threshold)
    chosen = np.zeros(probabilities.shape, dtype=np.bool_)
    chosen[np.arange(len(probabilities)), probabilities.argmax(axis=1)] = True
    return chosen


def score(
    probabilities: npt.NDArray[np.floating[Any]],
    truth: Bool,
    labels: LabelSet,
    *,
    threshold: float = 0.5,
    chosen: Bool | None = None,
) -> Scores:
    """Score probabilities, and the choices made from them, against the truth.

    Args:
        probabilities: (N, C) floats in [0, 1].
        truth: (N, C) bool, see ``membership``; exactly one per row for single-label sets.
        labels: the C labels in order.
        threshold: least probability of a chosen label, several labels only.
        chosen: (N, C) bool, what the predictor chose; worked out from the probabilities when left out.

    Raises:
        DataError: there are no rows, or the shapes differ.
    """
    if truth.shape != probabilities.shape or truth.shape != (len(truth), len(labels)) or not len(truth):
        raise DataError(
            f"scores need at least one row and two arrays of (rows, {len(labels)}), got probabilities "
            f"{probabilities.shape} and truth {truth.shape}",
            "give one probability row per labelled row",
        )
    chosen = choose(probabilities, labels, threshold) if chosen is None else chosen
    parts = counts(truth, chosen, len(labels))
    means = averages(*parts, multi_label=labels.multi_label)
    values = {"accuracy": float((truth == chosen).all(axis=1).mean())}
    values |= {name: float(value) for name, value in means.items()}
    values["log_loss"] = _log_loss(probabilities, truth, labels)
    if labels.multi_label:
        values["hamming_loss"] = float((truth != chosen).mean())
    areas = [
        (area_under_roc(probabilities[:, c], truth[:, c]), average_precision(probabilities[:, c], truth[:, c]))
        for c in range(len(labels))
    ]
    for name, column in (("roc_auc_macro", 0), ("average_precision_macro", 1)):
        defined = [area[column] for area in areas if area[column] is not None]
        if defined:
            values[name] = float(np.mean(np.array(defined, dtype=np.float64)))
    classes = class_scores(labels, parts, areas)
    confusion = None if labels.multi_label else confusion_matrix(truth.argmax(1), chosen.argmax(1), len(labels))
    return Scores(len(truth), values, classes, confusion)


def _log_loss(probabilities: npt.NDArray[np.floating[Any]], truth: Bool, labels: LabelSet) -> float:
    """Mean negative log likelihood of a row's label, or of each yes or no when rows carry several labels."""
    likely = np.clip(probabilities.astype(np.float64), _SMALLEST, 1 - _SMALLEST)
    if labels.multi_label:
        return float(-np.log(np.where(truth, likely, 1 - likely)).mean())
    return float(-np.log(likely[truth]).mean())
