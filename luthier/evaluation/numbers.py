"""Judging numbers: how far off they are, and how well they rank texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from luthier.errors import DataError
from luthier.evaluation.outcomes import Array, Keys, RowOutcomes
from luthier.evaluation.scores import Judged, Scores
from luthier.schema import Answer, Bool, Estimate, Int64, LabelSet, Scale
from luthier.tasks import grade_scores, number_scores


@dataclass(frozen=True, slots=True)
class Numbers:
    """N true numbers and those that were given."""

    true: Array
    """(N,) float64 in the caller's unit."""
    given: Array
    """(N,) float64 in the caller's unit."""
    grades: int = 0
    """How many grades there are; 0 where the numbers are none."""
    true_grade: Int64 | None = None
    """(N,) int64, the place of each true number among the grades; ``None`` without grades."""
    given_grade: Int64 | None = None
    """(N,) int64, the place of the grade given."""

    def __len__(self) -> int:
        """Return N."""
        return len(self.true)

    @property
    def right(self) -> Bool:
        """Return whether each row got its grade, (N,); without grades, its very number."""
        if self.true_grade is None or self.given_grade is None:
            return np.asarray(self.true == self.given)
        return np.asarray(self.true_grade == self.given_grade)

    @property
    def keys(self) -> Keys:
        """Return (N, 16) uint8, equal where rows have equal numbers."""
        return np.ascontiguousarray(np.stack([self.true, self.given], axis=1)).view(np.uint8)

    def same_truth(self, other: RowOutcomes) -> bool:
        """Return whether both have the same true numbers."""
        return isinstance(other, Numbers) and np.array_equal(self.true, other.true)

    def metrics(self, times: Array, rows: Int64) -> dict[str, Array]:
        """Return each metric for each of R resamples, (R,).

        Args:
            times: (R, G) float64, how often each of G rows is drawn; whole numbers.
            rows: (G,) int64, which rows these are.

        Returns:
            ``mse``, ``rmse``, ``mae``, ``r2``, ``pearson``, ``spearman`` and, of grades, ``qwk`` and ``accuracy``.
        """
        found = number_scores(self.true[rows], self.given[rows], times)
        if self.true_grade is not None and self.given_grade is not None:
            found |= grade_scores(self.true_grade[rows], self.given_grade[rows], self.grades, times)
        return found


def _graded(true: Array, given: Array, scale: Scale | None) -> Numbers:
    """Return N numbers with their grades, where the model knows some and the true numbers are such.

    A true grade that no training row has is a grade, too, and one that the model cannot give.
    """
    if scale is None or not scale.grades or (true != np.round(true)).any():
        return Numbers(true, given)
    grades = np.union1d(scale.grades, true)
    said = np.asarray(scale.grades, np.float64)[scale.nearest(given)]
    return Numbers(true, given, len(grades), np.searchsorted(grades, true), np.searchsorted(grades, said))


def judge_numbers(answers: Sequence[Answer], true: Array, labels: LabelSet) -> Judged:
    """Hold the numbers that were given against the true ones.

    Args:
        answers: an ``Estimate`` for each of N rows.
        true: (N,) float64.
        labels: tell the grades, if there are any.

    Raises:
        DataError: too few answers, or one that is not finite.
    """
    given = np.array([answer.score for answer in answers if isinstance(answer, Estimate)], np.float64)
    if len(given) != len(true) or not np.isfinite(given).all():
        raise DataError(f"the predictor answered {int(np.isfinite(given).sum())} of {len(true)} rows with a number",
                        "evaluate with a bundle that learned numbers")
    outcomes = _graded(true, given, labels.scale)
    found = outcomes.metrics(np.ones((1, len(true))), np.arange(len(true)))
    values = {name: float(value[0]) for name, value in found.items()}
    return Judged(Scores(len(true), values, (), None), outcomes, np.abs(given - true).astype(np.float32))
