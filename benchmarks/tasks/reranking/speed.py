"""Pairs scored by the tuned bundle: Luthier beside the pipeline for text classification.

``python -m benchmarks.tasks.reranking.speed JOB.json ANSWER.json``
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks._job import Job
from benchmarks.tasks.family import read_lines
from benchmarks.tasks.reranking import passages_of
from benchmarks.tasks.speed import Asked, bundle_of, compare, spread

ROWS = 256
NEAR = 0.02
"""How far two scores may be apart that count as the same: bf16 keeps two digits."""


def main(job_file: str, answer_file: str) -> None:
    """Ask both for pairs of the test questions."""
    from transformers import pipeline

    job = Job.read(job_file)
    every = [(row["query"], text) for row in read_lines(Path(job.test)) for text in passages_of(row)]
    pairs = spread(every, ROWS)
    reader = pipeline("text-classification", str(bundle_of(job)), function_to_apply="sigmoid", device="cpu")

    def usual(numbers: Sequence[int], size: int) -> list[Any]:
        given = [{"text": pairs[number][0], "text_pair": pairs[number][1]} for number in numbers]
        return [one["score"] for one in reader(given, batch_size=size, truncation=True, max_length=job.max_length)]

    compare(job, answer_file, Asked(pairs, usual, lambda answer: answer.score,
                                    alike=lambda one, other: abs(one - other) < NEAR))


if __name__ == "__main__":
    main(*sys.argv[1:3])
