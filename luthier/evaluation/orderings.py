"""Judging orders: the passages that a first search found for each query, as a model orders them anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from luthier.errors import DataError
from luthier.evaluation import first_stage
from luthier.evaluation.rankings import Ranking, relevant
from luthier.evaluation.row_values import RowValues
from luthier.evaluation.scores import Judged, Scores
from luthier.recipe import EvaluationSettings
from luthier.schema import Answer, Candidates, Example, Int64, Passages, Relevance, Reranked, TextInput
from luthier.tasks import MISSED, ordering_scores

CEILING = "recall@candidates"
"""Share of the right passages that the first search found: no order of its candidates finds more."""


@dataclass(frozen=True, slots=True)
class AsFound:
    """Leaves candidates in the order in which they come; the score of a place is one over it."""

    def predict(self, texts: Sequence[TextInput]) -> list[Answer]:
        """Return the passages of each query in their order."""
        return [Reranked.of([Relevance(1 / place) for place in range(1, len(row.passages) + 1)])
                for row in texts if isinstance(row, Candidates)]


def with_candidates(examples: Sequence[Example], settings: EvaluationSettings) -> list[Example]:
    """Return the rows with the passages that are to be ordered for each.

    Raises:
        DataError: a row has no passages, or none that belongs to its query.
        MissingExtraError: scikit-learn is not installed.
    """
    rows = relevant(examples)
    lost = [row.id for row in rows if not (row.passages and row.passages.positive)]
    if lost:
        raise DataError(f"{len(lost)} of {len(rows)} queries have no passage that belongs to them, such as "
                        f"{', '.join(lost[:3])}", "leave them out: no order of wrong passages is better than another")
    found = first_stage.candidates(rows, settings.candidates)
    return [replace(row, passages=replace(row.passages or Passages(()), candidates=own))
            for row, own in zip(rows, found, strict=True)]


def judge_orders_of_passages(answers: Sequence[Answer], examples: Sequence[Example]) -> Judged:
    """Hold the orders that were answered against what belongs to each query.

    Right passages that are not among the candidates count as missed. The order counts as it was answered, equal scores
    and all.

    Args:
        answers: a ``Reranked`` to each row.
        examples: N rows with candidates.

    Raises:
        DataError: too few answers, or others than orders.
    """
    orders = [answer for answer in answers if isinstance(answer, Reranked)]
    if len(orders) != len(examples):
        raise DataError(f"the predictor answered {len(orders)} of {len(examples)} queries with an order",
                        "evaluate with a bundle that orders passages")
    known = [row.passages or Passages(()) for row in examples]
    ranks = [_ranks(order, own) for order, own in zip(orders, known, strict=True)]
    table = ordering_scores(ranks, [np.array(own.relevance, np.float64) for own in known])
    table[CEILING] = np.array([np.mean(own != MISSED) for own in ranks])
    rankings = tuple(_ranking(*row) for row in zip(orders, known, ranks, strict=True))
    right = np.array([one.rank == 1 for one in rankings])
    ones = np.ones((len(examples), 1), np.bool_)
    outcomes = RowValues(table, right, ones, ones, {}, [(row.text, row.passages) for row in examples])
    values = {name: float(value.mean()) for name, value in table.items()}
    apart = np.array([_behind(*row) for row in zip(orders, ranks, strict=True)], np.float32)
    apart = np.where(right, np.float32(0), np.maximum(apart, np.float32(1e-6)))
    return Judged(Scores(len(examples), values, (), None), outcomes, apart, answers=rankings)


def _ranks(order: Reranked, passages: Passages) -> Int64:
    """Return where each right passage stands, from 1; ``MISSED`` where it was no candidate."""
    places = {(passages.candidates or ())[one.index]: rank for rank, one in enumerate(order.results, 1)}
    return np.array([places.get(text, MISSED) for text in passages.positive], np.int64)


def _ranking(order: Reranked, passages: Passages, ranks: Int64) -> Ranking:
    if not order.results:
        return Ranking(MISSED, "", 0.0, order.truncated)
    best = order.results[0]
    return Ranking(int(ranks.min()), (passages.candidates or ())[best.index], best.score, order.truncated)


def _behind(order: Reranked, ranks: Int64) -> float:
    """Return how far the first right passage lies behind the one in front; the latter's score where it was missed."""
    if not order.results:
        return 1.0
    rank = int(ranks.min())
    return order.results[0].score - (0.0 if rank == MISSED else order.results[rank - 1].score)
