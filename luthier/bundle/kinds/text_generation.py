"""Texts for which another text is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from luthier.bundle.kind import Use
from luthier.bundle.kinds._labels import PAIR
from luthier.bundle.manifest import Manifest
from luthier.bundle.markdown import table

__all__ = ["CONFIG", "CONTINUED", "DOOR", "HEADING", "HEADLESS", "OUTPUT", "PAIR", "PIPELINE", "UNSURE", "does",
           "knows", "labels", "use"]

CONFIG = None
PIPELINE, DOOR = "text2text-generation", "AutoModelForSeq2SeqLM"
OUTPUT = "print(tokenizer.decode(model.generate(**batch, max_new_tokens=128)[0], skip_special_tokens=True))"
CONTINUED = ('written = model.generate(**batch, max_new_tokens=128, do_sample=False)[0, batch["input_ids"].shape[1]:]\n'
             "print(tokenizer.decode(written, skip_special_tokens=True))")
"""Code that takes what a decoder wrote behind its prompt."""
HEADING = "Targets"
HEADLESS = True
UNSURE = "The score of a text says how likely the model found its tokens, not whether it is true."


def does(manifest: Manifest) -> str:  # noqa: ARG001 - as all kinds are asked
    """Tell that it writes."""
    return "Writes a text for a text."


def use(manifest: Manifest) -> Use:
    """Return how an encoder-decoder is used, or a decoder; the prompt stands in the code letter by letter."""
    settings = manifest.task.settings
    prompt, length = settings.get("prompt"), manifest.length.max_length
    if settings.get("chat_template"):
        cut = ("A text with its prompt and what is written for it has {length} tokens at most: of longer texts the end "
               "is cut, never the prompt")
        batch = _asked(prompt, bool(settings.get("shots")))
        return Use("text-generation", "AutoModelForCausalLM", CONTINUED, batch, cut)
    prompted = None if prompt is None else (
        f'text = {prompt!r}.replace("{{source}}", "some text")\n'
        f'batch = tokenizer(text, truncation=True, max_length={length}, return_tensors="pt")')
    return Use(PIPELINE, DOOR, OUTPUT, prompted)


_USER = '{"role": "user", "content": prompt.replace("{source}", TEXT)}'
_SHOTS = ('with open("DIR/luthier.json", encoding="utf-8") as file:\n'
          '    shots = json.load(file)["task"]["settings"]["shots"]\n'
          "for shot in shots:\n"
          f"    messages.append({_USER})\n".replace("TEXT", 'shot["source"]')
          + '    messages.append({"role": "assistant", "content": shot["target"]})\n')


def _asked(prompt: Any, examples: bool) -> str:
    """Return the code that puts a text into the prompt, and before it the examples, which the manifest holds."""
    asked = f"messages.append({_USER})\n".replace("TEXT", '"some text"')
    return (("import json\n\n" if examples else "") + f"prompt = {prompt!r}\nmessages = []\n"
            + (_SHOTS if examples else "") + asked
            + "batch = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True,\n"
            '                                      return_tensors="pt")')


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
