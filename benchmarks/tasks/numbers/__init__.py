"""Numbers: grades in order, learned as numbers."""

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

TITLE = "Numbers"
METRICS = {"pearson": "Pearson", "accuracy": "right when rounded"}
INTRODUCTION = """\
No set of the folder has measured numbers. These are grades in order: what a sentence of financial news says to an
investor, negative -1, neutral 0, positive 1, learned as numbers by the mean squared error. The script
(`benchmarks/tasks/numbers/plain.py`) is the usual one with one output and `problem_type="regression"`; Luthier learns
deviations from the mean of the training rows. Both keep the epoch of the least validation error."""
SPEED = "the pipeline for text classification with `function_to_apply=\"none\"`"
GRADES = {"negative": -1, "neutral": 0, "positive": 1}
SETS = {
    "phrasebank-grades": Bench(
        "Financial PhraseBank, grades", "e5-small", {"train": ("financial_phrasebank/all.jsonl",)}, 3, 1e-4,
        max_length=128, quick=(400, 200), minutes=(2.2, 11),
        note="no official split: by sentence, 20 % test, 10 % valid"),
}


def prepare(bench: Bench, data: Path, folder: Path, limits: Limits) -> Prepared:
    """Write train, valid and test; each different sentence once.

    Raises:
        DataError: a file is missing.
    """
    chooser = seeded(bench.title)
    rows = {row["text"]: {"text": row["text"], "value": GRADES[row["label"]]}
            for name in bench.files["train"] for row in read_lines(data / name)}
    found = {"train": list(rows.values())}
    for split, share in (("test", 0.2), ("valid", 0.125)):
        found[split], found["train"] = held_out(found["train"], [row["text"] for row in found["train"]], share, chooser)
    found = {split: sampled(rows, limits.of(bench, split), chooser) for split, rows in found.items()}
    files = {split: write_lines(folder / f"{split}.jsonl", rows) for split, rows in found.items()}
    sizes = {split: len(found[split]) for split in ("train", "valid", "test")}
    return Prepared(files, sizes, [row["value"] for row in found["test"]])


def counts(prepared: Prepared, answer: Mapping[str, Any]) -> Rows:
    """Return of each row the true number, the given one, their squares and product, and whether the grade is right."""
    true, given = (np.array(part, np.float64) for part in (prepared.truth, answer["values"]))
    right = np.clip(given.round(), min(GRADES.values()), max(GRADES.values())) == true
    columns = [np.ones(len(true)), true, given, true * true, given * given, true * given, right]
    return {TEST: np.stack(columns, axis=1).tolist()}


def figures(sums: Array) -> dict[str, Array]:
    """Return Pearson's correlation, 0 where either side is constant, and the share of right grades."""
    size, true, given, trues, givens, both, right = sums.T
    spread = (trues - true**2 / size) * (givens - given**2 / size)
    found = (both - true * given / size) / np.sqrt(np.maximum(spread, 1e-12))
    return {"pearson": np.where(spread > 1e-12, found, 0.0), "accuracy": right / size}
