"""Texts with labelled spans and the relations between them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from luthier.bundle.kinds._labels import PAIR, label_table
from luthier.bundle.manifest import Manifest
from luthier.bundle.markdown import cell, table

__all__ = ["CONFIG", "DOOR", "OUTPUT", "PAIR", "PIPELINE", "UNSURE", "does", "knows", "labels"]

CONFIG = None
PIPELINE, DOOR = "token-classification", "AutoModelForTokenClassification"
OUTPUT = """# First pass: the outputs "O", "B-TYPE" and "I-TYPE" tag the tokens of the text.
# Second pass, for each pair of entities: "… @ * type * subject @ … # ^ type ^ object # …". The outputs "no-subject" and
# "subject:RELATION" count at the first "@", "no-object" and "object:RELATION" at the first "#": take their mean.
logits = model(**batch).logits"""
UNSURE = ""


def does(manifest: Manifest) -> str:
    """Tell how many types and relations there are."""
    return (f"Finds entities of {len(manifest.labels.types)} types in texts, and {len(manifest.labels)} relations "
            "between them.")


def labels(manifest: Manifest, data_report: Mapping[str, Any]) -> str:
    """List the relations, then the types."""
    counts: Mapping[str, Mapping[str, int]] = data_report.get("entity_counts") or {}
    rows = [[cell(name), *(f"{counts[split].get(name, 0):,}" for split in counts)] for name in manifest.labels.types]
    return (label_table(manifest, data_report, "triples") + "\n\n"
            + table(["entity type", *(f"{split} entities" for split in counts)], rows))


def knows(manifest: Manifest) -> str:
    """Tell of other types, and between which entities relations are looked for."""
    settings = manifest.task.settings
    most = settings.get("max_distance")
    near = f" up to {most} characters apart" if most is not None else ""
    ends = settings.get("max_sentence_ends")
    if ends is not None:
        near += f", with up to {ends} ends of sentences between the two" if ends else " within a sentence"
    return (f"It knows the types and relations above and no others, finds no entity within another, tells one relation "
            f"of a pair at most, and tells triples of {len(settings.get('patterns') or ())} patterns (subject, "
            f"relation, object){near}.")
