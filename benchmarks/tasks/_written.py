"""What translations and summaries share: the counts of texts, and writing with plain transformers."""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.tasks.counts import Rows
from benchmarks.tasks.family import TEST
from benchmarks.tasks.speed import in_batches
from luthier.evaluation.outcomes import Array
from luthier.evaluation.text_statistics import bleu, chrf
from luthier.evaluation.texts import score_texts

_BLEU = 10
_CHRF = 18
"""Counts of a text; see ``luthier.evaluation.text_statistics``."""
_ROUGES = ("rouge1", "rouge2", "rougeL")
"""The first of those that Luthier counts; not a sentence at a time."""


def text_counts(given: Sequence[str], right: Sequence[str]) -> Rows:
    """Return of each text the counts of BLEU and chrF, as sacreBLEU has them, and ROUGE-1, ROUGE-2 and ROUGE-L."""
    scored = score_texts(list(given), [(text,) for text in right])
    columns = [np.ones((len(right), 1)), scored.bleu, scored.chrf, scored.rouge[:, :len(_ROUGES)]]
    return {TEST: np.concatenate(columns, axis=1, dtype=np.float64).tolist()}


def text_figures(sums: Array) -> dict[str, Array]:
    """Return chrF and BLEU of R collections, and the mean ROUGE of their rows, (R,) each."""
    start = 1 + _BLEU
    rouge = (sums[:, start + _CHRF :] / sums[:, :1]).T
    return {"bleu": bleu(sums[:, 1:start]), "chrf": chrf(sums[:, start : start + _CHRF]),
            **dict(zip(_ROUGES, rouge, strict=True))}


def generated(model: Any, tokenizer: Any, rows: Sequence[Sequence[int]], size: int, *, most: int) -> list[str]:
    """Return what a model writes greedily for rows of token ids, in batches in their order.

    Args:
        model: an encoder-decoder or a decoder, in eval mode.
        tokenizer: pads on the left for a decoder.
        rows: token ids.
        size: of a batch.
        most: tokens written.
    """
    import torch

    found: list[str] = []
    for part in in_batches(range(len(rows)), size):
        batch = tokenizer.pad({"input_ids": [list(rows[number]) for number in part]}, return_tensors="pt")
        with torch.inference_mode():
            made = model.generate(**batch, max_new_tokens=most, do_sample=False, num_beams=1)
        if not model.config.is_encoder_decoder:
            made = made[:, batch["input_ids"].shape[1] :]
        found += [text.strip() for text in tokenizer.batch_decode(made, skip_special_tokens=True)]
    return found


def alike(one: str, other: str) -> bool:
    """Tell whether two texts are the same, but for what is left of a character where a text was cut within one, which
    Luthier leaves out, and for white space around them.
    """
    around = string.whitespace + "\ufffd"
    return one.strip(around) == other.strip(around)


def by_length(rows: Sequence[Sequence[int]]) -> list[int]:
    """Return the numbers of the rows, the longest first."""
    return sorted(range(len(rows)), key=lambda row: -len(rows[row]))


def written_sorted(model: Any, tokenizer: Any, rows: Sequence[Sequence[int]], size: int, *, most: int) -> list[str]:
    """Return what ``generated`` gives, computed from the longest row on, in the order of the rows."""
    order = by_length(rows)
    texts = generated(model, tokenizer, [rows[row] for row in order], size, most=most)
    return [text for _, text in sorted(zip(order, texts, strict=True))]
