"""Labels as relations with or without a direction, and the counts that their scores are made of."""

from __future__ import annotations

import numpy as np

from luthier.data.cells.relation_names import relation_of
from luthier.schema import Bool, Int64, LabelSet


def has_directions(labels: LabelSet) -> bool:
    """Return whether labels are directed as SemEval-2010 Task 8's are."""
    return any(relation_of(name) != name for name in labels.names)


def relations_of(labels: LabelSet) -> tuple[tuple[str, ...], Int64]:
    """Return the R relations in the order of their first label, and that of each label, (C,); -1: the negative one."""
    kept = dict.fromkeys(relation_of(name) for name in labels.names if name != labels.negative)
    numbers = {name: number for number, name in enumerate(kept)}
    each = [-1 if name == labels.negative else numbers[relation_of(name)] for name in labels.names]
    return tuple(kept), np.array(each, np.int64)


def relation_outcomes(right: Int64, given: Int64, relation: Int64, relations: int) -> Bool:
    """Count N labelled pairs by relation; a relation the wrong way round is wrong, and counts as given and as missed.

    So F1 over the relations is that of SemEval-2010 Task 8's scorer (Hendrickx et al., 2010; the official one of its
    three measures) for the mean, and that of TACRED's (Zhang et al., 2017) for all pairs together.

    Args:
        right: (N,) true label.
        given: (N,) label given.
        relation: (C,) of each label; -1 where it counts for none.
        relations: R.

    Returns:
        (N, 3, R) bool: true positives, false positives and false negatives.
    """
    one_of = np.eye(relations + 1, dtype=np.bool_)[:, :-1]  # the last row, of -1, is empty
    same = (right == given)[:, None]
    carried, found = one_of[relation[right]], one_of[relation[given]]  # (N, R)
    return np.stack([carried & same, found & ~same, carried & ~same], axis=1)
