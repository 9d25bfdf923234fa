"""Question answering: exact match and F1 as the scripts of SQuAD and CMRC 2018 give them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.tasks.counts import Rows, means
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
from luthier.evaluation.answer_scores import is_chinese, score_answer

TITLE = "Question answering"
METRICS = {"f1": "F1", "exact_match": "exact match"}
INTRODUCTION = """\
Contexts are read in windows of 384 tokens that share 128. The script (`benchmarks/tasks/answers/plain.py`) learns the
first answer's places with one rate for all weights, keeps the epoch that hits most of them, and takes the best sum of
two logits over all windows, at most 30 tokens; Luthier's new head has a rate of its own (1e-3). F1 and exact match are
those of SQuAD's script, of CMRC's for Chinese, the best over all right answers of a question."""
SPEED = ("the script's own decoding in a loop, as transformers 5 has no pipeline for it (Luthier also widens answers "
         "to whole words and weighs windows by probabilities)")
_CMRC = ("cmrc2018/dev.jsonl.gz", "cmrc2018/trial.jsonl")
SETS = {
    "squad": Bench("SQuAD v1.1", "minilm-l6", {"train": ("squad_v1.1/dev.jsonl.gz",)}, 2, 1e-4, 16, 384,
                   quick=(300, 100), minutes=(3.8, 45),
                   note="the dev set alone (train is not at hand), split by article, seeded: 10 % test, 10 % valid"),
    "cmrc": Bench("CMRC 2018", "e5-small",
                  {"train": _CMRC, "held out": (), "XQuAD zh": ("xquad_en_zh/zh.jsonl",),
                   "XQuAD en": ("xquad_en_zh/en.jsonl",)}, 3, 1e-4, 16, 384, minutes=(8, 190),
                  note="dev and trial sets (train is not at hand), split by article, seeded: 10 % test, 10 % valid; "
                       "the same model answers XQuAD, of which English is transfer from Chinese alone"),
}
"""A split that is neither train nor valid is a test of that name."""


def prepare(bench: Bench, data: Path, folder: Path, limits: Limits) -> Prepared:
    """Write train, valid and one file of all tests; what has no file is a tenth of the articles of train.

    Raises:
        DataError: a file is missing.
    """
    chooser = seeded(bench.title)
    found = {split: [row for name in names for row in read_questions(data / name)]
             for split, names in bench.files.items()}
    tests = [split for split in found if split not in ("train", "valid")] or [TEST]
    for split in ("valid", *tests):
        if not found.get(split):
            rows = found["train"]
            found[split], found["train"] = held_out(rows, [row["title"] for row in rows], 0.1, chooser)
    for split in ("train", "valid"):  # an answer that stands nowhere cannot be learned
        found[split] = [row for row in found[split] if any(one["start"] >= 0 for one in row["answers"])]
    found = {split: sampled(rows, limits.of(bench, split), chooser) for split, rows in found.items()}
    asked = [row for name in tests for row in found[name]]
    files = {name: str(folder / f"{name}.jsonl") for name in ("train", "valid", "test")}
    for name, rows in (("train", found["train"]), ("valid", found["valid"]), ("test", asked)):
        write_lines(files[name], rows)
    sizes = {"train": len(found["train"]), "valid": len(found["valid"]), "test": len(asked)}
    return Prepared(files, sizes, [(name, row) for name in tests for row in found[name]])


def counts(prepared: Prepared, answer: Mapping[str, Any]) -> Rows:
    """Return the F1 and the exact match of each question of each test."""
    found: Rows = {}
    for (name, row), given in zip(prepared.truth, answer["answers"], strict=True):
        right = [one["text"] for one in row["answers"]]
        exact, f1 = score_answer(given, right, chinese=is_chinese(row["context"]))
        found.setdefault(name, []).append([1.0, float(f1), float(exact)])
    return found


figures = means(*METRICS)


def read_questions(path: Path) -> list[dict[str, Any]]:
    """Return the questions of a JSON lines file, with the article of each.

    Raises:
        DataError: there is no such file.
    """
    return [{"id": row["id"], "title": row.get("title", row["context"]), "question": row["question"],
             "context": row["context"], "answers": row["answers"]} for row in read_lines(path)]
