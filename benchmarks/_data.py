"""From the official files to the very rows that both sides read."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks._sets import Bench
from luthier.data import Columns, inspect, prepare, read_all
from luthier.data.split import sample
from luthier.errors import DataError
from luthier.recipe import PrepareSettings
from luthier.schema import Example
from luthier.text import loose_key

SEED = 0
"""Of samples and splits. The rows stay the same whatever seed the sides tune with."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Prepared rows on disk, and what is known of them."""

    folder: Path
    """Holds ``train.jsonl``, ``valid.jsonl`` and ``test.jsonl`` with ``text`` and ``label``."""
    labels: tuple[str, ...]
    sizes: dict[str, int]
    truth: tuple[int, ...]
    """Class number of each test row."""
    clean: tuple[bool, ...]
    """Of each test row, whether no train row nearly equals it (case, width, punctuation and spaces aside)."""
    content_hash: str

    def file(self, split: str) -> Path:
        """Return the file of a split."""
        return self.folder / f"{split}.jsonl"

    def record(self, bench: Bench) -> dict[str, Any]:
        """Return what the results file keeps: sizes, truth and settings, never texts."""
        return {"bench": asdict(bench), "labels": list(self.labels), "sizes": self.sizes, "truth": list(self.truth),
                "clean": [int(one) for one in self.clean], "content_hash": self.content_hash}


def prepare_rows(bench: Bench, data: Path, folder: Path, *, rows: int | None = None) -> Rows:
    """Read, sample, clean and split a data set as its table entry says, and write one JSONL file a split.

    Args:
        bench: the data set.
        data: folder with all data sets.
        folder: where to write; made when missing.
        rows: at most this many rows of each file, for trials.

    Raises:
        DataError: a file is missing or cannot be used.
    """
    folder.mkdir(parents=True, exist_ok=True)
    given = {split: _read(data, name, folder, _least(limit, rows)) for split, name, limit in (
        ("train", bench.train, bench.train_rows), ("valid", bench.valid, bench.valid_rows),
        ("test", bench.test, bench.test_rows))}
    settings = PrepareSettings(split=bench.split, deduplicate=bench.deduplicate)
    dataset, _ = prepare(given["train"] or [], given["valid"], given["test"], settings, SEED)
    for split, examples in dataset.splits():
        _write(folder / f"{split}.jsonl", examples)
    seen = {loose_key(row.text) for row in dataset.train}
    number = {name: index for index, name in enumerate(dataset.labels.names)}
    return Rows(
        folder, dataset.labels.names, {split: len(examples) for split, examples in dataset.splits()},
        tuple(number[(row.labels or ("",))[0]] for row in dataset.test),
        tuple(loose_key(row.text) not in seen for row in dataset.test), dataset.content_hash,
    )


def _least(*limits: int | None) -> int | None:
    return min((limit for limit in limits if limit is not None), default=None)


def _read(data: Path, name: str | None, folder: Path, limit: int | None) -> list[Example] | None:
    if name is None:
        return None
    path = data / name
    if not path.is_file():
        raise DataError(f"no {name} in {data}", "give the folder that holds the data sets, laid out as in "
                        "benchmarks/_sets.py: --data DIR")
    if path.suffix == ".gz":
        path = _unpacked(path, folder)
    examples, _ = read_all(inspect(path, Columns(text="text", label="label")), max_bad_rows=0)
    return examples if limit is None else sample(examples, limit, SEED)


def _unpacked(path: Path, folder: Path) -> Path:
    plain = folder / f"official-{path.stem}"
    with gzip.open(path, "rb") as packed, plain.open("wb") as file:
        shutil.copyfileobj(packed, file)
    return plain


def _write(path: Path, examples: Iterable[Example]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for row in examples:
            file.write(json.dumps({"text": row.text, "label": (row.labels or ("",))[0]}, ensure_ascii=False) + "\n")
