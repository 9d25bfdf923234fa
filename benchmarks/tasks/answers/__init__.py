"""Question answering: exact match and F1 as the scripts of SQuAD and CMRC 2018 give them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.tasks.family import TEST, Bench, Limits, Prepared, Scores, held_out, sampled, seeded
from luthier.errors import DataError
from luthier.evaluation.answer_scores import is_chinese, score_answer

TITLE = "Question answering"
METRICS = {"f1": "F1", "exact_match": "exact match"}
INTRODUCTION = """\
Contexts are read in windows of 384 tokens that share 128. The script (`benchmarks/tasks/answers/plain.py`) learns the
first answer's places with one rate for all weights, keeps the epoch that hits most of them, and takes the best sum of
two logits over all windows, at most 30 tokens; Luthier's new head has a rate of its own (1e-3). F1 and exact match are
those of SQuAD's script, of CMRC's for Chinese, the best over all right answers of a question."""
_CMRC = ("cmrc2018/dev.jsonl.gz", "cmrc2018/trial.jsonl")
SETS = {
    "squad": Bench("SQuAD v1.1", "minilm-l6", {"train": ("squad_v1.1/dev.jsonl.gz",)}, 2, 1e-4, max_length=384,
                   quick=(1500, 400),
                   note="the dev set alone (train is not at hand), split by article, seeded: 10 % test, 10 % valid"),
    "cmrc": Bench("CMRC 2018", "e5-small", {"train": _CMRC}, 3, 1e-4, max_length=384,
                  note="dev and trial sets (train is not at hand), split by article, seeded: 10 % test, 10 % valid"),
    "xquad": Bench("XQuAD", "e5-small",
                   {"train": _CMRC, "zh": ("xquad_en_zh/zh.jsonl",), "en": ("xquad_en_zh/en.jsonl",)}, 3, 1e-4,
                   max_length=384, note="tuned on CMRC 2018 dev and trial, Chinese alone, but for a tenth of the "
                                        "articles that choose the epoch; English is transfer"),
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
        if split not in found:
            rows = found["train"]
            found[split], found["train"] = held_out(rows, [row["title"] for row in rows], 0.1, chooser)
    for split in ("train", "valid"):  # an answer that stands nowhere cannot be learned
        found[split] = [row for row in found[split] if any(one["start"] >= 0 for one in row["answers"])]
    found = {split: sampled(rows, limits.of(bench, split), chooser) for split, rows in found.items()}
    asked = [row for name in tests for row in found[name]]
    files = {name: str(folder / f"{name}.jsonl") for name in ("train", "valid", "test")}
    for name, rows in (("train", found["train"]), ("valid", found["valid"]), ("test", asked)):
        write_questions(Path(files[name]), rows)
    sizes = {"train": len(found["train"]), "valid": len(found["valid"]), "test": len(asked)}
    return Prepared(files, sizes, [(name, row) for name in tests for row in found[name]])


def score(prepared: Prepared, answer: Mapping[str, Any]) -> Scores:
    """Return the mean scores of each test."""
    found: dict[str, list[tuple[float, float]]] = {}
    for (name, row), given in zip(prepared.truth, answer["answers"], strict=True):
        right = [one["text"] for one in row["answers"]]
        found.setdefault(name, []).append(score_answer(given, right, chinese=is_chinese(row["context"])))
    means = {name: np.mean(rows, axis=0).tolist() for name, rows in found.items()}
    return {name: {"exact_match": exact, "f1": f1} for name, (exact, f1) in means.items()}


def read_questions(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a JSON lines file, perhaps with gzip; one answer at least, each once.

    Raises:
        DataError: there is no such file.
    """
    if not path.exists():
        raise DataError(f"there is no file {path}", "give the folder that holds one folder for each data set")
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return [{"id": row["id"], "title": row.get("title", row["context"]), "question": row["question"],
             "context": row["context"], "answers": row["answers"]} for row in rows]


def write_questions(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write JSON lines."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
