"""Regression: a number for a text or for a pair of texts, such as a rating, a price or how alike two texts are.

The model learns deviations from the mean of the training rows; ``finish`` then folds mean and deviation into its head,
so that what is saved gives the caller's own unit wherever it runs. Whole-number grades are learned as numbers too, so
that 4 is nearer to 5 than 1 is, and the nearest grade is told beside the number.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from luthier import recipe
from luthier.errors import DataError
from luthier.models.building import Attention, Built, build_classifier
from luthier.models.encoding import Ragged
from luthier.models.files import ModelFiles
from luthier.models.rescaling import name_of, output_layer, to_natural, to_standard
from luthier.schema import Estimate, Example, Float32, LabelSet, Scale, TextInput
from luthier.tasks._numbers import grade_scores, number_scores
from luthier.tasks._pooling import cut, pooled
from luthier.text.said import Said

if TYPE_CHECKING:
    import torch

TITLE = "Regression"
PROBLEMS = ("regression",)
"""The problem types of its label sets."""
ANSWER = Estimate
"""What it says of a text."""
OFFSETS = False
"""Whether it needs to know where tokens stand in the text."""
WINDOWS = True
"""Whether long texts are read in windows, when the recipe leaves that open."""
POOLS = True
"""Whether the windows of a text have one answer together, so that their outputs are pooled before the loss."""
METRICS = ("mse", "mae", "pearson", "spearman", "qwk", "loss")
"""What ``metrics`` gives and ``validation.metric_for_best_model`` may name; less is better of ``mse``, ``mae`` and
``loss``."""
LEAST_STEPS = 200
"""Optimiser steps below which it has hardly begun to learn."""
LEARNING_RATES: dict[str, float] = {}
"""Method -> peak learning rate, where the method's own is not the best for this task."""
HEAD_LEARNING_RATE = None
"""Peak learning rate of the new head; ``None``: as the rest."""
GUESS = Said("always giving the mean", "总是给出平均值")
"""What ``guessed`` scores, in words."""
UNWEIGHED = "numbers have no classes"
"""Why its classes are not weighed unasked; empty where they are."""
UNSMOOTHED = "numbers have no classes that a share could go to"
"""Why ``train.label_smoothing_factor`` is refused."""
BEST_METRIC = "mse"
"""The one by which the best step is chosen when the recipe leaves it open. Not ``pearson``, which a model that is two
stars off everywhere has in full, and which is undefined while all answers are the same."""


class Settings(recipe.Settings):
    """Regression has no settings of its own."""


def outputs(labels: LabelSet) -> LabelSet:
    """Return what the head's output is called: as the column of numbers."""
    return labels


def weighed(_labels: LabelSet) -> tuple[str, ...]:
    """Return nothing: a number is no class."""
    return ()


def build(
    files: ModelFiles | Path,
    labels: LabelSet,
    *,
    dropout: float | None = None,
    attention_dropout: float | None = None,
    seed: int = 0,
    attention: Attention = "sdpa",
) -> Built:
    """Put a new head with one output on a pretrained model; one that gives this number already keeps its head.

    Raises:
        ModelError: the model cannot be opened, or its head has no bias.
    """
    built = build_classifier(files, labels, dropout=dropout, attention_dropout=attention_dropout, seed=seed,
                             attention=attention)
    name = name_of(built.model, output_layer(built.model))
    if not any(name == new or name.startswith(f"{new}.") for new in built.new_modules):
        to_standard(built.model, _scale(labels))
    return built


def finish(model: torch.nn.Module, labels: LabelSet) -> None:
    """Fold mean and deviation into the head of a tuned model, which then gives the caller's unit."""
    to_natural(model, _scale(labels))


def targets(
    examples: Sequence[Example], labels: LabelSet, ragged: Ragged | None = None,  # noqa: ARG001 - the seam's signature
) -> Float32:
    """Return the deviations that the head shall say of N examples, (N,) float32, however many windows each has.

    Raises:
        DataError: an example has no number.
    """
    values = [row.value for row in examples]
    if None in values:
        row = examples[values.index(None)]
        raise DataError(f"{row.id}: expected a number, got none", "give the row a number or leave it out")
    return _scale(labels).standard(np.array(values, np.float64)).astype(np.float32)


def loss(
    logits: torch.Tensor,
    targets: torch.Tensor,
    *,
    class_weights: torch.Tensor | None = None,  # noqa: ARG001 - the seam's signature
    label_smoothing: float = 0.0,  # noqa: ARG001 - the seam's signature
) -> torch.Tensor:
    """Return the squared error of each row, in squared deviations.

    Args:
        logits: (B, 1) of any float type; computed in float32.
        targets: (B,) float32.
        class_weights: not used: numbers have no classes.
        label_smoothing: not used: refused before.

    Returns:
        (B,) float32.
    """
    return (logits.float().squeeze(-1) - targets) ** 2


def decode(logits: Float32, ragged: Ragged, _texts: Sequence[TextInput], labels: LabelSet,
           _settings: Settings) -> list[Estimate]:
    """Read N numbers off the logits of a finished model. A text in several windows has the mean of theirs, each by the
    tokens that stand in none before it.

    Args:
        logits: (N, 1) float32 in the caller's unit, or (W, 1) of windows.
        ragged: the N texts, or their W windows, as the model saw them.
        labels: tell the grades, if there are any.
    """
    values, scale = pooled(logits, ragged)[:, 0].astype(np.float64), _scale(labels)
    grades = [scale.grades[place] for place in scale.nearest(values)] if scale.grades else [None] * len(values)
    return [Estimate(float(value), grade, lost)
            for value, grade, lost in zip(values, grades, cut(ragged).tolist(), strict=True)]


def metrics(
    logits: Float32, targets: Float32, labels: LabelSet, _settings: Settings | None = None
) -> dict[str, float]:
    """Score N rows for validation.

    Args:
        logits: (N, 1) float32, deviations from the mean.
        targets: as ``targets`` gives them.
        labels: tell the unit, and the grades if there are any.

    Returns:
        A number for each of ``METRICS``: ``mse`` and ``mae`` in the caller's unit, the loss in deviations; ``qwk`` is
        0 where there are no grades.
    """
    scale = _scale(labels)
    true, given = scale.natural(targets), scale.natural(logits[:, 0])
    found = number_scores(true, given)
    graded = {"qwk": np.zeros(1)}
    if scale.grades:
        graded = grade_scores(scale.nearest(true), scale.nearest(given), len(scale.grades))
    found |= {"qwk": graded["qwk"], "loss": found["mse"] / scale.deviation**2}
    return {name: float(found[name][0]) for name in METRICS}


def guessed(train: Float32, valid: Float32, labels: LabelSet,
            _settings: Settings | None = None) -> dict[str, float]:
    """Return the metrics of a model that saw the numbers of the training rows and no text: always their mean.

    Args:
        train: targets of the training rows.
        valid: targets of the N rows to be scored.
        labels: tell the unit.
    """
    return metrics(np.full((len(valid), 1), train.mean(dtype=np.float64), np.float32), valid, labels)


def _scale(labels: LabelSet) -> Scale:
    if labels.scale is None:
        raise DataError("the mean and the deviation of the training rows are not known",
                        "take the labels that prepare gave, or those of the bundle's manifest")
    return labels.scale
