"""Judging classifiers: one label of several for a row, or several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from luthier.errors import DataError
from luthier.evaluation.levels import level_counts
from luthier.evaluation.metrics import score
from luthier.evaluation.outcomes import label_outcomes, named_metrics
from luthier.evaluation.scores import Judged
from luthier.schema import Answer, Bool, Float32, LabelSet, Prediction


def judge_labels(answers: Sequence[Answer], truth: Bool, labels: LabelSet) -> Judged:
    """Hold the labels that were chosen against the truth.

    Args:
        answers: a ``Prediction`` for each of N rows.
        truth: (N, C) bool, see ``membership``.
        labels: the C labels in order.

    Raises:
        DataError: too few answers, or such with another label set.
    """
    predictions = [answer for answer in answers if isinstance(answer, Prediction)]
    if len(predictions) != len(truth) or any(prediction.names != labels.names for prediction in predictions):
        raise DataError(
            f"the predictor answered {len(predictions)} of {len(truth)} rows with the labels "
            f"{', '.join(predictions[0].names) if predictions else 'none'}; expected one answer a row with "
            f"{', '.join(labels.names)}",
            "evaluate with the bundle that these labels belong to",
        )
    probabilities = np.stack([prediction.probabilities for prediction in predictions]).astype(np.float32)
    chosen, place = np.zeros_like(truth), {name: number for number, name in enumerate(labels.names)}
    for row, prediction in enumerate(predictions):
        chosen[row, [place[name] for name in prediction.labels]] = True
    outcomes = label_outcomes(truth, chosen, multi_label=labels.multi_label, ways=level_counts(truth, chosen, labels))
    scores = score(probabilities, truth, labels, chosen=chosen)
    found = outcomes.metrics(np.ones((1, len(truth))), np.arange(len(truth)))
    levels = {name: float(found[name][0]) for way in outcomes.ways for name in named_metrics(way)}
    return Judged(
        scores=replace(scores, values={**scores.values, **levels}),
        outcomes=outcomes,
        confidence=_confidence(probabilities, truth, chosen, labels),
        probabilities=probabilities,
    )


def _confidence(probabilities: Float32, truth: Bool, chosen: Bool, labels: LabelSet) -> Float32:
    wrong = chosen & ~truth if not labels.multi_label else chosen != truth
    return np.asarray(np.where(wrong, np.abs(probabilities - truth), 0.0).max(axis=1), dtype=np.float32)
