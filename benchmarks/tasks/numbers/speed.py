"""Numbers by the tuned bundle: Luthier beside the pipeline for text classification.

``python -m benchmarks.tasks.numbers.speed JOB.json ANSWER.json``
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks._job import Job
from benchmarks.tasks.family import read_lines
from benchmarks.tasks.speed import Asked, bundle_of, compare, spread

ROWS = 256
NEAR = 0.05
"""How far two numbers may be apart that count as the same: bf16 keeps two digits."""


def main(job_file: str, answer_file: str) -> None:
    """Ask both for the test texts."""
    from transformers import pipeline

    job = Job.read(job_file)
    texts = spread([row["text"] for row in read_lines(Path(job.test))], ROWS)
    grader = pipeline("text-classification", str(bundle_of(job)), function_to_apply="none", device="cpu")

    def usual(numbers: Sequence[int], size: int) -> list[Any]:
        return [one["score"] for one in grader([texts[number] for number in numbers], batch_size=size)]

    compare(job, answer_file, Asked(texts, usual, lambda answer: answer.score,
                                    alike=lambda one, other: abs(one - other) < NEAR))


if __name__ == "__main__":
    main(*sys.argv[1:3])
