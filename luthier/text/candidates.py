"""A query with the passages that shall be put in order, as callers write it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from luthier.schema import Candidates


def listed(row: Candidates | Mapping[str, Any]) -> Candidates:
    """Return the query and the passages in ``{"query": …, "passages": […]}``, or in ``Candidates``, checked.

    Raises:
        ValueError: it is no object with just these, or they are no texts.
    """
    if isinstance(row, Candidates):
        row = {"query": row.query, "passages": row.passages}
    query, passages = row.get("query"), row.get("passages")
    if unknown := [key for key in row if key not in ("query", "passages")]:
        raise ValueError(f"unknown key {unknown[0]!r:.60}")
    if not isinstance(query, str):
        raise ValueError(f"expected a text for \"query\", got {type(query).__name__}")
    if isinstance(passages, str) or not isinstance(passages, Sequence) or not all(
            isinstance(one, str) for one in passages):
        raise ValueError("expected a list of texts for \"passages\"")
    return Candidates(query, tuple(passages))
