"""Tasks: one file each says what a head learns and how its logits are read. Decoding and metrics are numpy only."""

from luthier.tasks._candidates import MISSED, ORDERINGS, Wrong, ordering_scores
from luthier.tasks._entity_pairs import Bounds, farthest, most_between, pairs_of
from luthier.tasks._numbers import grade_scores, number_scores
from luthier.tasks._pooling import Pooling, cut, pooled, pooled_tensor, pooling, pools, shares
from luthier.tasks._prompts import Known
from luthier.tasks._ranking import RANKINGS, blocks, ranking_scores, ranks, top_k
from luthier.tasks._relations import has_directions, relation_outcomes, relations_of
from luthier.tasks._scores import averages, confusion_matrix, counts, precision_recall_f1
from luthier.tasks._span_targets import SpanTargets
from luthier.tasks._spans import (
    Counts,
    Words,
    exact_counts,
    partial_counts,
    strict_counts,
    token_counts,
    token_tags,
    type_counts,
)
from luthier.tasks._texts import first_targets
from luthier.tasks._tokens import TokenTargets

__all__ = ["MISSED", "ORDERINGS", "RANKINGS", "Bounds", "Counts", "Known", "Pooling", "SpanTargets", "TokenTargets",
           "Words", "Wrong", "averages", "blocks", "confusion_matrix", "counts", "cut", "exact_counts", "farthest",
           "first_targets", "grade_scores", "has_directions", "most_between", "number_scores", "ordering_scores",
           "pairs_of", "partial_counts", "pooled", "pooled_tensor", "pooling", "pools", "precision_recall_f1",
           "ranking_scores", "ranks", "relation_outcomes", "relations_of", "shares", "strict_counts", "token_counts",
           "token_tags", "top_k", "type_counts"]
