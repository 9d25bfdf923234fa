"""Retrieval: each question looks for its answers among those of all test questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

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
from luthier.schema import Float32
from luthier.tasks import ranking_scores, ranks

TITLE = "Retrieval"
METRICS = {"ndcg@10": "nDCG@10", "mrr@10": "MRR@10", "recall@1": "recall@1"}
INTRODUCTION = """\
Both sides learn from in-batch negatives, cosines times 20, vectors the mean over tokens, and keep the epoch with the
best nDCG@10 of the validation questions. The script (`benchmarks/tasks/retrieval/plain.py`) is the usual loop in torch,
as sentence-transformers' `MultipleNegativesRankingLoss` has it; it takes other answers of the same question for wrong
ones where they meet in a batch, Luthier leaves them out. Each test question looks among the answers of all of them."""
SPEED = "mean pooling over `AutoModel` in a loop, as model cards show it"
SETS = {
    "faq": Bench("Bank FAQs", "minilm-l6", {"train": ("bank_faq_en/all.jsonl",)}, 5, 1e-4, max_length=128,
                 quick=(200, 80), minutes=(2.6, 13), note="no official split: by question, 20 % test, 10 % valid"),
}


def prepare(bench: Bench, data: Path, folder: Path, limits: Limits) -> Prepared:
    """Write train, valid and test: each different question with all of its answers.

    Raises:
        DataError: a file is missing.
    """
    found = questions(bench, data, limits)
    files = {split: write_lines(folder / f"{split}.jsonl", rows) for split, rows in found.items()}
    sizes = {split: len(found[split]) for split in ("train", "valid", "test")}
    return Prepared(files, sizes, None)


def questions(bench: Bench, data: Path, limits: Limits) -> dict[str, list[dict[str, Any]]]:
    """Return train, valid and test: each different question with all of its answers.

    Raises:
        DataError: a file is missing.
    """
    chooser = seeded(bench.title)
    answers: dict[str, dict[str, None]] = {}
    for name in bench.files["train"]:
        for row in read_lines(data / name):
            answers.setdefault(row["question"], {})[row["answer"]] = None
    found: dict[str, list[dict[str, Any]]] = {
        "train": [{"query": question, "pos": list(right)} for question, right in answers.items()]}
    for split, share in (("test", 0.2), ("valid", 0.125)):
        rows = found["train"]
        found[split], found["train"] = held_out(rows, [row["query"].casefold() for row in rows], share, chooser)
    return {split: sampled(rows, limits.of(bench, split), chooser) for split, rows in found.items()}


def counts(_prepared: Prepared, answer: Mapping[str, Any]) -> Rows:
    """Return the scores of each question from the ranks of its answers."""
    scores = ranking_scores([np.array(row, np.int64) for row in answer["ranks"]])
    columns = [np.ones(len(answer["ranks"])), *(scores[name] for name in METRICS)]
    return {TEST: np.stack(columns, axis=1).tolist()}


figures = means(*METRICS)


def passages_of(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return each different answer of the rows once."""
    return list(dict.fromkeys(text for row in rows for text in row["pos"]))


def ranked(queries: Float32, passages: Float32, rows: Sequence[Mapping[str, Any]]) -> list[list[int]]:
    """Return where the answers of each question stand, from 1, by the products of vectors (Q, D) and (P, D)."""
    number = {text: place for place, text in enumerate(passages_of(rows))}
    wanted = [np.array([number[text] for text in row["pos"]], np.int64) for row in rows]
    found = ranks(lambda start, stop: queries[start:stop] @ passages.T, wanted, len(passages))
    return [row.tolist() for row in found]
