"""Re-ranking: passages that a search found for a question, put in order by a model that reads both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.tasks import retrieval
from benchmarks.tasks.counts import Rows, means
from benchmarks.tasks.family import TEST, Bench, Limits, Prepared, write_lines
from luthier.tasks import ranking_scores
from luthier.text import loose_key

TITLE = "Re-ranking"
METRICS = retrieval.METRICS
INTRODUCTION = """\
Each question comes with its right answers and with those that TF-IDF finds first among the other answers of its split:
four to learn from, twenty passages in all to put in order. The script (`benchmarks/tasks/reranking/plain.py`) is the
usual cross-encoder, one output for a pair and the binary cross entropy, a right one weighing as much as four wrong
ones; Luthier learns a right passage against the wrong ones by a softmax, its default. A batch holds about as many pairs
on both sides, and both keep the epoch of the best nDCG@10."""
SPEED = "the pipeline for text classification on pairs, sorted by its scores"
SETS = {
    "faq-reranked": Bench("Bank FAQs", "minilm-l6", {"train": ("bank_faq_en/all.jsonl",)}, 3, 1e-4, batch_size=8,
                          max_length=256, minutes=(6, 60),
                          note="no official split: by question, 20 % test, 10 % valid"),
}
NEGATIVES, CANDIDATES = 4, 20


def prepare(bench: Bench, data: Path, folder: Path, limits: Limits) -> Prepared:
    """Write train, valid and test: questions with right and wrong passages.

    Raises:
        DataError: a file is missing.
    """
    found = retrieval.questions(bench, data, limits)
    for split, rows in found.items():
        for row, others in zip(rows, nearest(rows), strict=True):
            row["neg"] = others[: NEGATIVES if split == "train" else max(0, CANDIDATES - len(row["pos"]))]
    files = {split: write_lines(folder / f"{split}.jsonl", rows) for split, rows in found.items()}
    sizes = {split: len(found[split]) for split in ("train", "valid", "test")}
    return Prepared(files, sizes, found["test"])


def nearest(rows: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Return for each question the answers of the others, those first whose words are most alike.

    Answers of questions that are alike but for case and punctuation, and answers that are so, are nobody's wrong ones.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    passages, vectorizer = retrieval.passages_of(rows), TfidfVectorizer(sublinear_tf=True)
    known = vectorizer.fit_transform(passages)
    found = (vectorizer.transform([row["query"] for row in rows]) @ known.T).toarray()
    order = np.argsort(-found, axis=1, kind="stable")
    right: dict[str, set[str]] = {}
    for row in rows:
        right.setdefault(loose_key(row["query"]), set()).update(map(loose_key, row["pos"]))
    keys = list(map(loose_key, passages))
    return [[passages[number] for number in line if keys[number] not in right[loose_key(row["query"])]]
            for row, line in zip(rows, order.tolist(), strict=True)]


def passages_of(row: Mapping[str, Any]) -> list[str]:
    """Return the passages of a question, in an order that does not tell the right ones."""
    return sorted({*row["pos"], *row["neg"]})


def counts(prepared: Prepared, answer: Mapping[str, Any]) -> Rows:
    """Return the scores of each question from the order of its passages."""
    found = []
    for row, order in zip(prepared.truth, answer["orders"], strict=True):
        passages = passages_of(row)
        found.append(np.array([place for place, number in enumerate(order, 1) if passages[number] in row["pos"]]))
    scores = ranking_scores(found)
    return {TEST: np.stack([np.ones(len(found)), *(scores[name] for name in METRICS)], axis=1).tolist()}


figures = means(*METRICS)
