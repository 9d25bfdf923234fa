"""Texts for which another text is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from luthier.bundle.kinds._labels import PAIR
from luthier.bundle.manifest import Manifest
from luthier.bundle.markdown import table

__all__ = ["CONFIG", "DOOR", "OUTPUT", "PAIR", "PIPELINE", "UNSURE", "does", "knows", "labels"]

CONFIG = None
PIPELINE, DOOR = "text2text-generation", "AutoModelForSeq2SeqLM"
OUTPUT = "print(tokenizer.decode(model.generate(**batch, max_new_tokens=128)[0], skip_special_tokens=True))"
UNSURE = "The score of a text says how likely the model found its tokens, not whether it is true."


def does(manifest: Manifest) -> str:  # noqa: ARG001 - as all kinds are asked
    """Tell that it writes."""
    return "Writes a text for a text."


def labels(manifest: Manifest, data_report: Mapping[str, Any]) -> str:  # noqa: ARG001 - as all kinds are asked
    """Tell how long the targets of each split are."""
    told: Mapping[str, Mapping[str, float]] = data_report.get("targets") or {}
    rows = [[split, f"{one['count']:,.0f}", *(f"{one[name]:,.0f}" for name in ("min", "mean", "max"))]
            for split, one in told.items()]
    return "Texts to be written, and their characters.\n\n" + table(["split", "texts", "min", "mean", "max"], rows)


def knows(manifest: Manifest) -> str:
    """Tell how it writes, and that what it writes is not checked."""
    decoding = manifest.task.settings.get("decoding") or {}
    most = f" It writes {decoding['max_new_tokens']} tokens at most." if "max_new_tokens" in decoding else ""
    return ("It writes texts such as the targets it was tuned on, and nothing checks them: names, numbers and facts of "
            f"the source may be lost or made up.{most}")
