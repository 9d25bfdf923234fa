"""Texts whose hidden tokens are told from those around them."""

from __future__ import annotations

from luthier.bundle.kinds._labels import PAIR
from luthier.bundle.kinds._tokens import CONFIG, CUT, UNSURE, labels
from luthier.bundle.manifest import Manifest

__all__ = ["CONFIG", "CUT", "DOOR", "OUTPUT", "PAIR", "PIPELINE", "ROW", "TEXT", "UNSURE", "does", "knows", "labels"]

PIPELINE, DOOR = "fill-mask", "AutoModelForMaskedLM"
TEXT = 'f"some {tokenizer.mask_token} here"'
ROW = '"some [MASK] here"'
OUTPUT = """place = (batch["input_ids"][0] == tokenizer.mask_token_id).nonzero()[0, 0]
print(tokenizer.convert_ids_to_tokens(model(**batch).logits[0, place].topk(5).indices))"""


def does(manifest: Manifest) -> str:  # noqa: ARG001 - as all kinds are asked
    """Tell that it fills masks, and what it is for."""
    return ("Tells hidden tokens from those around them. It is a start for other tasks: give its directory as the "
            "model to tune.")


def knows(manifest: Manifest) -> str:
    """Tell what perplexity means here."""
    settings = manifest.task.settings
    share = settings.get("mlm_probability")
    hidden = "" if share is None else f" {100 * share:g} % of the tokens are hidden."
    return ("It was tuned to tell hidden tokens in texts such as those it was tuned on. A lower perplexity there does "
            "not promise that other tasks gain from starting here; a head that was new before tuning makes the "
            f"perplexity before look worse than the encoder is.{hidden}")
