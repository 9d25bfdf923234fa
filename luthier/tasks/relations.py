"""Relations: which one holds between two marked stretches of a text, and which way it goes.

The head of Baldini Soares et al., "Matching the Blanks" (2019), that reads the states at the two starts ("entity
start"), with marks of punctuation (see ``text.marks``). A linear layer on two states side by side is the sum of one on
each; so it is written as a classifier of tokens with 2 C outputs, of which the first C count at the mark before the
head and the others at the mark before the tail, and anything that runs such classifiers runs this one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from luthier import recipe
from luthier.errors import DataError, RecipeError
from luthier.models.building import Attention, Built, build_classifier
from luthier.models.encoding import Ragged
from luthier.models.files import ModelFiles
from luthier.plugins import did_you_mean
from luthier.schema import Example, Float32, Int64, LabelSet, Prediction, TextInput
from luthier.tasks._mark_bits import HEAD, TAIL, mark_bits
from luthier.tasks._relations import has_directions, relation_outcomes, relations_of
from luthier.tasks._scores import averages
from luthier.tasks._tags import log_softmax
from luthier.tasks._tokens import IGNORED, TokenTargets
from luthier.tasks._windows import owners_of
from luthier.text.said import Said

if TYPE_CHECKING:
    import torch

TITLE = "Relations"
PROBLEMS = ("relation_classification",)
"""The problem types of its label sets."""
ANSWER = Prediction
"""What it says of a text with two marked stretches."""
OFFSETS = True
"""Whether it needs to know where tokens stand in the text."""
WINDOWS = True
"""Whether long texts are read in windows, when the recipe leaves that open."""
NEEDS_WINDOWS = True
"""Whether a text must not be cut: its marks may stand anywhere."""
METRICS = ("relation_f1", "f1_micro", "f1_macro", "accuracy", "loss")
"""What ``metrics`` gives and ``validation.metric_for_best_model`` may name; more is better, but for ``loss``."""
LEAST_STEPS = 300
"""Optimiser steps below which it has hardly begun to learn."""
LEARNING_RATES = {"full": 1e-4}
"""Method -> peak learning rate, where the method's own is not the best for this task."""
HEAD_LEARNING_RATE = 1e-3
"""Peak learning rate of the new head."""
GUESS = Said("always giving the commonest relation", "总是给出最常见的关系")
"""What ``guessed`` scores, in words."""
UNWEIGHED = "relations are left as they are: one of a few rows would outweigh all others"
"""Why its classes are not weighed unasked; empty where they are."""
BEST_METRIC = "relation_f1"
"""The one by which the best step is chosen when the recipe leaves it open."""

NO_NEGATIVE = "none"


class Settings(recipe.Settings):
    """The task's own settings."""

    negative: str | None = None
    """Label of pairs between which no relation holds, which scores leave out; told by its name when left out, and
    ``none``, where no label is called so, says that there is none."""


def label_set(labels: LabelSet, settings: Settings) -> LabelSet:
    """Return the labels with the one that the settings say stands for no relation.

    Raises:
        RecipeError: it is not among them.
    """
    if settings.negative is None:
        return labels
    if settings.negative == NO_NEGATIVE and settings.negative not in labels.names:
        return replace(labels, negative=None)
    if settings.negative not in labels.names:
        raise RecipeError(f"task.negative is {settings.negative!r}, which is no label of the rows",
                          did_you_mean(settings.negative, labels.names))
    return replace(labels, negative=settings.negative)


def outputs(labels: LabelSet) -> LabelSet:
    """Return what the head's outputs are called: each label at the head, then each at the tail."""
    return LabelSet(tuple(f"{side}:{name}" for side in ("head", "tail") for name in labels.names),
                    "token_classification")


def weighed(labels: LabelSet) -> tuple[str, ...]:
    """Return the label whose weight each output takes."""
    return labels.names * 2


def build(
    files: ModelFiles | Path,
    labels: LabelSet,
    *,
    dropout: float | None = None,
    attention_dropout: float | None = None,
    seed: int = 0,
    attention: Attention = "sdpa",
) -> Built:
    """Put a new head with 2 C outputs for each token on a pretrained model; see ``models.building``."""
    return build_classifier(files, outputs(labels), dropout=dropout, attention_dropout=attention_dropout, seed=seed,
                            attention=attention)


def finish(_model: torch.nn.Module, _labels: LabelSet) -> None:
    """Leave a tuned model as it is."""


def targets(examples: Sequence[Example], labels: LabelSet, ragged: Ragged) -> TokenTargets:
    """Return what N examples shall be labelled with, at their marks: 4 times the class and the bits of the mark.

    Raises:
        DataError: an example has no marked stretches, not one label, or one that is not in the set.
    """
    numbers = {name: number for number, name in enumerate(labels.names)}
    classes = [_class(example, numbers) for example in examples]
    bits = mark_bits(ragged, [example.text_input for example in examples])
    rows = [np.where(row > 0, 4 * classes[owner] + row, IGNORED)
            for row, owner in zip(bits, owners_of(ragged).tolist(), strict=True)]
    return TokenTargets(rows, owners=owners_of(ragged), of_rows=True)


def loss(
    logits: torch.Tensor,
    targets: torch.Tensor,
    *,
    class_weights: torch.Tensor | None = None,
    label_smoothing: float = 0.0,
) -> torch.Tensor:
    """Return the cross entropy of each row. Where its two marks stand in two windows, each learns the label alone.

    Args:
        logits: (B, T, 2 C) of any float type; computed in float32.
        targets: (B, T) int64, see ``targets``.
        class_weights: (C,) float32.
        label_smoothing: share in [0, 1), spread evenly over the C labels.

    Returns:
        (B,) float32.
    """
    import torch

    halves = logits.float().reshape(*targets.shape, 2, -1)  # (B, T, 2 C) -> (B, T, 2, C)
    marks = torch.stack([(targets >= 0) & (targets & bit > 0) for bit in (HEAD, TAIL)], dim=-1)  # (B, T, 2)
    summed = (halves * marks[..., None]).sum((1, 2))  # (B, C)
    right = targets.amax(1).clamp(min=0) // 4
    rows = torch.nn.functional.cross_entropy(summed, right, reduction="none", label_smoothing=label_smoothing)
    return rows if class_weights is None else rows * class_weights[right]


def decode(logits: Sequence[Float32], ragged: Ragged, texts: Sequence[TextInput], labels: LabelSet,
           _settings: Settings) -> list[Prediction]:
    """Read N predictions off the logits of the W windows that the texts' marks stand in.

    Args:
        logits: W arrays (T, 2 C) float32.
        ragged: the W windows, with offsets.
        texts: the N texts with what is marked in them.
        labels: C names.
    """
    if not texts:
        return []
    summed = _summed(logits, mark_bits(ragged, texts), owners_of(ragged), len(labels))
    probabilities = np.exp(log_softmax(summed)).astype(np.float32)
    cut = np.zeros(len(texts), np.bool_)
    np.logical_or.at(cut, owners_of(ragged), ragged.truncated)
    return [Prediction((labels.names[best],), labels.names, row, bool(lost)) for best, row, lost in
            zip(probabilities.argmax(axis=1).tolist(), probabilities, cut, strict=True)]


def metrics(logits: Sequence[Float32], targets: TokenTargets, labels: LabelSet,
            _settings: Settings | None = None) -> dict[str, float]:
    """Score texts for validation.

    Args:
        logits: W arrays (T, 2 C) float32, T tokens of each of W windows.
        targets: as ``targets`` gives them.

    Returns:
        A number for each of ``METRICS``; F1 is that of relations, the negative one left out, and ``relation_f1`` their
        mean where labels have directions, else that of all rows together.
    """
    bits = [np.where(row > 0, row % 4, 0) for row in targets.rows]
    owners = np.arange(len(bits)) if targets.owners is None else targets.owners
    return _values(_summed(logits, bits, owners, len(labels)), _classes(targets), labels)


def guessed(train: TokenTargets, valid: TokenTargets, labels: LabelSet,
            _settings: Settings | None = None) -> dict[str, float]:
    """Return the metrics of knowing the labels of the training rows and no text: always the commonest one."""
    right = _classes(valid)
    share = np.log(np.maximum(np.bincount(_classes(train), minlength=len(labels)), 0.5))
    return _values(np.tile(share.astype(np.float32), (len(right), 1)), right, labels)


def _class(example: Example, numbers: dict[str, int]) -> int:
    if example.arguments is None or len(example.labels or ()) != 1:
        raise DataError(f"{example.id}: expected two marked stretches and one relation, got "
                        f"{'no stretches' if example.arguments is None else repr(example.labels)}",
                        "mark head and tail of each row, and give it a label, also where no relation holds")
    (name,) = example.labels or ()
    if name not in numbers:
        raise DataError(f"{example.id}: relation {name!r} is not in the label set", did_you_mean(name, numbers))
    return numbers[name]


def _summed(logits: Sequence[Float32], bits: Sequence[Int64], owners: Int64, classes: int) -> Float32:
    """Return the logits of N texts, (N, C): the sum of what their marks have in their rows."""
    found = np.zeros((int(owners.max(initial=-1)) + 1, classes), np.float32)
    for scores, row, owner in zip(logits, bits, owners.tolist(), strict=True):
        for side, bit in enumerate((HEAD, TAIL)):
            for at in np.flatnonzero(row & bit).tolist():
                found[owner] += scores[at, side * classes : (side + 1) * classes]
    return found


def _classes(targets: TokenTargets) -> Int64:
    """Return the class of each of N texts, (N,) int64."""
    each = np.array([row.max() // 4 for row in targets.rows], np.int64)
    if targets.owners is None:
        return each
    found = np.zeros(int(targets.owners.max(initial=-1)) + 1, np.int64)
    np.maximum.at(found, targets.owners, each)
    return found


def _values(logits: Float32, right: Int64, labels: LabelSet) -> dict[str, float]:
    names, relation = relations_of(labels)
    given = logits.argmax(axis=1)
    counts = relation_outcomes(right, given, relation, len(names)).sum(axis=0)
    means = averages(*counts, multi_label=False)
    main = means["f1_macro" if has_directions(labels) else "f1_micro"]
    return {"relation_f1": float(main), "f1_micro": float(means["f1_micro"]), "f1_macro": float(means["f1_macro"]),
            "accuracy": float((right == given).mean()),
            "loss": float(-log_softmax(logits)[np.arange(len(right)), right].mean())}
