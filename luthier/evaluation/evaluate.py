"""Score a predictor on labelled rows, through the same ``predict`` that serves."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from luthier.errors import DataError
from luthier.evaluation.intervals import Difference, Draws, Intervals, differences, intervals
from luthier.evaluation.kind import Kind, PredictsTexts, kind_of
from luthier.evaluation.outcomes import RowOutcomes
from luthier.evaluation.scores import Judged, RowError, Scores
from luthier.recipe import EvaluationSettings
from luthier.schema import Answer, Bool, Example, Float32, LabelSet, TextInput, parts

AT_ONCE = 1 << 16
"""Texts that a predictor is given at once, about."""
CHARACTERS_AT_ONCE = 1 << 22
"""And their characters, about: taggers answer with numbers for each token."""


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
    """The most confident errors, most confident first; where a kind lists them by distance, the farthest."""
    wrong: int
    """All rows answered wrongly: with another label, another grade, or without grades another number."""
    predictions: tuple[Answer, ...] = field(repr=False)
    """N answers in the order of the rows."""
    outcomes: RowOutcomes = field(repr=False)
    """What came of each row: behind the intervals, and behind paired comparisons."""
    probabilities: Float32 | None = field(default=None, repr=False)
    """(N, C) float32; classification only."""
    warnings: tuple[str, ...] = ()
    """Why the scores may say less than they seem to; empty when nothing is amiss."""
    new_head: bool = False
    """Whether parts of the model had no pretrained weights and were not tuned, either: then it guesses."""

    @property
    def kind(self) -> Kind:
        """Return what there is to know of its problem type."""
        return kind_of(self.labels.problem_type)

    @property
    def truth(self) -> Bool:
        """Return the labels that the rows carry, or the types of their spans: (N, C) bool.

        Raises:
            DataError: rows of this problem type carry no labels.
        """
        return _labels_of(self.outcomes, "carried")

    @property
    def chosen(self) -> Bool:
        """Return the labels that the rows were given, or the types of the spans found in them: (N, C) bool.

        Raises:
            DataError: rows of this problem type carry no labels.
        """
        return _labels_of(self.outcomes, "given")

    @property
    def main_metric(self) -> str:
        """Return the name of the value that verdicts go by."""
        return self.kind.MAIN

    @property
    def main_metric_title(self) -> str:
        """Return what people call it."""
        return self.kind.MAIN_TITLE

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form used in ``scores.json``: numbers and row ids, never texts."""
        result = self.scores.to_dict()
        for entry, interval in zip(result["classes"], self.intervals.class_f1, strict=True):
            entry["f1_interval"] = interval.to_dict()
        return {
            "problem_type": self.labels.problem_type,
            **result,
            "intervals": {name: interval.to_dict() for name, interval in self.intervals.metrics.items()},
            "seconds": round(self.seconds, 4),
            "truncated": self.truncated,
            "wrong": self.wrong,
            "confident_errors": [{"id": error.example.id, **self.kind.told(error)} for error in self.errors],
            **({"new_head": True} if self.new_head else {}),
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
        examples: N labelled rows, with what the label set's problem type scores.
        labels: the label set and its order.
        settings: resamples, confidence and how many errors to keep.
        seed: of the bootstrap.

    Raises:
        DataError: no rows, a row without a label that the set knows, or a predictor with another label set.
    """
    if not examples:
        raise DataError("there are no rows to evaluate", "give a file with labelled rows")
    kind = kind_of(labels.problem_type)
    if hasattr(kind, "with_candidates"):
        examples = kind.with_candidates(examples, settings)
    # Before the model is asked, which takes minutes.
    judge = kind.judge(examples, labels)
    started = time.perf_counter()
    given = [answer for part in _parts(_asked(kind, examples)) for answer in predictor.predict(part)]
    seconds = time.perf_counter() - started
    judged = judge(given)
    if hasattr(kind, "weighed") and hasattr(predictor, "weigh"):  # a model can tell how likely right texts are
        right = [(example.targets or ("",))[0] for example in examples]
        judged = kind.weighed(judged, predictor.weigh([example.text_input for example in examples], right))
    answers = given if judged.answers is None else judged.answers
    errors = _errors(examples, answers, judged, every=kind.BY_DISTANCE)
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
    if system.labels != other.labels or not system.outcomes.same_truth(other.outcomes):
        raise DataError("the two systems were not evaluated on the same rows", "evaluate both on the same file")
    return differences(system.outcomes, other.outcomes, _draws(settings, seed),
                       lower_is_better=system.kind.LOWER_IS_BETTER)


def _asked(kind: Kind, examples: Sequence[Example]) -> list[TextInput]:
    """Return what a predictor is asked: each row's text or texts, or what else the kind needs, such as a corpus."""
    own = getattr(kind, "asked", None)
    return [example.text_input for example in examples] if own is None else list(own(examples))


def _parts(asked: Sequence[TextInput]) -> Iterator[Sequence[TextInput]]:
    """Yield rows in parts of about ``AT_ONCE`` texts: those of queries with their candidates may be millions."""
    start = texts = size = 0
    for stop, row in enumerate(asked, 1):
        texts += len(parts(row))
        size += sum(map(len, parts(row)))
        if texts >= AT_ONCE or size >= CHARACTERS_AT_ONCE or stop == len(asked):
            yield asked[start:stop]
            start, texts, size = stop, 0, 0


def _draws(settings: EvaluationSettings, seed: int) -> Draws:
    return Draws(settings.bootstrap, settings.confidence, seed)


def _labels_of(outcomes: RowOutcomes, side: str) -> Bool:
    counts = getattr(outcomes, side, None) if hasattr(outcomes, "carried") else None
    if counts is None:
        raise DataError("these rows carry no labels", "compare what their outcomes hold")
    return np.asarray(counts > 0)


def _errors(examples: Sequence[Example], answers: Sequence[Answer], judged: Judged, *,
            every: bool) -> list[RowError]:
    """Return the wrong rows (or every row with an error at all), most confident first, then in their order."""
    wrong = np.flatnonzero(judged.confidence > 0 if every else ~judged.outcomes.right).tolist()
    wrong.sort(key=lambda row: -float(judged.confidence[row]))
    return [RowError(examples[row], answers[row], float(judged.confidence[row])) for row in wrong]
