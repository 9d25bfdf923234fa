"""Texts with labelled spans, such as named entities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from luthier.bundle.kinds._labels import OUTPUT, PAIR, label_table
from luthier.bundle.manifest import Manifest

__all__ = ["CONFIG", "DOOR", "OUTPUT", "PAIR", "PIPELINE", "UNSURE", "does", "knows", "labels"]

CONFIG = None
PIPELINE, DOOR = "token-classification", "AutoModelForTokenClassification"
UNSURE = ""


def does(manifest: Manifest) -> str:
    """Tell how many types there are."""
    return f"Finds entities of {len(manifest.labels)} types in texts."


def labels(manifest: Manifest, data_report: Mapping[str, Any]) -> str:
    """List the types."""
    return label_table(manifest, data_report, "entities")


def knows(manifest: Manifest) -> str:
    """Tell of other types, and whether it finds nested entities."""
    within = "finds entities within others, too" if manifest.task.name == "nested-entities" else (
        "finds no entity within another")
    return f"It knows the types above and no others, and {within}."
