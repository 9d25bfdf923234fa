"""Queries that look for their passages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from luthier.bundle.kinds._vectors import CONFIG, DOOR, OUTPUT, PAIR, PIPELINE, UNSURE, prefixes
from luthier.bundle.manifest import Manifest
from luthier.bundle.markdown import table

__all__ = ["CONFIG", "DOOR", "OUTPUT", "PAIR", "PIPELINE", "UNSURE", "does", "knows", "labels"]


def does(manifest: Manifest) -> str:  # noqa: ARG001 - as all kinds are asked
    """Tell what vectors are for."""
    return "Gives texts vectors, such that a query is near the passages that belong to it: for search and retrieval."


def labels(manifest: Manifest, data_report: Mapping[str, Any]) -> str:  # noqa: ARG001 - as all kinds are asked
    """Tell how many queries and passages there were."""
    counts: Mapping[str, Mapping[str, int]] = data_report.get("passages") or {}
    heads = ("queries", "passages", "negatives")
    rows = [[split, *(f"{one[name]:,}" for name in heads)] for split, one in counts.items()]
    return table(["split", *heads], rows) if rows else ""


def knows(manifest: Manifest) -> str:
    """Tell of other texts, and of prefixes."""
    return ("It was tuned to find passages such as those of its rows, and always finds some, also where none is right."
            + prefixes(manifest))
