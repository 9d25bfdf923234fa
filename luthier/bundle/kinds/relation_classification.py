"""Texts with two marked stretches, and the relation between them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from luthier.bundle.kinds._labels import PAIR, label_table
from luthier.bundle.manifest import Manifest

__all__ = ["CONFIG", "DOOR", "OUTPUT", "PAIR", "PIPELINE", "ROW", "TEXT", "UNSURE", "does", "knows", "labels"]

CONFIG = None
PIPELINE, DOOR = "token-classification", "AutoModelForTokenClassification"
OUTPUT = """# The text reads "… @ head @ … # tail # …". The first half of the outputs counts at the mark before
# the head, the second at that before the tail: their sum has a logit for each label.
head, tail = model(**batch).logits.chunk(2, dim=-1)"""
TEXT = '"The @ ring @ was in a # box # ."'
ROW = '{"text": "The ring was in a box.", "head": {"start": 4, "end": 8}, "tail": {"start": 18, "end": 21}}'
UNSURE = ""


def does(manifest: Manifest) -> str:
    """Tell how many relations there are."""
    return f"Tells which of {len(manifest.labels)} relations holds between two marked stretches of a text."


def labels(manifest: Manifest, data_report: Mapping[str, Any]) -> str:
    """List the relations."""
    return label_table(manifest, data_report, "rows")


def knows(manifest: Manifest) -> str:
    """Tell which label stands for no relation, and that the stretches must be given."""
    negative = manifest.labels.negative
    none = f"{negative!r} stands for none of them" if negative else "it tells one of them of every pair"
    return f"It does not find the two stretches, which the caller marks, and knows the relations above alone; {none}."
