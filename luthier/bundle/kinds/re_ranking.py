"""Queries with passages that are ordered by reading both."""

from __future__ import annotations

from luthier.bundle.kinds._labels import DOOR
from luthier.bundle.kinds.retrieval import labels
from luthier.bundle.manifest import Manifest

__all__ = ["CONFIG", "DOOR", "OUTPUT", "PAIR", "PIPELINE", "UNSURE", "does", "knows", "labels"]

CONFIG = None
PIPELINE = "text-ranking"
PAIR = '"a query", "a passage"'
OUTPUT = "score = model(**batch).logits[:, 0].sigmoid()"
UNSURE = "A score is no probability that a passage is right: compare it with those of other passages of the same query."


def does(manifest: Manifest) -> str:  # noqa: ARG001 - as all kinds are asked
    """Tell what scores are for."""
    return "Scores how well a passage answers a query, to order the passages that another search has found."


def knows(manifest: Manifest) -> str:  # noqa: ARG001 - as all kinds are asked
    """Tell that it always gives an order."""
    return ("It was tuned on queries and passages such as those of its rows, and always gives an order, also where no "
            "passage is right. It finds nothing by itself: a passage that the first search misses stays missed.")
