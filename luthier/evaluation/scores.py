"""What answers score, whatever the task: the values that reports and programs read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from luthier.evaluation.outcomes import RowOutcomes
from luthier.schema import Answer, Example, Float32, Int64, LabelSet
from luthier.tasks import precision_recall_f1

Areas = Sequence[tuple[float | None, float | None]]


@dataclass(frozen=True, slots=True)
class ClassScores:
    """How one class fares against all others."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int
    """Test rows that carry the label; of a type of span, the spans that carry it."""
    predicted: int
    """Test rows, or spans, that were given the label."""
    true_positives: int
    roc_auc: float | None
    """Area under the ROC curve; ``None`` when the test rows hold only one side, and for spans."""
    average_precision: float | None
    """Area under the precision-recall curve in steps; ``None`` when no test row carries the label, and for spans."""


@dataclass(frozen=True, slots=True)
class TagScores:
    """How one tag of words fares."""

    tag: str
    """``O``, ``B-PER`` and so on."""
    precision: float
    recall: float
    f1: float
    support: int
    """Words that carry the tag."""


@dataclass(frozen=True, slots=True)
class TokenTable:
    """The words by their tags, ``O`` among them: what scikit-learn's ``classification_report`` shows of BIO tags."""

    tags: tuple[TagScores, ...]
    """``O`` first; tags that no word carries or was given are left out."""
    averages: dict[str, float]
    """``precision_macro`` … ``f1_weighted`` over these tags. ``f1_micro`` is the share of words with the right tag."""
    words: int


@dataclass(frozen=True, slots=True)
class Scores:
    """Everything that one set of predictions scores."""

    rows: int
    values: dict[str, float]
    """``accuracy``, ``precision_macro`` … ``f1_weighted``, ``log_loss``, ``roc_auc_macro``, ``average_precision_macro``
    and, with several labels a row, ``hamming_loss``. Undefined areas are left out.

    For spans ``accuracy`` is the share of rows with every span right and none too many, the nine averages are strict,
    and there are ``precision_``, ``recall_`` and ``f1_`` of ``exact``, ``partial`` and ``type``; where no true spans
    overlap also ``token_f1_micro`` and ``token_f1_macro``. For answers ``f1`` and ``exact_match``, means over
    questions, and where some have no answer also ``f1_answerable`` and so on.

    For numbers there are ``mse``, ``rmse``, ``mae``, ``r2``, ``pearson``, ``spearman`` and, of grades, ``qwk`` and
    ``accuracy``."""
    classes: tuple[ClassScores, ...]
    """C entries in the order of the label set."""
    confusion: Int64 | None
    """(C, C) int64 rows, true class by chosen class; ``None`` when rows carry several labels, and for spans."""
    tokens: TokenTable | None = None
    """The words by their tags; only where the true spans are such that no two overlap."""
    parts: dict[str, int] = field(default_factory=dict)
    """Questions with an answer and without one, where there are both."""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form used in ``scores.json``."""
        result: dict[str, Any] = {
            "rows": self.rows,
            "metrics": self.values,
            "classes": [asdict(entry) for entry in self.classes],
            "confusion": None if self.confusion is None else _cells(self.confusion),
        }
        if self.parts:
            result["parts"] = self.parts
        return result if self.tokens is None else {**result, "tokens": asdict(self.tokens)}


def _cells(matrix: Int64) -> list[list[int]]:
    """Return the cells of a (C, C) matrix that are not 0, each behind its row and column: most are, of many labels."""
    rows, columns = np.nonzero(matrix)
    found: list[list[int]] = np.stack([rows, columns, matrix[rows, columns]], axis=1).tolist()
    return found


@dataclass(frozen=True, slots=True)
class Judged:
    """The answers to N rows, held against the truth."""

    scores: Scores
    outcomes: RowOutcomes
    confidence: Float32
    """(N,) float32: 0 for right rows, else how far off the answer was (see ``RowError.confidence``); where a kind lists
    errors by distance, the distance, right or not."""
    probabilities: Float32 | None = None
    """(N, C) float32; classification only."""
    answers: tuple[Answer, ...] | None = None
    """What came of each row, where that is not what the predictor answered."""


@dataclass(frozen=True, slots=True)
class RowError:
    """One row that was answered wrongly."""

    example: Example
    prediction: Answer
    confidence: float
    """How far off the answer was: the probability of the wrong label; with several labels the largest distance
    between a label's probability and the truth; of spans the highest score of a wrong one, and 0 where spans were only
    missed; of an answer its score. In [0, 1]. Of a number its distance from the true one, in their unit."""


def class_scores(
    labels: LabelSet, parts: tuple[Int64, Int64, Int64], areas: Areas = ()
) -> tuple[ClassScores, ...]:
    """Return one entry a class from its true positives, false positives and false negatives, each (C,).

    ``areas`` are those under each class's two curves, where there are curves.
    """
    precision, recall, f1 = precision_recall_f1(*parts)
    hits, false, missed = parts
    return tuple(
        ClassScores(
            name,
            float(precision[c]),
            float(recall[c]),
            float(f1[c]),
            int(hits[c] + missed[c]),
            int(hits[c] + false[c]),
            int(hits[c]),
            *(areas[c] if areas else (None, None)),
        )
        for c, name in enumerate(labels.names)
    )
