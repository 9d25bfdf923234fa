"""Texts each token of which is told from those before it."""

from __future__ import annotations

from luthier.bundle.kinds._labels import PAIR
from luthier.bundle.kinds._tokens import CONFIG, CUT, UNSURE, labels
from luthier.bundle.manifest import Manifest

__all__ = ["CONFIG", "CUT", "DOOR", "OUTPUT", "PAIR", "PIPELINE", "UNSURE", "does", "knows", "labels"]

PIPELINE, DOOR = "text-generation", "AutoModelForCausalLM"
OUTPUT = ('written = model.generate(**batch, max_new_tokens=128, do_sample=False)[0, batch["input_ids"].shape[1]:]\n'
          "print(tokenizer.decode(written, skip_special_tokens=True))")


def does(manifest: Manifest) -> str:  # noqa: ARG001 - as all kinds are asked
    """Tell that it goes on with texts, and what it is for."""
    return "Goes on with a text. It is a start for dialogue and other tasks: give its directory as the model to tune."


def knows(manifest: Manifest) -> str:
    """Tell how it writes, and that what it writes is not checked."""
    decoding = manifest.task.settings.get("decoding") or {}
    most = f" It writes {decoding['max_new_tokens']} tokens at most." if "max_new_tokens" in decoding else ""
    return ("It writes on in the manner of the texts it was tuned on, and nothing checks what it says: names, numbers "
            f"and facts may be made up. It was not tuned to answer or to refuse anything.{most}")
