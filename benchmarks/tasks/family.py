"""What each folder of ``benchmarks/tasks/`` offers to ``benchmarks.accuracy_tasks``."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from benchmarks._job import Job
from benchmarks._machine import peak_memory_mib
from benchmarks.tasks.counts import Rows
from luthier.errors import DataError
from luthier.evaluation.outcomes import Array

Row = TypeVar("Row")
TEST = "test"
"""The name of the one test set, where there is one only."""


@dataclass(frozen=True, slots=True)
class Bench:
    """A data set, the model tuned to it and how."""

    title: str
    model: str
    """Name that ``luthier.models.sources.resolve`` knows."""
    files: Mapping[str, tuple[str, ...]]
    """Split -> files below ``--data``; what is not named, or has none, is held out of train."""
    epochs: int
    learning_rate: float
    batch_size: int = 32
    max_length: int = 256
    train_rows: int | None = None
    """A seeded sample of this many rows; all when left out."""
    test_rows: int | None = None
    """Of valid, and of each test."""
    quick: tuple[int, int] | None = None
    """Rows of train and of the others in the quick suite; ``None``: not in it."""
    minutes: tuple[float, float] = (1, 10)
    """That both sides and the speeds take on two idle cores without AMX, and half of it with it, about: in the quick
    suite, and of all rows."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Prepared:
    """The rows of one data set as files that both sides read."""

    files: Mapping[str, str]
    """``train``, ``valid`` and ``test`` -> file."""
    sizes: Mapping[str, int]
    truth: Any
    """What ``counts`` compares with; only the family knows."""
    labels: tuple[str, ...] = ()
    model: str | None = None
    """Directory of a model that was made for these rows; that of the data set when left out."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Most rows, over those of the data set."""

    train: int | None = None
    test: int | None = None

    def of(self, bench: Bench, split: str) -> int | None:
        """Return the most rows of a split."""
        own, asked = (bench.train_rows, self.train) if split == "train" else (bench.test_rows, self.test)
        return min((count for count in (own, asked) if count is not None), default=None)


class Family(Protocol):
    """The modules ``<folder>/__init__.py``; beside it stand ``luthier.py``, ``plain.py`` and ``speed.py``, one process
    each."""

    TITLE: str
    INTRODUCTION: str
    """What both sides do alike, and what each does."""
    SPEED: str
    """What stands for transformers where the speed of the same weights is compared."""
    SETS: Mapping[str, Bench]
    METRICS: Mapping[str, str]
    """Metric -> its title; the first is compared."""

    def prepare(self, bench: Bench, data: Path, folder: Path, limits: Limits) -> Prepared:
        """Write the files of a data set into ``folder``."""

    def counts(self, prepared: Prepared, answer: Mapping[str, Any]) -> Rows:
        """Return the counts of each row of each test for a side's answer."""

    def figures(self, sums: Array) -> dict[str, Array]:
        """Return each metric, (R,), of R draws of rows from the sums of their counts, (R, S)."""


def write_answer(path: str, *, seconds: float, rows: int, answering: float, **more: Any) -> None:
    """Store a side's answer.

    Args:
        path: where.
        seconds: that tuning took.
        rows: test rows that were answered.
        answering: seconds that took, from texts to answers.
        more: what the family's ``counts`` reads, and notes.
    """
    Path(path).write_text(json.dumps({
        "tuning_seconds": round(seconds, 2), "rows_per_second": round(rows / answering, 1),
        "peak_mib": round(peak_memory_mib(), 1), **more}, ensure_ascii=False), encoding="utf-8")


def overrides(job: Job, **more: Any) -> dict[str, Any]:
    """Return a recipe's entries with the job's settings and nothing that the other side lacks."""
    return {
        "valid": job.valid, "test": job.test, "model": job.model, "model.max_length": job.max_length,
        "out": str(Path(job.work) / "bundle"), "seed": job.seed, "threads": job.threads, "offline": True,
        "prepare": {"deduplicate": False},
        "train": {"learning_rate": job.learning_rate, "num_train_epochs": job.epochs,
                  "per_device_train_batch_size": job.batch_size, "warmup_ratio": job.warmup_ratio,
                  "weight_decay": job.weight_decay, "lr_scheduler_type": job.scheduler},
        "validation": {"early_stopping_patience": None}, "evaluation": {"baseline": False, "untuned": False}, **more}


def refuse_missing(path: Path) -> Path:
    """Return the path of a file that is there.

    Raises:
        DataError: it is not.
    """
    if not path.exists():
        raise DataError(f"there is no file {path}", "give the folder that holds one folder for each data set")
    return path


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a JSON lines file, perhaps with gzip.

    Raises:
        DataError: there is no such file.
    """
    refuse_missing(path)
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def write_lines(path: str | Path, rows: Iterable[Mapping[str, Any]]) -> str:
    """Write JSON lines; return the path."""
    Path(path).write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def held_out(rows: Sequence[Row], groups: Sequence[str], share: float, chooser: random.Random) -> tuple[
        list[Row], list[Row]]:
    """Return the rows of a share of the groups, and all others.

    Raises:
        DataError: one of the two would be empty.
    """
    names = sorted(set(groups))
    chosen = set(chooser.sample(names, max(1, round(share * len(names)))))
    parts: tuple[list[Row], list[Row]] = [], []
    for row, group in zip(rows, groups, strict=True):
        parts[group not in chosen].append(row)
    if not all(parts):
        raise DataError("a split has no row", "give the whole data set")
    return parts


def sampled(rows: Sequence[Row], most: int | None, chooser: random.Random) -> list[Row]:
    """Return at most so many of the rows, in their order."""
    if most is None or most >= len(rows):
        return list(rows)
    return [rows[place] for place in sorted(chooser.sample(range(len(rows)), most))]


def seeded(*parts: Iterable[str] | str) -> random.Random:
    """Return random numbers that depend on the words alone."""
    return random.Random("/".join(map(str, parts)))  # noqa: S311 - reproducible, not secret
