"""Tasks: one file each says what a head learns and how its logits are read. Decoding and metrics are numpy only."""

from luthier.tasks._numbers import grade_scores, number_scores
from luthier.tasks._relations import has_directions, relation_outcomes, relations_of
from luthier.tasks._scores import averages, confusion_matrix, counts, precision_recall_f1
from luthier.tasks._span_targets import SpanTargets
from luthier.tasks._tokens import TokenTargets

__all__ = ["SpanTargets", "TokenTargets", "averages", "confusion_matrix", "counts", "grade_scores", "number_scores",
           "has_directions", "precision_recall_f1", "relation_outcomes", "relations_of"]
