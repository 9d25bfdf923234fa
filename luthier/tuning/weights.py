"""Loss weight of each class: given, balanced, or none."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np

from luthier.errors import RecipeError
from luthier.plugins import did_you_mean
from luthier.schema import Decision, Float32, LabelSet

IMBALANCE = 3.0
"""Rows of the commonest class for each row of the rarest from which ``auto`` balances."""


def class_weights(
    setting: str | dict[str, float], targets: Any, labels: LabelSet, task: ModuleType
) -> tuple[Float32 | None, Decision]:
    """Return the loss weight of each class, (C,) float32, or ``None`` for equal weights; and why.

    Balanced weights are ``n / (C * n_c)``, as scikit-learn's ``class_weight="balanced"`` has them.

    Args:
        setting: ``TrainSettings.class_weights``.
        targets: of the training rows, (N,) class numbers or (N, C) of 0 and 1; not read where the task's classes
            are not weighed unasked.
        labels: the label set.
        task: tells what may be weighed.

    Raises:
        RecipeError: a weight is given for a label that is not in the data, or is below 0, or the task has no classes.
    """
    names = task.weighed(labels)
    if isinstance(setting, dict):
        if not names:
            raise RecipeError(f"train.class_weights gives weights, and {task.UNWEIGHED} to weigh",
                              "leave train.class_weights out")
        return _given(setting, labels, names), Decision("given", "train.class_weights gives them")
    if task.UNWEIGHED:
        return None, Decision("none", task.UNWEIGHED)
    if setting == "none":
        return None, Decision("none", "train.class_weights is none")
    counts = targets.sum(axis=0) if labels.multi_label else np.bincount(targets, minlength=len(labels))
    counts = np.maximum(np.asarray(counts, np.float64), 1)
    ratio = float(counts.max() / counts.min())
    why = f"the commonest label has {ratio:.1f} times the rows of the rarest"
    if ratio < IMBALANCE:
        return None, Decision("none", f"{why}, under {IMBALANCE:g}")
    balanced = counts.sum() / (len(labels) * counts)
    return balanced.astype(np.float32), Decision("balanced", f"{why}, {IMBALANCE:g} or more")


def _given(setting: dict[str, float], labels: LabelSet, names: Sequence[str]) -> Float32:
    unknown = [name for name in setting if name not in labels.names]
    faults = [f"{name!r} is not a label, {did_you_mean(name, labels.names)}" for name in unknown]
    faults += [f"{name!r} has weight {value:g}, below 0" for name, value in setting.items() if value < 0]
    if faults:
        raise RecipeError(f"train.class_weights: {'; '.join(faults)}", f"the labels are {', '.join(labels.names)}")
    return np.array([setting.get(name, 1.0) for name in names], np.float32)
