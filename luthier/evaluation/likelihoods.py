"""How likely a model finds the right texts, beside what the texts score that it writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from luthier.evaluation.outcomes import Array, Keys, RowOutcomes
from luthier.evaluation.scores import Judged
from luthier.evaluation.texts import Texts
from luthier.schema import Bool, Float32, Int64

PERPLEXITY = "perplexity"
MOST = 700.0
"""Largest mean whose exponential is a float."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """What N texts score, and how likely the right ones are."""

    texts: Texts
    logs: Array
    """(N, 2) float64: sum of the log probabilities of the tokens of the right text, natural, and how many these are."""

    def __len__(self) -> int:
        """Return N."""
        return len(self.texts)

    @property
    def right(self) -> Bool:
        """Return (N,) bool: equal to a right text."""
        return self.texts.right

    @property
    def keys(self) -> Keys:
        """Return the scores of each row as bytes, (N, bytes) uint8: equal where rows have equal outcomes."""
        return np.concatenate([self.texts.keys, np.ascontiguousarray(self.logs).view(np.uint8)], axis=1)

    def metrics(self, times: Array, rows: Int64) -> dict[str, Array]:
        """Return each metric for each of R resamples, (R,); see ``Texts.metrics``.

        ``perplexity`` is e to the mean negative log probability of a token of the right texts (Jelinek et al., 1977).
        """
        sums = times @ self.logs[rows]
        mean = -sums[:, 0] / np.maximum(sums[:, 1], 1)
        return {**self.texts.metrics(times, rows), PERPLEXITY: np.exp(np.minimum(mean, MOST))}

    def same_truth(self, other: RowOutcomes) -> bool:
        """Return whether the same texts were right for another system's rows, in the same order."""
        return self.texts.same_truth(other.texts if isinstance(other, Weighed) else other)


def weighed_texts(judged: Judged, logs: Sequence[Float32]) -> Judged:
    """Return what N texts score with the perplexity of the right ones.

    Args:
        judged: as ``judge_texts`` gives it.
        logs: N arrays (T,) of the log probabilities of their tokens, natural.
    """
    assert isinstance(judged.outcomes, Texts)  # noqa: S101 - texts are judged as such
    sums = np.array([(float(one.astype(np.float64).sum()), len(one)) for one in logs], np.float64).reshape(-1, 2)
    outcomes = Weighed(judged.outcomes, sums)
    value = outcomes.metrics(np.ones((1, len(sums))), np.arange(len(sums)))[PERPLEXITY]
    scores = replace(judged.scores, values={**judged.scores.values, PERPLEXITY: float(value[0])})
    return replace(judged, scores=scores, outcomes=outcomes)
