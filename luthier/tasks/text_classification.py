"""Text classification: one label of several, several labels at once, or either for pairs of texts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from luthier import recipe
from luthier.errors import DataError
from luthier.models.building import Attention, Built, build_classifier
from luthier.models.encoding import Ragged
from luthier.models.files import ModelFiles
from luthier.plugins import did_you_mean
from luthier.schema import Example, Float32, LabelSet, Prediction, TextInput
from luthier.tasks._pooling import Pooling, cut, pooled
from luthier.tasks._scores import averages, counts
from luthier.text.said import Said

if TYPE_CHECKING:
    import torch

TITLE = "Text classification"
PROBLEMS = ("single_label_classification", "multi_label_classification")
"""The problem types of its label sets."""
ANSWER = Prediction
"""What it says of a text."""
OFFSETS = False
"""Whether it needs to know where tokens stand in the text."""
WINDOWS = True
"""Whether long texts are read in windows, when the recipe leaves that open."""
POOLS = True
"""Whether the windows of a text have one answer together, so that their outputs are pooled before the loss."""
METRICS = ("accuracy", "f1_macro", "f1_micro", "f1_weighted", "loss")
"""What ``metrics`` gives and ``validation.metric_for_best_model`` may name; more is better, but for ``loss``."""
LEAST_STEPS = 100
"""Optimiser steps below which a new head has hardly begun to learn."""
LEARNING_RATES: dict[str, float] = {}
"""Method -> peak learning rate, where the method's own is not the best for this task."""
HEAD_LEARNING_RATE = None
"""Peak learning rate of the new head; ``None``: as the rest."""
GUESS = Said("always giving the commonest answer", "总是给出最常见的答案")
"""What ``guessed`` scores, in words."""
UNWEIGHED = ""
"""Why its classes are not weighed unasked; empty where they are."""
ANSWERING = ("threshold",)
"""Settings that only decide how it answers, and may be changed where a bundle is used."""
BEST_METRIC = "f1_macro"
"""The one by which the best step is chosen when the recipe leaves it open."""


class Settings(recipe.Settings):
    """The task's own settings."""

    threshold: float = Field(0.5, gt=0, lt=1)
    """Probability from which a label is given, where a row may carry several."""
    pooling: Pooling = "mean"
    """How the windows of a long text become one answer: by the mean of their logits, each by the tokens that stand in
    none before it, or by the highest logit of each label."""


def outputs(labels: LabelSet) -> LabelSet:
    """Return what the head's outputs are called: the labels."""
    return labels


def weighed(labels: LabelSet) -> tuple[str, ...]:
    """Return the label whose weight each output takes: its own."""
    return labels.names


def build(
    files: ModelFiles | Path,
    labels: LabelSet,
    *,
    dropout: float | None = None,
    attention_dropout: float | None = None,
    seed: int = 0,
    attention: Attention = "sdpa",
) -> Built:
    """Put a new classification head with C outputs on a pretrained model; see ``models.building``."""
    return build_classifier(files, labels, dropout=dropout, attention_dropout=attention_dropout, seed=seed,
                            attention=attention)


def finish(_model: torch.nn.Module, _labels: LabelSet) -> None:
    """Leave a tuned model as it is."""


def targets(
    examples: Sequence[Example], labels: LabelSet, ragged: Ragged | None = None,  # noqa: ARG001 - the seam's signature
) -> npt.NDArray[Any]:
    """Return what the head shall say of N labelled examples, however many windows each has.

    Returns:
        (N,) int64 class numbers, or (N, C) float32 of 0 and 1 where a row may carry several labels.

    Raises:
        DataError: an example has no label, several where one is expected, or one that is not in the set.
    """
    numbers = {name: number for number, name in enumerate(labels.names)}
    rows = [_numbers(example, numbers, labels.multi_label) for example in examples]
    if labels.multi_label:
        found: npt.NDArray[Any] = np.zeros((len(rows), len(labels)), np.float32)
        for row, classes in enumerate(rows):
            found[row, classes] = 1.0
    else:
        found = np.array([row[0] for row in rows], np.int64)
    return found


def loss(
    logits: torch.Tensor,
    targets: torch.Tensor,
    *,
    class_weights: torch.Tensor | None = None,
    label_smoothing: float = 0.0,
) -> torch.Tensor:
    """Return the loss of each row, so that a batch cut into parts can be put together exactly: use their mean.

    One label: ``w_y * cross entropy``, where the cross entropy has ``label_smoothing`` of the target spread evenly over
    the C classes. Several: the mean over the classes of the binary cross entropy, the positive part times ``w_c``, with
    targets drawn to a half by ``label_smoothing``. The mean over rows divides by their number, not by their weights.

    Args:
        logits: (B, C) of any float type; computed in float32.
        targets: (B,) int64 or (B, C) float32.
        class_weights: (C,) float32.
        label_smoothing: share in [0, 1).

    Returns:
        (B,) float32.
    """
    from torch.nn import functional

    logits = logits.float()
    if targets.dim() == 1:
        rows = functional.cross_entropy(logits, targets, reduction="none", label_smoothing=label_smoothing)
        return rows if class_weights is None else rows * class_weights[targets]
    soft = targets * (1 - label_smoothing) + label_smoothing / 2
    each = functional.binary_cross_entropy_with_logits(logits, soft, pos_weight=class_weights, reduction="none")
    return each.mean(-1)  # (B, C) -> (B,)


def probabilities(logits: Float32, labels: LabelSet) -> Float32:
    """Turn logits (N, C) into probabilities (N, C) float32: a softmax over classes, or a sigmoid for each."""
    wide = logits.astype(np.float64)
    if labels.multi_label:
        # tanh does not overflow where exp does.
        shares = 0.5 * (1.0 + np.tanh(0.5 * wide))
    else:
        powers = np.exp(wide - wide.max(axis=1, keepdims=True, initial=-np.inf))
        shares = powers / powers.sum(axis=1, keepdims=True)
    return np.asarray(shares, np.float32)


def decode(logits: Float32, ragged: Ragged, _texts: Sequence[TextInput], labels: LabelSet,
           settings: Settings) -> list[Prediction]:
    """Read N predictions off the logits; those of a text in several windows are pooled.

    Args:
        logits: (N, C) float32, or (W, C) of windows.
        ragged: the N texts, or their W windows, as the model saw them.
        labels: C names.
        settings: holds the threshold for several labels, and how windows are pooled.
    """
    scores = probabilities(pooled(logits, ragged, settings.pooling), labels)
    chosen = _chosen(scores, labels, settings.threshold)
    return [
        Prediction(tuple(labels.names[number] for number in row), labels.names, score, lost)
        for row, score, lost in zip(chosen, scores, cut(ragged).tolist(), strict=True)
    ]


def metrics(
    logits: Float32, targets: npt.NDArray[Any], labels: LabelSet, settings: Settings | None = None
) -> dict[str, float]:
    """Score N rows for validation.

    Args:
        logits: (N, C) float32.
        targets: as ``targets`` gives them.
        labels: C names.
        settings: holds the threshold for several labels; the default when left out.

    Returns:
        A number for each of ``METRICS``: shares in [0, 1], and the plain mean loss in nats.
    """
    if labels.multi_label:
        threshold = (settings or Settings()).threshold
        predicted: npt.NDArray[Any] = probabilities(logits, labels) >= threshold
        right = (predicted == (targets > 0.5)).all(axis=1)
    else:
        predicted = logits.argmax(axis=1)
        right = predicted == targets
    mean = averages(*counts(targets, predicted, len(labels)), multi_label=labels.multi_label)
    return {
        "accuracy": float(right.mean()),
        **{name: float(mean[name]) for name in ("f1_macro", "f1_micro", "f1_weighted")},
        "loss": _mean_loss(logits, targets),
    }


def guessed(train: npt.NDArray[Any], valid: npt.NDArray[Any], labels: LabelSet,
            settings: Settings | None = None) -> dict[str, float]:
    """Return the metrics of a model that saw the labels of the training rows and no text: always the commonest answer.

    Args:
        train: targets of the training rows.
        valid: targets of the N rows to be scored.
        labels: C names.
    """
    if labels.multi_label:
        share = np.clip(train.mean(axis=0), 1e-6, 1 - 1e-6)
        answer = np.log(share / (1 - share))
    else:
        answer = np.log(np.maximum(np.bincount(train, minlength=len(labels)), 0.5) / len(train))
    return metrics(np.tile(answer.astype(np.float32), (len(valid), 1)), valid, labels, settings)


def _numbers(example: Example, numbers: dict[str, int], multi_label: bool) -> list[int]:
    names = example.labels
    if names is None or (not multi_label and len(names) != 1):
        expected = "labels" if multi_label else "exactly one label"
        raise DataError(f"{example.id}: expected {expected}, got {names!r}", "label the row or leave it out")
    unknown = [name for name in names if name not in numbers]
    if unknown:
        problem = f"{example.id}: label {unknown[0]!r} is not in the label set"
        raise DataError(problem, did_you_mean(unknown[0], numbers))
    return [numbers[name] for name in names]


def _chosen(scores: Float32, labels: LabelSet, threshold: float) -> list[list[int]]:
    """Return the class numbers chosen for each row of (N, C) probabilities."""
    if not labels.multi_label:
        return [[int(number)] for number in scores.argmax(axis=1)]
    return [np.flatnonzero(row >= threshold).tolist() for row in scores]


def _mean_loss(logits: Float32, targets: npt.NDArray[Any]) -> float:
    wide = logits.astype(np.float64)
    if targets.ndim == 1:
        top = wide.max(axis=1)
        total = np.log(np.exp(wide - top[:, None]).sum(axis=1)) + top
        return float((total - wide[np.arange(len(wide)), targets]).mean())
    return float((np.logaddexp(0, wide) - wide * targets).mean())
