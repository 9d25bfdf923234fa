"""Summaries of chats by a decoder with LoRA: ROUGE and chrF."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.tasks._written import text_counts, text_figures
from benchmarks.tasks.counts import Rows
from benchmarks.tasks.family import Bench, Limits, Prepared, read_lines, sampled, seeded, write_lines

TITLE = "Dialogue model for summaries"
METRICS = {"rougeL": "ROUGE-L", "rouge1": "ROUGE-1", "rouge2": "ROUGE-2", "chrf": "chrF"}
INTRODUCTION = """\
A chat becomes its summary, as the answer to "Summarise this chat." in the model's own template, with LoRA on all linear
layers (rank 16, alpha 32, no dropout); the loss is on the answer and its end. The script
(`benchmarks/tasks/summaries/plain.py`) uses peft and `Trainer` from the same weights, read out of the package's GGUF
file by Luthier; both sides keep the epoch of the least validation loss and write greedily, at most 64 tokens. ROUGE is
rouge-score's, nothing stemmed."""
SPEED = "`model.generate` with peft in a loop, prompts padded on the left"
MOST_TOKENS = 64
"""Of a summary."""
RANK, ALPHA = 16, 32
_PLACE = "samsum"
SETS = {
    "samsum": Bench("SAMSum", "smollm2-135m",
                    {"train": (f"{_PLACE}/train.jsonl.gz",), "valid": (f"{_PLACE}/dev.jsonl",),
                     "test": (f"{_PLACE}/test.jsonl",)}, 1, 5e-4, batch_size=8, max_length=384, train_rows=1000,
                    test_rows=120, quick=(48, 8), minutes=(6, 45), note="samples of the official splits"),
}


def prepare(bench: Bench, data: Path, folder: Path, limits: Limits) -> Prepared:
    """Write train, valid and test as conversations of two turns; chats without a word are left out.

    Raises:
        DataError: a file is missing.
    """
    chooser = seeded(bench.title)
    found = {split: [row for name in names for row in read_lines(data / name) if row["source"].strip()]
             for split, names in bench.files.items()}
    found = {split: sampled(found[split], limits.of(bench, split), chooser) for split in ("train", "valid", "test")}
    files = {split: write_lines(folder / f"{split}.jsonl", map(conversation, rows)) for split, rows in found.items()}
    return Prepared(files, {split: len(rows) for split, rows in found.items()},
                    [row["target"].strip() for row in found["test"]])


def conversation(row: Mapping[str, str]) -> dict[str, Any]:
    """Return a chat and its summary as a question and its answer."""
    return {"messages": [{"role": "user", "content": f"Summarise this chat.\n\n{row['source'].strip()}"},
                         {"role": "assistant", "content": row["target"].strip()}]}


def counts(prepared: Prepared, answer: Mapping[str, Any]) -> Rows:
    """Return the counts of each text."""
    return text_counts(answer["texts"], prepared.truth)


figures = text_figures
