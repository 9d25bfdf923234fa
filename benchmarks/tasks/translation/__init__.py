"""Translation by a small encoder-decoder that both sides train from nothing: BLEU and chrF as sacreBLEU counts them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.tasks._written import text_counts, text_figures
from benchmarks.tasks.counts import Rows
from benchmarks.tasks.family import Bench, Limits, Prepared, read_lines, sampled, seeded, write_lines
from luthier.recipe import NEW_MODEL, NewModelSettings

TITLE = "Translation"
METRICS = {"bleu": "BLEU", "chrf": "chrF"}
INTRODUCTION = """\
English captions of pictures become German ones, with no pretrained model: one small encoder-decoder of Pegasus's layout
is made from the training rows (byte pairs, up to 4,000 entries; width 256, 3 + 3 layers, 4 heads, 6.6 million
weights), before the clock starts, and both sides train the same random weights. The script
(`benchmarks/tasks/translation/plain.py`) has the usual collator and `Trainer`, and writes with `model.generate`; both
sides keep the epoch of the least validation loss and write greedily, at most 64 tokens."""
SPEED = "`model.generate` in a loop, as transformers 5 has no pipeline for it"
MOST_TOKENS = 64
"""Of a translation."""
NEW = NewModelSettings(vocab_size=4000, width=256, layers=3, heads=4, feed_forward=1024, max_length=128)
_PLACE = "multi30k_en_de"
SETS = {
    "multi30k": Bench("Multi30k, English to German", NEW_MODEL,
                      {"train": (f"{_PLACE}/train.jsonl.gz",), "valid": (f"{_PLACE}/dev.jsonl",),
                       "test": (f"{_PLACE}/test.jsonl",)}, 10, 1e-3, max_length=128, quick=(600, 80),
                      minutes=(2.2, 117), note="official split, the test of 2016"),
}


def prepare(bench: Bench, data: Path, folder: Path, limits: Limits) -> Prepared:
    """Write train, valid and test, and make the model.

    Raises:
        DataError: a file is missing.
    """
    chooser = seeded(bench.title)
    found = {split: [row for name in names for row in read_lines(data / name)] for split, names in bench.files.items()}
    found = {split: sampled(found[split], limits.of(bench, split), chooser) for split in ("train", "valid", "test")}
    files = {split: write_lines(folder / f"{split}.jsonl", rows) for split, rows in found.items()}
    model = bench.model
    if model == NEW_MODEL:
        from luthier.models.from_nothing import new_seq2seq

        texts = [row[key] for row in found["train"] for key in ("source", "target")]
        model = str(new_seq2seq(folder / "new", texts, NEW, seed=0))
    return Prepared(files, {split: len(rows) for split, rows in found.items()},
                    [row["target"] for row in found["test"]], model=model)


def counts(prepared: Prepared, answer: Mapping[str, Any]) -> Rows:
    """Return the counts of each text."""
    return text_counts(answer["texts"], prepared.truth)


figures = text_figures
