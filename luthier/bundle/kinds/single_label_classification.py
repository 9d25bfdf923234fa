"""Texts that carry one label of several."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from luthier.bundle.kinds._labels import DOOR, OUTPUT, PAIR, PIPELINE, label_table, rows_of
from luthier.bundle.manifest import Manifest

__all__ = ["CONFIG", "DOOR", "OUTPUT", "PAIR", "PIPELINE", "UNSURE", "does", "knows", "labels"]

CONFIG = "single_label_classification"
UNSURE = ""


def does(manifest: Manifest) -> str:
    """Tell how many classes there are."""
    return f"Classifies {rows_of(manifest)} into {len(manifest.labels)} classes, one label a text."


def labels(manifest: Manifest, data_report: Mapping[str, Any]) -> str:
    """List the labels."""
    return label_table(manifest, data_report, "rows")


def knows(manifest: Manifest) -> str:  # noqa: ARG001 - as all kinds are asked
    """Tell of texts of another kind."""
    return "It knows the labels above and no others: a text of another kind still gets one of them."
