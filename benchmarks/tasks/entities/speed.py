"""Entities of the tuned bundle: Luthier beside the pipeline for token classification.

``python -m benchmarks.tasks.entities.speed JOB.json ANSWER.json``
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks._job import Job
from benchmarks.tasks.entities.sentences import read_sentences
from benchmarks.tasks.speed import Asked, bundle_of, compare, spread

ROWS = 256


def main(job_file: str, answer_file: str) -> None:
    """Ask both for the test texts."""
    from transformers import pipeline

    job = Job.read(job_file)
    texts = [one.text for one in spread(read_sentences(Path(job.test)), ROWS)]
    tagger = pipeline("token-classification", str(bundle_of(job)), aggregation_strategy="simple", device="cpu")

    def usual(numbers: Sequence[int], size: int) -> list[Any]:
        found = tagger([texts[number] for number in numbers], batch_size=size)
        return [[(one["start"], one["end"], one["entity_group"]) for one in row] for row in found]

    def told(answer: Any) -> Any:
        return [(one.start, one.end, one.entity_group) for one in answer.entities]

    compare(job, answer_file, Asked(texts, usual, told))


if __name__ == "__main__":
    main(*sys.argv[1:3])
