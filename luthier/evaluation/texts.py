"""Judging texts that a model wrote: against one right text or several, row by row and as a collection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from luthier.errors import DataError
from luthier.evaluation.outcomes import Array, Keys, RowOutcomes
from luthier.evaluation.scores import Judged, Scores
from luthier.evaluation.text_statistics import (
    ROUGES,
    Targets,
    bleu,
    bleu_counts,
    chrf,
    chrf_counts,
    rouge,
    spelling_of,
)
from luthier.schema import Answer, Bool, Example, Float32, Generated, Int64

CHRF, BLEU, EXACT = "chrf", "bleu", "exact_match"
_LEAST_DISTANCE = 1e-6
"""Of a text that is wrong in what chrF does not see, such as white space."""


@dataclass(frozen=True, slots=True)
class Texts:
    """What N texts score."""

    bleu: Int64
    """(N, 10) int64, see ``bleu_counts``."""
    chrf: Int64
    """(N, 18) int64, see ``chrf_counts``."""
    rouge: Array
    """(N, 4) float64: ROUGE-1, ROUGE-2, ROUGE-L and ROUGE-Lsum of each row."""
    right: Bool
    """(N,) bool: equal to a right text, but for white space at the ends."""
    truth: Targets
    """The right texts of each row."""

    def __len__(self) -> int:
        """Return N."""
        return len(self.right)

    @property
    def keys(self) -> Keys:
        """Return the scores of each row as bytes, (N, bytes) uint8: equal where rows have equal outcomes."""
        columns = [self.bleu, self.chrf, self.rouge, self.right[:, None]]
        return np.ascontiguousarray(np.concatenate(columns, axis=1, dtype=np.float64)).view(np.uint8)

    def metrics(self, times: Array, rows: Int64) -> dict[str, Array]:
        """Return each metric for each of R resamples, (R,), in [0, 1].

        Args:
            times: (R, G) float64, how often each of G rows is drawn; whole numbers.
            rows: (G,) int64, which rows these are.

        Returns:
            ``chrf`` and ``bleu`` of each draw as a collection; those of ``ROUGES`` and ``exact_match``, means over its
            rows.
        """
        drawn = times.sum(axis=1)
        means = times @ self.rouge[rows] / drawn[:, None]  # (R, 4)
        return {CHRF: chrf(times @ self.chrf[rows].astype(np.float64)),
                BLEU: bleu(times @ self.bleu[rows].astype(np.float64)),
                **dict(zip(ROUGES, means.T, strict=True)),
                EXACT: times @ self.right[rows].astype(np.float64) / drawn}

    def same_truth(self, other: RowOutcomes) -> bool:
        """Return whether the same texts were right for another system's rows, in the same order."""
        return isinstance(other, Texts) and tuple(self.truth) == tuple(other.truth)


def targets_of(examples: Sequence[Example]) -> Targets:
    """Return the right texts of the examples.

    Raises:
        DataError: an example has none.
    """
    for example in examples:
        if not example.targets:
            raise DataError(f"{example.id}: evaluation needs the right text of every row, got none",
                            "leave the row out, or use `luthier predict` for rows without one")
    return tuple(example.targets or () for example in examples)


def judge_texts(answers: Sequence[Answer], examples: Sequence[Example]) -> Judged:
    """Hold the texts that were written against the right ones.

    Args:
        answers: a ``Generated`` for each of N rows.
        examples: the N rows.

    Raises:
        DataError: too few answers, or of another kind; a row without a right text.
        MissingExtraError: what counts is not installed.
    """
    targets = targets_of(examples)
    given = [answer.generated_text for answer in answers if isinstance(answer, Generated)]
    if len(given) != len(targets):
        raise DataError(f"the predictor answered {len(given)} of {len(targets)} rows with a text",
                        "evaluate with a bundle that writes texts")
    outcomes = score_texts(given, targets)
    metrics = outcomes.metrics(np.ones((1, len(given))), np.arange(len(given)))
    scores = Scores(len(given), {name: float(value[0]) for name, value in metrics.items()}, (), None)
    return Judged(scores, outcomes, _distance(outcomes))


def score_texts(given: Sequence[str], targets: Targets) -> Texts:
    """Return what N texts score against the right ones of their rows.

    Raises:
        MissingExtraError: sacrebleu or rouge-score is not installed.
    """
    spelling = spelling_of(targets)
    means = rouge(given, targets, english=spelling.english)
    right = np.array([text.strip() in {target.strip() for target in texts}
                      for text, texts in zip(given, targets, strict=True)], np.bool_)
    return Texts(bleu_counts(given, targets, spelling.bleu), chrf_counts(given, targets),
                 np.stack([means[name] for name in ROUGES], axis=1), right, targets)


def _distance(outcomes: Texts) -> Float32:
    """Return 1 less the row's own chrF, (N,), and 0 for rows that are right."""
    apart = np.maximum(1 - chrf(outcomes.chrf.astype(np.float64)), _LEAST_DISTANCE)
    return np.asarray(np.where(outcomes.right, 0, apart), np.float32)
