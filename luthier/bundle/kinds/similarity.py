"""Pairs of texts with a score of how alike they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from luthier.bundle.kinds import regression
from luthier.bundle.kinds._vectors import CONFIG, DOOR, OUTPUT, PAIR, PIPELINE, UNSURE, prefixes
from luthier.bundle.manifest import Manifest

__all__ = ["CONFIG", "DOOR", "OUTPUT", "PAIR", "PIPELINE", "UNSURE", "does", "knows", "labels"]


def does(manifest: Manifest) -> str:  # noqa: ARG001 - as all kinds are asked
    """Tell what vectors are for."""
    return "Gives texts vectors whose cosine tells how alike two texts are."


def labels(manifest: Manifest, data_report: Mapping[str, Any]) -> str:
    """Tell least, mean, greatest score and deviation of each split."""
    return regression.labels(manifest, data_report).replace("One output, ", "Learned from ", 1)


def knows(manifest: Manifest) -> str:
    """Tell that only the order was learned, and of prefixes."""
    return ("It learned the order of the scores and not their unit: compare cosines with one another."
            + prefixes(manifest))
