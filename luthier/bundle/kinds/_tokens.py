"""What kinds of language models share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from luthier.bundle.manifest import Manifest
from luthier.bundle.markdown import table

CONFIG = None
UNSURE = "The score of a token says how likely the model finds it there, not whether what it says is true."
CUT = "Documents are learned from in blocks of {length} tokens; a text that is sent may have as many"


def labels(manifest: Manifest, data_report: Mapping[str, Any]) -> str:  # noqa: ARG001 - as all kinds are asked
    """Tell how long the documents of each split are."""
    told: Mapping[str, Mapping[str, float]] = data_report.get("targets") or {}
    rows = [[split, f"{one['count']:,.0f}", *(f"{one[name]:,.0f}" for name in ("min", "mean", "max"))]
            for split, one in told.items()]
    return ("It was tuned on texts without labels. Documents, and their characters:\n\n"
            + table(["split", "documents", "min", "mean", "max"], rows))
