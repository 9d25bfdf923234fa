"""Relations between two marked stretches: the official score of SemEval-2010 Task 8."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.tasks.family import TEST, Bench, Limits, Prepared, Scores, held_out, sampled, seeded
from luthier.errors import DataError

TITLE = "Relations"
METRICS = {"macro_f1": "macro F1 without Other", "accuracy": "accuracy"}
INTRODUCTION = """\
The script (`benchmarks/tasks/relations/plain.py`) writes `<e1>` and `</e1>` around the first stretch and the like
around the second, as new tokens, and classifies by the first token, with one rate for all weights; Luthier marks them
with punctuation and reads the states at both marks, its new head at a rate of its own. Macro F1 is the official
measure: the mean over nine relations without Other, where an answer in the wrong direction is wrong."""
SETS = {
    "semeval2010": Bench("SemEval-2010 Task 8", "minilm-l6",
                         {"train": ("semeval2010_task8/train.jsonl",), "test": ("semeval2010_task8/test.jsonl",)},
                         5, 1e-4, max_length=128, quick=(2500, 1000),
                         note="official train and test; a tenth of train chooses the epoch"),
}
NONE = "Other"


def prepare(bench: Bench, data: Path, folder: Path, limits: Limits) -> Prepared:
    """Write train, valid and test; valid is a tenth of train.

    Raises:
        DataError: a file is missing.
    """
    chooser = seeded(bench.title)
    found = {split: [row for name in names for row in read_pairs(data / name)] for split, names in bench.files.items()}
    rows = found["train"]
    found["valid"], found["train"] = held_out(rows, [row["text"] for row in rows], 0.1, chooser)
    found = {split: sampled(found[split], limits.of(bench, split), chooser) for split in ("train", "valid", "test")}
    labels = tuple(sorted({row["relation"] for row in found["train"]}))
    found = {split: [row for row in rows if row["relation"] in labels] if split == "valid" else rows
             for split, rows in found.items()}
    files = {split: str(folder / f"{split}.jsonl") for split in found}
    for split, rows in found.items():
        Path(files[split]).write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows),
                                      encoding="utf-8")
    return Prepared(files, {split: len(rows) for split, rows in found.items()}, found["test"], labels)


def score(prepared: Prepared, answer: Mapping[str, Any]) -> Scores:
    """Return the official macro F1 and the accuracy over all labels."""
    pairs = [(row["relation"], said) for row, said in zip(prepared.truth, answer["labels"], strict=True)]
    return {TEST: {"macro_f1": official(pairs), "accuracy": sum(true == said for true, said in pairs) / len(pairs)}}


def official(pairs: Iterable[tuple[str, str]]) -> float:
    """Return what the task's scorer gives: the mean F1 over relations, directions counted, Other left out.

    Args:
        pairs: the true and the given label of each row.
    """
    rows = list(pairs)
    relations = sorted({true.partition("(")[0] for true, _ in rows} - {NONE})
    scores = []
    for relation in relations:
        true, said = ([pair[side].partition("(")[0] == relation for pair in rows] for side in (0, 1))
        right = sum(one == other for (one, other), mine in zip(rows, true, strict=True) if mine)
        scores.append(2 * right / (sum(true) + sum(said)))
    return sum(scores) / len(scores)


def read_pairs(path: Path) -> list[dict[str, Any]]:
    """Return the rows of the data set in the form that Luthier reads.

    Raises:
        DataError: there is no such file.
    """
    if not path.exists():
        raise DataError(f"there is no file {path}", "give the folder that holds one folder for each data set")
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [{"text": row["text"], **{side: dict(zip(("start", "end"), row[f"{side}_span"], strict=True))
                                     for side in ("head", "tail")}, "relation": row["label"]} for row in rows]
