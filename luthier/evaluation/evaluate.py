"""Score a predictor on labelled rows, through the same ``predict`` that serves."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from luthier.errors import DataError
from luthier.evaluation.intervals import Difference, Intervals, bootstrap, paired_bootstrap
from luthier.evaluation.metrics import Scores, membership, score
from luthier.recipe import EvaluationSettings
from luthier.schema import Bool, Example, Float32, LabelSet, Prediction, TextInput


class PredictsTexts(Protocol):
    """Anything that answers texts: a bundle's predictor, a baseline, a test double."""

    def predict(self, texts: Sequence[TextInput]) -> list[Prediction]:
        """Return one prediction for each text, in order."""
        ...


@dataclass(frozen=True, slots=True)
class RowError:
    """One row that was answered wrongly."""

    example: Example
    prediction: Prediction
    confidence: float
    """How far off the answer was: the probability of the wrong label; with several labels the largest distance
    between a label's probability and the truth. In [0, 1]."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What one system scores on one set of rows."""

    labels: LabelSet
    scores: Scores
    intervals: Intervals
    seconds: float
    """Wall time of ``predict`` over all rows."""
    truncated: int
    """Rows whose end the system did not see."""
    errors: tuple[RowError, ...]
    """The most confident errors, most confident first."""
    wrong: int
    """All rows answered wrongly."""
    predictions: tuple[Prediction, ...] = field(repr=False)
    """N predictions in the order of the rows."""
    probabilities: Float32 = field(repr=False)
    """(N, C) float32."""
    truth: Bool = field(repr=False)
    """(N, C) bool, labels that the rows carry."""
    chosen: Bool = field(repr=False)
    """(N, C) bool, labels that the rows were given."""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form used in ``scores.json``: numbers and row ids, never texts."""
        result = self.scores.to_dict()
        for entry, interval in zip(result["classes"], self.intervals.class_f1, strict=True):
            entry["f1_interval"] = interval.to_dict()
        return {
            **result,
            "intervals": {name: interval.to_dict() for name, interval in self.intervals.metrics.items()},
            "seconds": round(self.seconds, 4),
            "truncated": self.truncated,
            "wrong": self.wrong,
            "confident_errors": [
                {
                    "id": error.example.id,
                    "labels": list(error.example.labels or ()),
                    "predicted": list(error.prediction.labels),
                    "confidence": round(error.confidence, 6),
                }
                for error in self.errors
            ],
        }


def evaluate(
    predictor: PredictsTexts,
    examples: Sequence[Example],
    labels: LabelSet,
    settings: EvaluationSettings,
    *,
    seed: int = 0,
) -> Evaluation:
    """Predict every row and score the answers.

    The labels scored are those that the predictor chose, never a second decoding of its probabilities.

    Args:
        predictor: answers texts, or pairs of texts when the examples are pairs.
        examples: N labelled rows.
        labels: the label set and its order.
        settings: resamples, confidence and how many errors to keep.
        seed: of the bootstrap.

    Raises:
        DataError: no rows, a row without a label that the set knows, or a predictor with another label set.
    """
    if not examples:
        raise DataError("there are no rows to evaluate", "give a file with labelled rows")
    truth = membership(examples, labels)
    started = time.perf_counter()
    predictions = predictor.predict([example.text_input for example in examples])
    seconds = time.perf_counter() - started
    if len(predictions) != len(examples) or any(prediction.names != labels.names for prediction in predictions):
        raise DataError(
            f"the predictor answered {len(predictions)} of {len(examples)} rows with the labels "
            f"{', '.join(predictions[0].names) if predictions else 'none'}; expected one answer a row with "
            f"{', '.join(labels.names)}",
            "evaluate with the bundle that these labels belong to",
        )
    probabilities = np.stack([prediction.probabilities for prediction in predictions]).astype(np.float32)
    chosen = np.zeros_like(truth)
    for row, prediction in enumerate(predictions):
        chosen[row, [labels.index(name) for name in prediction.labels]] = True
    errors = _errors(examples, predictions, _confidence(probabilities, truth, chosen, labels))
    return Evaluation(
        labels=labels,
        scores=score(probabilities, truth, labels, chosen=chosen),
        intervals=bootstrap(
            truth,
            chosen,
            multi_label=labels.multi_label,
            resamples=settings.bootstrap,
            confidence=settings.confidence,
            seed=seed,
        ),
        seconds=seconds,
        truncated=sum(prediction.truncated for prediction in predictions),
        errors=tuple(errors[: settings.max_errors]),
        wrong=len(errors),
        predictions=tuple(predictions),
        probabilities=probabilities,
        truth=truth,
        chosen=chosen,
    )


def compare(
    system: Evaluation, other: Evaluation, settings: EvaluationSettings, *, seed: int = 0
) -> dict[str, Difference]:
    """Return how much a system scores above another on the same rows, for each averaged metric.

    Raises:
        DataError: the two were not evaluated on the same rows.
    """
    if system.truth.shape != other.truth.shape or not np.array_equal(system.truth, other.truth):
        raise DataError("the two systems were not evaluated on the same rows", "evaluate both on the same file")
    return paired_bootstrap(
        system.truth,
        system.chosen,
        other.chosen,
        multi_label=system.labels.multi_label,
        resamples=settings.bootstrap,
        confidence=settings.confidence,
        seed=seed,
    )


def _confidence(probabilities: Float32, truth: Bool, chosen: Bool, labels: LabelSet) -> Float32:
    """Return (N,) float32: 0 for right rows, else how far off the answer was (see ``RowError.confidence``)."""
    wrong = chosen & ~truth if not labels.multi_label else chosen != truth
    return np.asarray(np.where(wrong, np.abs(probabilities - truth), 0.0).max(axis=1), dtype=np.float32)


def _errors(examples: Sequence[Example], predictions: Sequence[Prediction], confidence: Float32) -> list[RowError]:
    """Return every wrong row, most confident first and then in the order of the rows."""
    wrong = [row for row, example in enumerate(examples) if set(example.labels or ()) != set(predictions[row].labels)]
    wrong.sort(key=lambda row: -float(confidence[row]))
    return [RowError(examples[row], predictions[row], float(confidence[row])) for row in wrong]
