"""The same tuned weights, asked by Luthier and by plain transformers in turns in one process: rows a second."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import luthier
from benchmarks._job import Job
from benchmarks._speed import take_turns
from benchmarks.tasks.family import write_answer

BATCH = 32
"""Rows that the usual loop is given at once, in the order of the file."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What both are asked, and how their answers are held together."""

    rows: Sequence[Any]
    """As Luthier's predictor takes them."""
    usual: Callable[[Sequence[int], int], list[Any]]
    """Answers the rows of these numbers in batches of so many."""
    told: Callable[[Any], Any]
    """Luthier's answer in the form of the usual one."""
    alone: int = 32
    """Rows asked one at a time."""
    rounds: int = 2
    alike: Callable[[Any, Any], bool] = lambda one, other: bool(one == other)  # noqa: E731 - a field's default
    """Whether two answers are the same."""


def bundle_of(job: Job) -> Path:
    """Return the bundle that Luthier's side left."""
    return Path(job.work) / "bundle"


def spread(rows: Sequence[Any], most: int) -> list[Any]:
    """Return at most so many of the rows, from all of the file."""
    count = min(most, len(rows))
    return [rows[number * len(rows) // count] for number in range(count)]


def compare(job: Job, answer_file: str, asked: Asked) -> None:
    """Ask both for all rows at once and one at a time, in turns, and store rows a second and how many answers agree."""
    import torch

    torch.set_num_threads(job.threads)
    everything, ones = range(len(asked.rows)), range(min(asked.alone, len(asked.rows)))
    answers: dict[str, Any] = {}

    def timed(name: str, side: Callable[[], Any]) -> Callable[[], float]:
        def run() -> float:
            started = time.perf_counter()
            answers[name] = side()
            return time.perf_counter() - started

        return run

    with luthier.load(bundle_of(job), threads=job.threads, offline=True) as predictor:
        sides = {"luthier": lambda: predictor.predict(asked.rows),
                 "luthier, one": lambda: [predictor.predict([asked.rows[number]]) for number in ones],
                 "usual": lambda: asked.usual(everything, BATCH), "usual, one": lambda: asked.usual(ones, 1)}
        found = take_turns({name: timed(name, side) for name, side in sides.items()}, asked.rounds)
        backend = type(predictor.backend).__module__.rpartition(".")[2]
    taken = {name: (len(ones) if name.endswith("one") else len(everything)) / found.median(name) for name in sides}
    same = sum(map(asked.alike, map(asked.told, answers["luthier"]), answers["usual"]))
    write_answer(answer_file, seconds=0, rows=len(everything), answering=found.median("luthier"), backend=backend,
                 asked=len(everything), speeds={name: round(speed, 1) for name, speed in taken.items()},
                 agreement=same / len(everything))


def in_batches(numbers: Sequence[int], size: int) -> list[list[int]]:
    """Return the numbers in batches, in their order."""
    return [list(numbers[start : start + size]) for start in range(0, len(numbers), size)]
