"""Texts that have a number, such as a price or a grade."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from luthier.bundle.kinds._labels import DOOR, OUTPUT, PAIR, PIPELINE, rows_of
from luthier.bundle.manifest import Manifest
from luthier.bundle.markdown import cell, table
from luthier.text.figures import amount

__all__ = ["CONFIG", "DOOR", "OUTPUT", "PAIR", "PIPELINE", "UNSURE", "does", "knows", "labels"]

CONFIG = "regression"
UNSURE = "It does not say how sure it is of a number."


def does(manifest: Manifest) -> str:
    """Tell what the number is of."""
    what = "graded" if manifest.labels.scale and manifest.labels.scale.grades else "a number"
    name = cell(manifest.labels.names[0])
    return f"Gives {rows_of(manifest)} `{name}`, {what}: the model's one output is that number."


def labels(manifest: Manifest, data_report: Mapping[str, Any]) -> str:
    """Tell least, mean, greatest number and deviation of each split."""
    values: Mapping[str, Mapping[str, float]] = data_report.get("values") or {}
    heads = ("min", "mean", "max", "deviation")
    rows = [[split, *(amount(one[name], digits=6) for name in heads)] for split, one in values.items()]
    return f"One output, `{cell(manifest.labels.names[0])}`, in the unit of the data.\n\n" + table(
        ["split", *heads], rows)


def knows(manifest: Manifest) -> str:  # noqa: ARG001 - as all kinds are asked
    """Tell of texts of another kind, and of numbers beyond those it was tuned on."""
    return ("It knows numbers such as those above: a text of another kind still gets one, and far beyond their range "
            "it was never asked to go.")
