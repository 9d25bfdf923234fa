"""Judging the order that a model puts pairs of texts in: cosines have no unit, so that only their order is compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from luthier.errors import DataError
from luthier.evaluation.outcomes import Array, Keys, RowOutcomes
from luthier.evaluation.scores import Judged, Scores
from luthier.schema import Answer, Bool, Int64, Similarity
from luthier.tasks import number_scores

SPEARMAN, PEARSON = "spearman", "pearson"


@dataclass(frozen=True, slots=True)
class Orders:
    """N true scores and the cosines that were given."""

    true: Array
    """(N,) float64 in the caller's unit."""
    given: Array
    """(N,) float64."""

    def __len__(self) -> int:
        """Return N."""
        return len(self.true)

    @property
    def places(self) -> tuple[Array, Array]:
        """Return where each pair stands by its true score and by its cosine, (N,) each, in [0, 1]; equal ones share."""
        return _places(self.true), _places(self.given)

    @property
    def right(self) -> Bool:
        """Return whether each pair stands where it should, (N,)."""
        one, other = self.places
        return np.asarray(one == other)

    @property
    def keys(self) -> Keys:
        """Return (N, 16) uint8, equal where rows have equal numbers."""
        return np.ascontiguousarray(np.stack([self.true, self.given], axis=1)).view(np.uint8)

    def same_truth(self, other: RowOutcomes) -> bool:
        """Return whether both have the same true scores."""
        return isinstance(other, Orders) and np.array_equal(self.true, other.true)

    def metrics(self, times: Array, rows: Int64) -> dict[str, Array]:
        """Return ``spearman`` and ``pearson`` for each of R resamples, (R,).

        Args:
            times: (R, G) float64, how often each of G rows is drawn; whole numbers.
            rows: (G,) int64, which rows these are.
        """
        found = number_scores(self.true[rows], self.given[rows], times)
        return {name: found[name] for name in (SPEARMAN, PEARSON)}


def judge_orders(answers: Sequence[Answer], true: Array) -> Judged:
    """Hold cosines against true scores.

    Args:
        answers: a ``Similarity`` for each of N rows.
        true: (N,) float64.

    Raises:
        DataError: too few answers.
    """
    given = np.array([answer.score for answer in answers if isinstance(answer, Similarity)], np.float64)
    if len(given) != len(true):
        raise DataError(f"the predictor answered {len(given)} of {len(true)} pairs with how alike they are",
                        "evaluate with a bundle that compares texts")
    outcomes = Orders(true, given)
    found = outcomes.metrics(np.ones((1, len(true))), np.arange(len(true)))
    one, other = outcomes.places
    return Judged(Scores(len(true), {name: float(value[0]) for name, value in found.items()}, (), None), outcomes,
                  np.abs(one - other).astype(np.float32))


def _places(values: Array) -> Array:
    """Return the rank of each value as a share of them all, equal ones having their mean."""
    _, group, sizes = np.unique(values, return_inverse=True, return_counts=True)
    middle: Array = np.cumsum(sizes) - sizes / 2
    return middle[group] / len(values)
