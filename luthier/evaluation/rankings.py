"""Judging rankings: each query against every passage of the rows that are scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from luthier.data.columns.passages import joined
from luthier.errors import DataError
from luthier.evaluation.row_values import RowValues
from luthier.evaluation.scores import Judged, Scores
from luthier.schema import Answer, Example, Float32, Int64, Passage, Passages, TextInput
from luthier.tasks import MISSED, blocks, ranking_scores, ranks

NDCG = "ndcg@10"
TRIPLETS = "triplet_accuracy"


@dataclass(frozen=True, slots=True)
class Ranking:
    """What came of one query."""

    rank: int
    """Of its first right passage, from 1; ``MISSED`` where none was among its candidates."""
    first: str
    """The passage that was ranked first."""
    score: float
    """Cosine of the query and that passage, or what else orders them."""
    truncated: bool = False
    """True when the model did not see the end of the query."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Return none: a rank is no label."""
        return ()

    @property
    def label(self) -> str:
        """Return the rank."""
        return str(self.rank)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        rank = None if self.rank == MISSED else self.rank
        return {"rank": rank, "score": round(self.score, 6), "truncated": self.truncated}

    to_cells = to_dict


def relevant(examples: Sequence[Example]) -> list[Example]:
    """Return the rows, each with all the passages that belong to its query in any of them.

    Raises:
        DataError: a row has no passages.
    """
    rows: dict[str, list[Example]] = {}
    for row in examples:
        if row.passages is None:
            raise DataError(f"{row.id}: evaluation needs passages that belong to each query, got none",
                            "leave the row out, or use `luthier predict` for texts alone")
        rows.setdefault(row.text, []).append(row)
    return [replace(row, passages=joined(rows[row.text]).passages) for row in examples]


def asked(examples: Sequence[Example]) -> list[TextInput]:
    """Return what a predictor is asked to score these rows: the queries, and then each different passage."""
    rows = relevant(examples)
    return [*(row.text for row in rows), *(Passage(text) for text in _passages(rows))]


def judge_rankings(answers: Sequence[Answer], examples: Sequence[Example]) -> Judged:
    """Rank every passage for every query by the product of their vectors.

    Args:
        answers: with a ``vector`` each, to what ``asked`` returned.
        examples: N rows, as ``relevant`` gives them.

    Raises:
        DataError: too few answers, or without vectors.
    """
    passages = _passages(examples)
    vectors = [answer.vector for answer in answers if hasattr(answer, "vector")]
    if len(vectors) != len(examples) + len(passages):
        raise DataError(f"the predictor answered {len(vectors)} of {len(examples) + len(passages)} texts with vectors",
                        "evaluate with a bundle that compares texts")
    queries, corpus = stacked(vectors[: len(examples)]), stacked(vectors[len(examples):])
    numbers = {text: number for number, text in enumerate(passages)}
    wanted = [np.array([numbers[text] for text in row.passages.positive], np.int64) for row in examples if row.passages]

    def scores(start: int, stop: int) -> Any:
        found = queries[start:stop] @ corpus.T
        return found if isinstance(found, np.ndarray) else found.toarray()

    found = ranks(scores, wanted, len(passages))
    first, best, right = _firsts(scores, wanted, len(passages))
    table = ranking_scores(found)
    if all(row.passages and row.passages.negative for row in examples):
        table[TRIPLETS] = _triplets(scores, examples, numbers)
    top = np.array([own[0] for own in found], np.int64)
    rankings = tuple(Ranking(int(top[row]), passages[first[row]], float(best[row]), answers[row].truncated)
                     for row in range(len(examples)))
    ones = np.ones((len(examples), 1), np.bool_)
    outcomes = RowValues(table, top == 1, ones, ones, {}, [(row.text, row.passages) for row in examples])
    values = {name: float(value.mean()) for name, value in table.items()}
    apart = np.where(top == 1, 0, np.maximum(best - right, np.float32(1e-6))).astype(np.float32)
    return Judged(Scores(len(examples), values, (), None), outcomes, apart, answers=rankings)


def stacked(vectors: Sequence[Any]) -> Any:
    """Return vectors as the rows of one matrix, (N, D); sparse where they are."""
    if not vectors or isinstance(vectors[0], np.ndarray):
        return np.stack(vectors)
    from scipy.sparse import vstack  # type: ignore[import-untyped]  # no stubs are installed

    return vstack(vectors).tocsr()


def _passages(examples: Sequence[Example]) -> list[str]:
    """Return each different passage of the rows, right or wrong, in the order in which they come."""
    return list(dict.fromkeys(text for row in examples if row.passages
                              for text in (*row.passages.positive, *row.passages.negative)))


def _firsts(scores: Any, wanted: Sequence[Int64], passages: int) -> tuple[Int64, Float32, Float32]:
    """Return what each query ranks first, its score, and that of the first right passage, (N,) each."""
    first, best, right = [], [], []
    for start, stop in blocks(len(wanted), passages):
        for row, own in zip(scores(start, stop), wanted[start:stop], strict=True):
            first.append(int(row.argmax()))
            best.append(row[first[-1]])
            right.append(row[own].max())
    return np.array(first, np.int64), np.array(best, np.float32), np.array(right, np.float32)


def _triplets(scores: Any, examples: Sequence[Example], numbers: dict[str, int]) -> Any:
    """Return of each row's pairs of a right and a wrong passage the share that stands in order, (N,) float64."""
    found = []
    for start, stop in blocks(len(examples), len(numbers)):
        for row, example in zip(scores(start, stop), examples[start:stop], strict=True):
            own = example.passages or Passages(())
            right, wrong = (row[[numbers[text] for text in texts]] for texts in (own.positive, own.negative))
            found.append(float((right[:, None] > wrong).mean()))
    return np.array(found, np.float64)
