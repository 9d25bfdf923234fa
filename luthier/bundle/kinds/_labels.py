"""What kinds with labels share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from luthier.bundle.manifest import Manifest
from luthier.bundle.markdown import cell, table

PIPELINE, DOOR = "text-classification", "AutoModelForSequenceClassification"
PAIR = '"first text", "second text"'
OUTPUT = "logits = model(**batch).logits"

_SHOWN = 100
"""Most labels listed."""


def rows_of(manifest: Manifest) -> str:
    """Return what a row is."""
    return "pairs of texts" if manifest.pair else "texts"


def label_table(manifest: Manifest, data_report: Mapping[str, Any], counted: str) -> str:
    """Return the labels with how many rows (or what else is counted) of each split carry them."""
    counts: Mapping[str, Mapping[str, int]] = data_report.get("label_counts") or {}
    splits = [split for split in ("train", "valid", "test") if split in counts]
    names, meant = manifest.labels.names, manifest.labels.descriptions
    rows = [[str(index), cell(name), *([cell(meant[index])] if meant else []),
             *(f"{counts[split].get(name, 0):,}" for split in splits)] for index, name in enumerate(names[:_SHOWN])]
    listed = table(["id", "label", *(["meaning"] if meant else []), *(f"{split} {counted}" for split in splits)], rows)
    left_out = len(names) - _SHOWN
    return listed + (f"\n\n{left_out} more stand in `config.json`." if left_out > 0 else "")
