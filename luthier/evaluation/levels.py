"""Scores of labels in levels: how far down their paths the answers are right.

Each level has precision, recall and F1 of its own. ``path`` pools all levels, so that an answer which is wrong in its
last level only still counts for the others: hierarchical precision, recall and F1 of Kiritchenko et al., "Learning and
Evaluation in the Presence of Class Hierarchies" (2006).
"""

from __future__ import annotations

import numpy as np

from luthier.evaluation.outcomes import Counts
from luthier.schema import Bool, LabelSet

DEEPEST = 6
"""Levels with a score of their own; those below count in the path alone."""
PATH = "path"
LEVELS = tuple(f"level_{number}" for number in range(1, DEEPEST + 1))


def level_counts(truth: Bool, chosen: Bool, labels: LabelSet) -> dict[str, Counts]:
    """Count what came of N rows on each level; empty where labels are flat.

    Args:
        truth: (N, C) bool, labels that the rows carry.
        chosen: (N, C) bool, labels that the rows were given.
        labels: C names.

    Returns:
        ``level_1`` and so on, and ``path`` -> (N, 3, nodes) bool: true positives, false positives, false negatives.
    """
    if labels.path_separator is None:
        return {}
    found = [_outcomes(truth @ members, chosen @ members) for members in _members(labels, labels.path_separator)]
    return {**dict(zip(LEVELS, found, strict=False)), PATH: np.concatenate(found, axis=2)}


def _members(labels: LabelSet, separator: str) -> list[Bool]:
    """Return for each level which labels stand below each of its nodes, (C, nodes) bool."""
    paths = [tuple(part.strip() for part in name.split(separator)) for name in labels.names]
    found = []
    for depth in range(1, max(map(len, paths)) + 1):
        nodes = list(dict.fromkeys(path[:depth] for path in paths if len(path) >= depth))
        found.append(np.array([[path[:depth] == node for node in nodes] for path in paths]))
    return found


def _outcomes(truth: Bool, chosen: Bool) -> Counts:
    return np.stack([truth & chosen, chosen & ~truth, truth & ~chosen], axis=1)
