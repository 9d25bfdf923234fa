"""Named entities: strict entity scores, and the micro F1 of tags with O that many tutorials print."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.tasks.counts import Rows, f1
from benchmarks.tasks.entities.sentences import read_sentences, spans_of, write_sentences
from benchmarks.tasks.family import TEST, Bench, Limits, Prepared, held_out, sampled, seeded
from luthier.evaluation.outcomes import Array
from luthier.schema import Span
from luthier.tasks._spans import strict_counts, token_counts

TITLE = "Named entities"
METRICS = {"entity_f1": "entity F1", "token_f1": "token F1 with O"}
INTRODUCTION = """\
The script (`benchmarks/tasks/entities/plain.py`) gets the words of the data set (of Chinese ones the characters, as
published scripts do, each of which e5's tokenizer takes for a word), learns a tag at each word's first token with one
rate for all weights, keeps the best epoch and takes the likeliest tag; Luthier gets the text, learns a tag at each
token, its new head at a rate of its own (1e-2), and takes the likeliest tags that make sense. Entity F1 is strict (both
ends and the type), token F1 the micro average over the words' tags with O, as many tutorials print it."""
SPEED = "the pipeline for token classification with `aggregation_strategy=\"simple\"`, which checks no order of tags"
_CONLL = {split: (f"conll2003_en/{name}.conll",) for split, name in (
    ("train", "train"), ("valid", "dev"), ("test", "test"))}
SETS = {
    "conll2003": Bench("CoNLL-2003", "minilm-l6", _CONLL, 3, 1.5e-4, quick=(2000, 600), minutes=(3, 12),
                       note="official split; the model knows no capital letters"),
    "conll2003-e5": Bench("CoNLL-2003", "e5-small", _CONLL, 3, 1.5e-4, minutes=(4, 27), note="official split"),
    "cluener": Bench("CLUENER2020", "e5-small",
                     {"train": ("cluener2020/train.conll.gz",), "test": ("cluener2020/dev.conll",)}, 3, 1.5e-4,
                     quick=(400, 200), minutes=(3.2, 58),
                     note="official train and dev, which is scored; a tenth of train chooses the epoch"),
    "msra": Bench("MSRA", "e5-small", {"train": ("msra_ner_zh/all.conll.gz",)}, 3, 1.5e-4, train_rows=10_000,
                  test_rows=4_000, minutes=(4, 72),
                  note="a sample; no official split: equal sentences stand on one side"),
}


def prepare(bench: Bench, data: Path, folder: Path, limits: Limits) -> Prepared:
    """Write train, valid and test; what has no file is a tenth of train, whole texts.

    Raises:
        DataError: a file is missing or cannot be used.
    """
    chooser = seeded(bench.title)
    found = {split: [row for name in names for row in read_sentences(data / name)]
             for split, names in bench.files.items()}
    for split in ("valid", "test"):
        if split not in found:
            rows = found["train"]
            found[split], found["train"] = held_out(rows, [row.text for row in rows], 0.1, chooser)
    found = {split: sampled(found[split], limits.of(bench, split), chooser) for split in ("train", "valid", "test")}
    files = {split: str(folder / f"{split}.conll") for split in found}
    for split, rows in found.items():
        write_sentences(Path(files[split]), rows)
    types = tuple(sorted({kind for row in found["train"] for *_, kind in spans_of(row)}))
    return Prepared(files, {split: len(rows) for split, rows in found.items()}, found["test"], types)


def counts(prepared: Prepared, answer: Mapping[str, Any]) -> Rows:
    """Return of each sentence: entities that are right, said and true; words whose tag is right, said and true."""
    rows, types = prepared.truth, prepared.labels
    gold, found = ([tuple(Span(*span) for span in row) for row in part]
                   for part in ([spans_of(row) for row in rows], answer["spans"]))
    words = [list(row.places) for row in rows]
    columns = [np.ones(len(rows))]
    for right, extra, missed in (strict_counts(gold, found, types), token_counts(words, gold, found, types)):
        columns += [right.sum(1), (right + extra).sum(1), (right + missed).sum(1)]
    return {TEST: np.stack(columns, axis=1).tolist()}


def figures(sums: Array) -> dict[str, Array]:
    """Return strict F1, and the micro F1 of the words' tags, O among them."""
    return {"entity_f1": f1(*sums[:, 1:4].T), "token_f1": f1(*sums[:, 4:7].T)}
