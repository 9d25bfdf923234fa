"""Judging relations: by label, and by relation with both directions together, as SemEval and TACRED count them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from luthier.evaluation.classes import judge_labels
from luthier.evaluation.outcomes import Array, Counts, Keys, Outcomes, RowOutcomes
from luthier.evaluation.scores import Judged
from luthier.schema import Answer, Bool, Int64, LabelSet
from luthier.tasks import has_directions, relation_outcomes, relations_of

MAIN = "relation_f1"
"""The mean of F1 over relations where labels have directions, as in SemEval-2010 Task 8; else their micro average."""


@dataclass(frozen=True, slots=True)
class RelationOutcomes:
    """What came of N marked texts."""

    by_label: Outcomes
    """Each label as a class, also the one of pairs without a relation."""
    by_relation: Outcomes
    """Each relation as a class, a wrong direction as wrong; pairs without a relation count for none."""
    directed: bool
    """Whether labels have directions."""

    def __len__(self) -> int:
        """Return N."""
        return len(self.by_label)

    @property
    def right(self) -> Bool:
        """Return whether each row got its label, (N,)."""
        return self.by_label.right

    @property
    def keys(self) -> Keys:
        """Return (N, bytes) uint8, equal where rows have equal outcomes."""
        return self.by_label.keys

    @property
    def carried(self) -> Counts:
        """Return the labels that the rows carry, (N, C) bool."""
        return self.by_label.carried

    @property
    def given(self) -> Counts:
        """Return the labels that the rows were given, (N, C) bool."""
        return self.by_label.given

    def same_truth(self, other: RowOutcomes) -> bool:
        """Return whether both have rows that carry the same."""
        return isinstance(other, RelationOutcomes) and self.by_label.same_truth(other.by_label)

    def metrics(self, times: Array, rows: Int64) -> dict[str, Array]:
        """Return each metric for each of R resamples, (R,), and ``f1`` of each label, (R, C).

        Args:
            times: (R, G) float64, how often each of G rows is drawn; whole numbers.
            rows: (G,) int64, which rows these are.

        Returns:
            ``relation_f1``, ``accuracy``, the nine averages over relations, and ``f1``.
        """
        found = self.by_relation.metrics(times, rows)
        return {MAIN: found["f1_macro" if self.directed else "f1_micro"], **found,
                "f1": self.by_label.metrics(times, rows)["f1"]}


def judge_relations(answers: Sequence[Answer], truth: Bool, labels: LabelSet) -> Judged:
    """Hold the relations that were told against the true ones.

    Args:
        answers: a ``Prediction`` for each of N rows.
        truth: (N, C) bool, one label a row.
        labels: the C labels in order.

    Raises:
        DataError: too few answers, or such with another label set.
    """
    judged = judge_labels(answers, truth, labels)
    assert isinstance(judged.outcomes, Outcomes)  # noqa: S101 - that is how labels are judged
    by_label = judged.outcomes
    names, relation = relations_of(labels)
    counts = relation_outcomes(truth.argmax(1), by_label.given.argmax(1), relation, len(names))
    outcomes = RelationOutcomes(by_label, Outcomes(counts, by_label.right, by_label.keys), has_directions(labels))
    found = outcomes.metrics(np.ones((1, len(truth))), np.arange(len(truth)))
    values = judged.scores.values | {name: float(value[0]) for name, value in found.items() if value.ndim == 1}
    return replace(judged, scores=replace(judged.scores, values=values), outcomes=outcomes)
