"""What the names of relations say: which way they go, and which one says that there is none."""

from __future__ import annotations

import re
from collections.abc import Sequence

_DIRECTED = re.compile(r"(?P<name>.*\S)\s*\((?:e1,\s*e2|e2,\s*e1)\)", re.DOTALL)
"""``Cause-Effect(e1,e2)``: as SemEval-2010 Task 8 writes which argument is the cause."""
_NEGATIVE = ("norelation", "na", "none", "nil", "null", "negative", "unrelated", "nota",
             "无关系", "没有关系", "无", "other", "其他", "其它", "unknown")
"""Names of the class of pairs without a relation, without case, spaces and marks; the likelier first."""


def negative_of(names: Sequence[str]) -> str | None:
    """Return the name that says that no relation holds, ``Other``, ``no_relation``, ``NA`` or the like, if any does."""
    plain = {re.sub(r"[\W_]+", "", name).casefold(): name for name in reversed(names)}
    return next((plain[known] for known in _NEGATIVE if known in plain), None)


def relation_of(name: str) -> str:
    """Return a label without its direction."""
    match = _DIRECTED.fullmatch(name)
    return match["name"] if match else name
