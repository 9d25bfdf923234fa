"""Vectors of the tuned bundle: Luthier beside mean pooling with plain transformers.

``python -m benchmarks.tasks.retrieval.speed JOB.json ANSWER.json``
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks._job import Job
from benchmarks.tasks.family import read_lines
from benchmarks.tasks.retrieval import passages_of
from benchmarks.tasks.retrieval.plain import embedded
from benchmarks.tasks.speed import Asked, bundle_of, compare, spread
from luthier.schema import Passage

ROWS = 256
LEAST_COSINE = 0.999
"""Of two vectors that count as the same."""


def main(job_file: str, answer_file: str) -> None:
    """Let both embed questions and answers of the test rows."""
    from transformers import AutoModel, AutoTokenizer

    job = Job.read(job_file)
    rows = read_lines(Path(job.test))
    asked = spread([*(row["query"] for row in rows), *map(Passage, passages_of(rows))], ROWS)
    tokenizer, model = AutoTokenizer.from_pretrained(bundle_of(job)), AutoModel.from_pretrained(bundle_of(job))

    def usual(numbers: Sequence[int], size: int) -> list[Any]:
        return list(embedded(model, tokenizer, [str(asked[number]) for number in numbers], job, size))

    compare(job, answer_file, Asked(asked, usual, lambda answer: answer.vector,
                                    alike=lambda one, other: float(one @ other) > LEAST_COSINE))


if __name__ == "__main__":
    main(*sys.argv[1:3])
