"""Questions that are answered with a stretch of their context, or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from luthier.bundle.manifest import Manifest

CONFIG = None
PIPELINE, DOOR = "question-answering", "AutoModelForQuestionAnswering"
PAIR = '"the question", "the context"'
OUTPUT = "found = model(**batch)\nstart, end = found.start_logits, found.end_logits"
UNSURE = ""


def does(manifest: Manifest) -> str:  # noqa: ARG001 - as all kinds are asked
    """Tell what an answer is."""
    return "Answers questions with a stretch of their context."


def labels(manifest: Manifest, data_report: Mapping[str, Any]) -> str:  # noqa: ARG001 - as all kinds are asked
    """Tell nothing: answers are no labels."""
    return ""


def knows(manifest: Manifest) -> str:
    """Tell whether it may say that there is no answer."""
    never = ("It may say that there is no answer." if manifest.task.settings.get("unanswerable") else
             "It answers every question, also one that the context does not answer.")
    return f"An answer is one stretch of the context, word for word. {never}"
