"""Hidden tokens: a pretrained encoder goes on learning from the texts of a field, without labels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.tasks.counts import Rows
from benchmarks.tasks.family import (
    TEST,
    Bench,
    Limits,
    Prepared,
    held_out,
    read_lines,
    sampled,
    seeded,
    write_lines,
)
from luthier.evaluation.outcomes import Array

TITLE = "Hidden tokens"
METRICS = {"right": "right at first guess", "perplexity": "perplexity"}
INTRODUCTION = """\
Texts without labels, one after the other in blocks; 15 % of the tokens are hidden, others in each epoch. The script
(`benchmarks/tasks/modelling/plain.py`) is transformers' `run_mlm` with its collator. Both keep the epoch of the least
validation loss and are asked for the same hidden tokens of each test text. The head for tokens is new, since the
model comes without one, and begins as Luthier's on both sides: as the identity, on the word vectors."""
SPEED = "the pipeline for filling masks"
SETS = {
    "banking77-texts": Bench("Banking77, texts alone", "minilm-l6", {
        "train": ("banking77/train.jsonl",), "test": ("banking77/test.jsonl",)}, 2, 1e-4, batch_size=8, max_length=256,
        minutes=(2, 15), note="a tenth of train chooses the epoch"),
}


def prepare(bench: Bench, data: Path, folder: Path, limits: Limits) -> Prepared:
    """Write train, valid and test; valid is a tenth of train.

    Raises:
        DataError: a file is missing.
    """
    chooser = seeded(bench.title)
    found = {split: [{"text": text} for text in dict.fromkeys(
        row["text"] for name in names for row in read_lines(data / name))] for split, names in bench.files.items()}
    found["valid"], found["train"] = held_out(found["train"], [row["text"] for row in found["train"]], 0.1, chooser)
    found = {split: sampled(found[split], limits.of(bench, split), chooser) for split in ("train", "valid", "test")}
    files = {split: write_lines(folder / f"{split}.jsonl", rows) for split, rows in found.items()}
    return Prepared(files, {split: len(rows) for split, rows in found.items()}, None)


def counts(_prepared: Prepared, answer: Mapping[str, Any]) -> Rows:
    """Return of each text how likely its hidden tokens were, how many there are, and how many were the likeliest."""
    return {TEST: [[1.0, *row] for row in answer["likelihoods"]]}


def figures(sums: Array) -> dict[str, Array]:
    """Return the share of right tokens, and the perplexity, in hundreds: the page shows hundredths."""
    _, logs, tokens, right = sums.T
    return {"right": right / tokens, "perplexity": np.exp(-logs / tokens) / 100}
