"""Conversations that are answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from luthier.bundle.kinds._labels import PAIR
from luthier.bundle.kinds.text_generation import CONTINUED, UNSURE
from luthier.bundle.manifest import Manifest
from luthier.bundle.markdown import table

__all__ = ["BATCH", "CONFIG", "CUT", "DOOR", "HEADING", "HEADLESS", "OUTPUT", "PAIR", "PIPELINE", "UNSURE",
           "does", "knows", "labels"]

CONFIG = None
PIPELINE, DOOR = "text-generation", "AutoModelForCausalLM"
BATCH = ('messages = [{"role": "user", "content": "some text"}]\n'
         'batch = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True, '
         'return_tensors="pt")')
"""Code that makes ``batch``, where a text alone is not what the model is given."""
OUTPUT = CONTINUED
HEADING = "Answers"
HEADLESS = True
CUT = "A conversation with its answer has {length} tokens at most: of longer ones the first turns are left out"
"""What is cut, in place of the ends of texts."""


def does(manifest: Manifest) -> str:  # noqa: ARG001 - as all kinds are asked
    """Tell that it answers."""
    return "Answers what a user says, after the turns before it."


def labels(manifest: Manifest, data_report: Mapping[str, Any]) -> str:  # noqa: ARG001 - as all kinds are asked
    """Tell how long the last answers of each split are."""
    told: Mapping[str, Mapping[str, float]] = data_report.get("targets") or {}
    rows = [[split, f"{one['count']:,.0f}", *(f"{one[name]:,.0f}" for name in ("min", "mean", "max"))]
            for split, one in told.items()]
    return ("Last answers of the conversations, and their characters.\n\n"
            + table(["split", "answers", "min", "mean", "max"], rows))


def knows(manifest: Manifest) -> str:
    """Tell how it answers, and that what it says is not checked."""
    decoding = manifest.task.settings.get("decoding") or {}
    most = f" It writes {decoding['max_new_tokens']} tokens at most." if "max_new_tokens" in decoding else ""
    return ("It answers in the manner of the conversations it was tuned on, and nothing checks what it says: names, "
            f"numbers and facts may be made up. It may follow what a user tells it to do.{most}")
