"""Luthier against the usual ``transformers`` script on named entities: scores, minutes and peak memory.

    python -m benchmarks.accuracy_entities --data DIR                          # all; about an hour on two cores
    python -m benchmarks.accuracy_entities --data DIR --only conll2003 --rows 2000 --seed 1
    python -m benchmarks.accuracy_entities --data DIR --only conll2003 --model PATH-TO-bert-base-cased

Both sides start from the same weights and see the same sentences, epochs, batch and learning rate, and run alone, one
after the other, each in a fresh process. The plain script tags the first token of each word and takes the likeliest
tag; it sees the words of the data set, Luthier sees the text only.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks._entities import Sentence, read_sentences, spans_of, write_sentences
from benchmarks._job import Job
from benchmarks._machine import heading
from benchmarks._sides import run_side
from luthier.errors import DataError, LuthierError
from luthier.models.hardware import cores
from luthier.models.sources import resolve
from luthier.pipeline.files import whole_file
from luthier.schema import Span
from luthier.tasks import averages
from luthier.tasks._spans import strict_counts, token_counts

SIDES = ("luthier_entities", "plain_entities")
PAGE_MARKS = {end: f"<!-- benchmarks.accuracy_entities: {end} -->" for end in ("begin", "end")}


@dataclass(frozen=True, slots=True)
class Bench:
    """A data set, the model tuned to it and how."""

    title: str
    model: str
    train: str
    valid: str | None
    """``None``: a tenth of train."""
    test: str | None
    """``None``: a tenth of train."""
    epochs: int = 3
    learning_rate: float = 1.5e-4
    train_rows: int | None = None
    test_rows: int | None = None
    note: str = ""


SETS = {
    "conll2003": Bench("CoNLL-2003", "minilm-l6", "conll2003_en/train.conll", "conll2003_en/dev.conll",
                       "conll2003_en/test.conll", note="official split; the model knows no capital letters"),
    "conll2003-e5": Bench("CoNLL-2003", "e5-small", "conll2003_en/train.conll", "conll2003_en/dev.conll",
                          "conll2003_en/test.conll", note="official split"),
    "cluener": Bench("CLUENER2020", "e5-small", "cluener2020/train.conll.gz", None, "cluener2020/dev.conll",
                     note="official train and dev, which is scored; a tenth of train chooses the epoch"),
    "msra": Bench("MSRA", "e5-small", "msra_ner_zh/all.conll.gz", None, None, train_rows=10_000, test_rows=4_000,
                  note="a sample; no official split: equal sentences stand on one side"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy_entities",
                                     description=(__doc__ or "").split("\n")[0])
    add = parser.add_argument
    add("--data", type=Path, required=True, help="folder with one folder for each data set")
    add("--only", action="append", choices=SETS, help="one or several; all when left out")
    add("--model", help="another model: packaged name, hub id or directory")
    add("--seed", type=int, default=1)
    add("--rows", type=int, help="at most this many sentences of each file, for a trial")
    add("--threads", type=int, default=cores(), help="CPU threads of each side; all cores when left out")
    add("--json", type=Path, default=Path("build/entities.json"), help="results file; ended sides are not run again")
    add("--out", type=Path, help="page to put the table into")
    said = parser.parse_args(arguments)
    try:
        print(heading(said.threads), flush=True)
        results = json.loads(said.json.read_text(encoding="utf-8")) if said.json.exists() else {}
        for name in said.only or SETS:
            bench = SETS[name] if said.model is None else replace(SETS[name], model=said.model)
            measure(f"{name} {bench.model} {said.rows or 'all'} {said.seed}", bench, said, results)
        print(table(results))
        if said.out is not None:
            from benchmarks._table import replace_section

            page = said.out.read_text(encoding="utf-8")
            with whole_file(said.out) as file:
                file.write(replace_section(page, table(results), PAGE_MARKS))
    except LuthierError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def measure(key: str, bench: Bench, said: Any, results: dict[str, Any]) -> None:
    """Run both sides on a data set, unless they are among the results, and print what came."""
    with tempfile.TemporaryDirectory(prefix="luthier-entities-") as place:
        splits = sentences(bench, said.data, said.rows)
        files = {split: str(Path(place) / f"{split}.conll") for split in splits}
        for split, rows in splits.items():
            write_sentences(Path(files[split]), rows)
        types = tuple(sorted({kind for row in splits["train"] for *_, kind in spans_of(row)}))
        job = Job(model=bench.model, model_path=str(resolve(bench.model).path), **files, labels=types, seed=said.seed,
                  epochs=bench.epochs, learning_rate=bench.learning_rate, batch_size=32, max_length=256,
                  warmup_ratio=0.1, weight_decay=0.01, scheduler="linear", threads=said.threads)
        told = results.setdefault(key, {"title": bench.title, "model": Path(bench.model).name, "note": bench.note,
                                        "sizes": {split: len(rows) for split, rows in splits.items()}, "sides": {}})
        for side in SIDES:
            if side not in told["sides"]:
                run = run_side(bench.title, side, job)
                told["sides"][side] = {**run, "scores": score(splits["test"], run.pop("spans"), types)}
                with whole_file(said.json) as file:
                    json.dump(results, file, ensure_ascii=False, indent=1)
            print(f"{key} {side}: {told['sides'][side]['scores']}", flush=True)


def sentences(bench: Bench, data: Path, limit: int | None) -> dict[str, list[Sentence]]:
    """Return train, valid and test of a data set; what has no file is a tenth of train, seeded, whole texts.

    Raises:
        DataError: a file is missing or cannot be used.
    """
    found = {split: read_sentences(data / name) for split, name in (
        ("train", bench.train), ("valid", bench.valid), ("test", bench.test)) if name is not None}
    chooser = random.Random(0)  # noqa: S311 - reproducible, not secret
    for split in ("valid", "test"):
        if split not in found:
            texts = sorted({row.text for row in found["train"]})
            chosen = set(chooser.sample(texts, len(texts) // 10))
            found[split] = [row for row in found["train"] if row.text in chosen]
            found["train"] = [row for row in found["train"] if row.text not in chosen]
    if not all(found.values()):
        raise DataError("a split has no sentence", "give the whole data set")
    limits = {"train": bench.train_rows, "test": bench.test_rows, "valid": bench.test_rows}
    for split, rows in found.items():
        least = min((count for count in (limits[split], limit) if count is not None), default=len(rows))
        if least < len(rows):
            found[split] = chooser.sample(rows, least)
    return found


def score(rows: Sequence[Sentence], spans: Sequence[Sequence[Sequence[Any]]], types: Sequence[str]) -> dict[str, float]:
    """Return strict entity scores and those of tags, O among them, for a side's spans."""
    gold, found = ([tuple(Span(*span) for span in row) for row in part]
                   for part in ([spans_of(row) for row in rows], spans))
    strict = averages(*(counts.sum(0) for counts in strict_counts(gold, found, types)), multi_label=False)
    words = [list(row.places) for row in rows]
    tags = averages(*(counts.sum(0) for counts in token_counts(words, gold, found, types)), multi_label=False)
    return {"entity_f1": round(float(strict["f1_micro"]), 4), "precision": round(float(strict["precision_micro"]), 4),
            "recall": round(float(strict["recall_micro"]), 4), "token_f1": round(float(tags["f1_micro"]), 4)}


def table(results: dict[str, Any]) -> str:
    """Return the page's section."""
    head = ["data set", "model", "test rows", "entity F1, Luthier", "script", "difference", "token F1 with O, Luthier",
            "script", "minutes in all, Luthier", "script", "peak MiB, Luthier", "script"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * 2 + "---:|" * (len(head) - 2)]
    for told in results.values():
        sides = [told["sides"].get(side) for side in SIDES]
        f1 = [side and 100 * side["scores"]["entity_f1"] for side in sides]
        cells = [told["title"], told["model"], f"{told['sizes']['test']:,}", *(_cell(one, ".2f") for one in f1),
                 "-" if None in f1 else f"{f1[0] - f1[1]:+.2f}"]
        cells += [_cell(side and 100 * side["scores"]["token_f1"], ".2f") for side in sides]
        cells += [_cell(side and side["wall_seconds"] / 60, ".1f") for side in sides]
        cells += [_cell(side and side["peak_mib"], ",.0f") for side in sides]
        lines.append("| " + " | ".join(cells) + " |")
    notes = [f"- {told['title']}, {told['model']}: {told['sizes']['train']:,} / {told['sizes']['valid']:,} / "
             f"{told['sizes']['test']:,} sentences; {told['note']}" for told in results.values()]
    title = "## Named entities: Luthier and the usual `transformers` script"
    return "\n".join([title, "", INTRODUCTION, "", *lines, "", *notes, "",
                      "Command: `python -m benchmarks.accuracy_entities --data DIR --out docs/benchmarks.md`"]) + "\n"


def _cell(value: Any, form: str) -> str:
    """Return a figure, or a dash for a side that was not run."""
    return "-" if value is None else format(value, form)


INTRODUCTION = """\
Same weights, sentences, epochs (3), batch (32), learning rate (1.5e-4) with warm-up and linear decay, bf16 on both
sides, each in a process of its own on every core. The script (`benchmarks/_plain_entities.py`) gets the words of the
data set, learns a tag at each word's first token with one rate for all weights, keeps the best epoch and takes the
likeliest tag; Luthier gets the text, learns a tag at each token, its new head at a rate of its own (1e-2), and takes
the likeliest tags that make sense. Scores are of the whole `luthier train`, from the bundle opened again. Entity F1 is
strict (both ends and the type), token F1 the micro average over the words' tags with O, as many tutorials print it."""


if __name__ == "__main__":
    sys.exit(main())
