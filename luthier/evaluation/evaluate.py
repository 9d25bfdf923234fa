"""Score a predictor on labelled rows, through the same ``predict`` that serves."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from luthier.data.numbers import values_of
from luthier.errors import DataError
from luthier.evaluation.answers import gold_texts, judge_answers
from luthier.evaluation.classes import judge_labels
from luthier.evaluation.entities import gold_spans, judge_spans
from luthier.evaluation.intervals import Difference, Draws, Intervals, differences, intervals
from luthier.evaluation.metrics import membership
from luthier.evaluation.numbers import Numbers, judge_numbers
from luthier.evaluation.outcomes import Counts, Outcomes
from luthier.evaluation.row_values import RowValues
from luthier.evaluation.scores import Judged, Scores
from luthier.recipe import EvaluationSettings
from luthier.schema import (
    Answer,
    Bool,
    Entities,
    Estimate,
    Example,
    Float32,
    FoundAnswer,
    LabelSet,
    Prediction,
    TextInput,
)

_MAIN = {"token_classification": ("f1_micro", "entity F1"), "question_answering": ("f1", "answer F1"),
         "regression": ("rmse", "RMSE")}
"""Problem type -> the metric that verdicts go by, and what people call it; of all others macro F1."""


class PredictsTexts(Protocol):
    """Anything that answers texts: a bundle's predictor, a baseline, a test double."""

    def predict(self, texts: Sequence[TextInput]) -> Sequence[Answer]:
        """Return one answer for each text, in order: ``Prediction``, ``Entities``, ``FoundAnswer`` or ``Estimate``."""
        ...


@dataclass(frozen=True, slots=True)
class RowError:
    """One row that was answered wrongly."""

    example: Example
    prediction: Answer
    confidence: float
    """How far off the answer was: the probability of the wrong label; with several labels the largest distance
    between a label's probability and the truth; of spans the highest score of a wrong one, and 0 where spans were only
    missed; of an answer its score. In [0, 1]. Of a number its distance from the true one, in their unit."""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form used in ``scores.json``: never the text, nor a word of it."""
        said: dict[str, Any] = {}
        if isinstance(self.prediction, Estimate):
            return {"id": self.example.id, "value": self.example.value, "predicted": self.prediction.score,
                    "error": self.confidence}
        if isinstance(self.prediction, Prediction):
            said = {"labels": list(self.example.labels or ()), "predicted": list(self.prediction.labels)}
        elif isinstance(self.prediction, Entities):
            said = {
                "spans": [{"start": s.start, "end": s.end, "label": s.label} for s in self.example.spans or ()],
                "predicted": [
                    {"start": one.start, "end": one.end, "label": one.entity_group, "score": round(one.score, 6)}
                    for one in self.prediction.entities
                ],
            }
        elif isinstance(self.prediction, FoundAnswer):
            found = self.prediction
            said = {"answers": [{"start": a.start, "length": len(a.text)} for a in self.example.answers or ()],
                    "predicted": {"start": found.start, "length": len(found.answer), "score": round(found.score, 6)}}
        return {"id": self.example.id, **said, "confidence": round(self.confidence, 6)}


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
    """The most confident errors, most confident first; of numbers the largest."""
    wrong: int
    """All rows answered wrongly: with another label, another grade, or without grades another number."""
    predictions: tuple[Answer, ...] = field(repr=False)
    """N answers in the order of the rows."""
    outcomes: Outcomes | RowValues | Numbers = field(repr=False)
    """What came of each row: behind the intervals, and behind paired comparisons."""
    probabilities: Float32 | None = field(default=None, repr=False)
    """(N, C) float32; classification only."""

    @property
    def truth(self) -> Bool:
        """Return the labels that the rows carry, or the types of their spans: (N, C) bool."""
        return _counted(self.outcomes).carried > 0

    @property
    def chosen(self) -> Bool:
        """Return the labels that the rows were given, or the types of the spans found in them: (N, C) bool."""
        return _counted(self.outcomes).given > 0

    @property
    def main_metric(self) -> str:
        """Return the name of the value that verdicts go by."""
        return _MAIN.get(self.labels.problem_type, ("f1_macro", "macro F1"))[0]

    @property
    def main_metric_title(self) -> str:
        """Return what people call it."""
        return _MAIN.get(self.labels.problem_type, ("f1_macro", "macro F1"))[1]

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
            "confident_errors": [error.to_dict() for error in self.errors],
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

    The labels or spans scored are those that the predictor chose, never a second decoding of its probabilities.

    Args:
        predictor: answers texts, or pairs of texts when the examples are pairs.
        examples: N labelled rows: with labels, or with spans or answers where the label set is of those.
        labels: the label set and its order.
        settings: resamples, confidence and how many errors to keep.
        seed: of the bootstrap.

    Raises:
        DataError: no rows, a row without a label that the set knows, or a predictor with another label set.
    """
    if not examples:
        raise DataError("there are no rows to evaluate", "give a file with labelled rows")
    # Before the model is asked, which takes minutes.
    judge = _judge_of(examples, labels)
    started = time.perf_counter()
    answers = predictor.predict([example.text_input for example in examples])
    seconds = time.perf_counter() - started
    judged = judge(answers)
    errors = _errors(examples, answers, judged, every=labels.of_numbers)
    return Evaluation(
        labels=labels,
        scores=judged.scores,
        intervals=intervals(judged.outcomes, _draws(settings, seed)),
        seconds=seconds,
        truncated=sum(answer.truncated for answer in answers),
        errors=tuple(errors[: settings.max_errors]),
        wrong=int((~judged.outcomes.right).sum()),
        predictions=tuple(answers),
        outcomes=judged.outcomes,
        probabilities=judged.probabilities,
    )


def compare(
    system: Evaluation, other: Evaluation, settings: EvaluationSettings, *, seed: int = 0
) -> dict[str, Difference]:
    """Return how much a system scores above another on the same rows, for each averaged metric.

    Raises:
        DataError: the two were not evaluated on the same rows.
    """
    if system.labels != other.labels or not _same_truth(system.outcomes, other.outcomes):
        raise DataError("the two systems were not evaluated on the same rows", "evaluate both on the same file")
    return differences(system.outcomes, other.outcomes, _draws(settings, seed))


def _judge_of(examples: Sequence[Example], labels: LabelSet) -> Callable[[Sequence[Answer]], Judged]:
    """Check the truth, and return what holds answers against it."""
    if labels.of_numbers:
        true = values_of(examples)
        return lambda answers: judge_numbers(answers, true, labels)
    if labels.of_spans:
        gold = gold_spans(examples, labels)
        texts = [example.text for example in examples]
        return lambda answers: judge_spans(answers, gold, texts, labels)
    if labels.of_answers:
        gold_texts(examples)
        return lambda answers: judge_answers(answers, examples)
    truth = membership(examples, labels)
    return lambda answers: judge_labels(answers, truth, labels)


def _draws(settings: EvaluationSettings, seed: int) -> Draws:
    return Draws(settings.bootstrap, settings.confidence, seed)


def _counted(outcomes: Outcomes | RowValues | Numbers) -> Outcomes | RowValues:
    if isinstance(outcomes, Numbers):
        raise DataError("numbers carry no labels", "compare the numbers themselves: outcomes.true and outcomes.given")
    return outcomes


def _same_truth(one: Outcomes | RowValues | Numbers, other: Outcomes | RowValues | Numbers) -> bool:
    if isinstance(one, RowValues) and isinstance(other, RowValues):
        return list(one.truth) == list(other.truth)
    if isinstance(one, Numbers) and isinstance(other, Numbers):
        return np.array_equal(one.carried, other.carried)
    if not (isinstance(one, Outcomes) and isinstance(other, Outcomes)):
        return False
    if not np.array_equal(one.carried, other.carried):
        return False
    # Rows without a span look alike: their words do not.
    return one.tokens is None or other.tokens is None or np.array_equal(_words(one.tokens), _words(other.tokens))


def _words(tokens: Counts) -> Counts:
    """Return how many words of each tag the rows carry, from (N, 3, tags) counts."""
    return tokens[:, 0] + tokens[:, 2]


def _errors(examples: Sequence[Example], answers: Sequence[Answer], judged: Judged, *,
            every: bool) -> list[RowError]:
    """Return the wrong rows (or every row with an error at all), most confident first, then in their order."""
    wrong = np.flatnonzero(judged.confidence > 0 if every else ~judged.outcomes.right).tolist()
    wrong.sort(key=lambda row: -float(judged.confidence[row]))
    return [RowError(examples[row], answers[row], float(judged.confidence[row])) for row in wrong]
