"""What one side is told and what it answers. A side is a process of its own, so both are JSON files."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks._machine import peak_memory_mib


@dataclass(frozen=True, slots=True)
class Job:
    """One side's run on one data set. Both sides get the same."""

    model: str
    """Name as Luthier's users give it."""
    model_path: str
    """The same model's directory."""
    train: str
    valid: str
    test: str
    labels: tuple[str, ...]
    seed: int
    epochs: int
    learning_rate: float
    batch_size: int
    max_length: int
    warmup_ratio: float
    weight_decay: float
    scheduler: str
    threads: int
    work: str = ""
    """Directory for all that the side writes; each side gets its own."""

    @classmethod
    def read(cls, path: str | Path) -> Job:
        """Return the job that ``write`` stored."""
        values = json.loads(Path(path).read_text(encoding="utf-8"))
        return cls(**{**values, "labels": tuple(values["labels"])})

    def write(self, path: Path) -> None:
        """Store the job for the side's process."""
        path.write_text(json.dumps(asdict(self), ensure_ascii=False), encoding="utf-8")


def read_rows(path: str) -> tuple[list[str], list[str]]:
    """Return the texts and the labels of a prepared file."""
    rows: list[dict[str, str]] = [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]
    return [row["text"] for row in rows], [row["label"] for row in rows]


def answer(path: str, *, chosen: list[int], tuning_seconds: float, notes: dict[str, Any]) -> None:
    """Store a side's answer: the class number given to each test row, what tuning took, this process's peak memory."""
    values = {"chosen": chosen, "tuning_seconds": round(tuning_seconds, 2), "peak_mib": round(peak_memory_mib(), 1),
              "notes": notes}
    Path(path).write_text(json.dumps(values), encoding="utf-8")
