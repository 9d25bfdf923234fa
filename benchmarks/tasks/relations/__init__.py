"""Relations between two marked stretches: the official score of SemEval-2010 Task 8."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.tasks.counts import Rows, f1
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

TITLE = "Relations"
METRICS = {"macro_f1": "macro F1 without Other", "accuracy": "accuracy"}
INTRODUCTION = """\
The script (`benchmarks/tasks/relations/plain.py`) writes `<e1>` and `</e1>` around the first stretch and the like
around the second, as new tokens, and puts a linear layer on the states at `<e1>` and `<e2>` ("entity start", Baldini
Soares et al., 2019), with one rate for all weights; Luthier marks them with punctuation, which has no vectors to learn,
and its new head has a rate of its own. Both keep the best epoch. Macro F1 is the official measure: the mean over nine
relations without Other, where an answer in the wrong direction is wrong."""
SPEED = "a loop around `AutoModelForTokenClassification` on the marked texts, as no pipeline reads such a head"
SETS = {
    "semeval2010": Bench("SemEval-2010 Task 8", "minilm-l6",
                         {"train": ("semeval2010_task8/train.jsonl",), "test": ("semeval2010_task8/test.jsonl",)},
                         5, 1e-4, max_length=128, quick=(1000, 400), minutes=(3, 12),
                         note="official train and test; a tenth of train chooses the epoch"),
}
NONE = "Other"


def prepare(bench: Bench, data: Path, folder: Path, limits: Limits) -> Prepared:
    """Write train, valid and test; valid is a tenth of train, and train has every label once at least.

    Raises:
        DataError: a file is missing.
    """
    chooser = seeded(bench.title)
    found = {split: [row for name in names for row in read_pairs(data / name)] for split, names in bench.files.items()}
    rows = found["train"]
    found["valid"], found["train"] = held_out(rows, [row["text"] for row in rows], 0.1, chooser)
    found = {split: sampled(found[split], limits.of(bench, split), chooser) for split in ("train", "valid", "test")}
    known = {row["relation"] for row in found["train"]}
    first = {row["relation"]: row for row in reversed(rows) if row["relation"] not in known}
    found["train"] += first.values()
    found["valid"] = [row for row in found["valid"] if row not in first.values()]
    labels = tuple(sorted({row["relation"] for row in found["train"]}))
    files = {split: write_lines(folder / f"{split}.jsonl", rows) for split, rows in found.items()}
    return Prepared(files, {split: len(rows) for split, rows in found.items()}, found["test"], labels)


def counts(prepared: Prepared, answer: Mapping[str, Any]) -> Rows:
    """Return of each pair whether its label is right, and of each relation whether it is right, said and true."""
    relations = sorted({relation_of(name) for name in prepared.labels} - {NONE})
    rows = []
    for row, said in zip(prepared.truth, answer["labels"], strict=True):
        true = row["relation"]
        each = [(name == relation_of(true) and true == said, name == relation_of(said), name == relation_of(true))
                for name in relations]
        rows.append([1.0, float(true == said), *(float(value) for one in zip(*each, strict=True) for value in one)])
    return {TEST: rows}


def figures(sums: Array) -> dict[str, Array]:
    """Return what the task's scorer gives, the mean F1 over relations without Other, and the accuracy over labels."""
    right, said, true = np.split(sums[:, 2:], 3, axis=1)  # (R, relations) each
    return {"macro_f1": f1(right, said, true).mean(1), "accuracy": sums[:, 1] / sums[:, 0]}


def relation_of(label: str) -> str:
    """Return a label without its direction."""
    return label.partition("(")[0]


def read_pairs(path: Path) -> list[dict[str, Any]]:
    """Return the rows of the data set in the form that Luthier reads.

    Raises:
        DataError: there is no such file.
    """
    return [{"text": row["text"], **{side: dict(zip(("start", "end"), row[f"{side}_span"], strict=True))
                                     for side in ("head", "tail")}, "relation": row["label"]}
            for row in read_lines(path)]
