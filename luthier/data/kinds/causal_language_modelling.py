"""Texts without any label, to be gone on with: read as those whose hidden tokens are learned."""

from __future__ import annotations

from collections.abc import Sequence

from luthier.data.kinds.masked_language_modelling import (
    NEAR,
    NONE_LEFT,
    OWN_INPUT,
    REPEATED,
    SURENESS,
    UNLABELLED,
    check,
    described,
    divided,
    example,
    found_for,
    from_memory,
    hashed,
    label_names,
    lines,
    normal,
    remarks,
    sampled,
    settled,
    target,
    unlearnable,
)
from luthier.data.layout_values import Layout, Seen
from luthier.schema import Example, LabelSet, ProblemType

__all__ = ["NEAR", "NONE_LEFT", "OWN_INPUT", "PROBLEM", "REPEATED", "SURENESS", "TASK", "UNLABELLED", "check",
           "described", "divided", "example", "find", "from_memory", "hashed", "label_names", "label_set", "lines",
           "normal", "remarks", "sampled", "settled", "target", "unlearnable"]

PROBLEM: ProblemType = "causal_language_modelling"
TASK = "causal-language-modelling"


def find(seen: Seen, task: str | None, *, labelled: bool) -> Layout | None:
    """Take any file with a column of texts, where the task was asked for."""
    return found_for(TASK, PROBLEM, seen, task, labelled=labelled)


def label_set(names: tuple[str, ...], _rows: Sequence[Example]) -> LabelSet:
    """Return the one name as a label set."""
    return LabelSet(names, PROBLEM)
