"""Masks filled by the tuned bundle: Luthier beside the pipeline for filling masks.

``python -m benchmarks.tasks.modelling.speed JOB.json ANSWER.json``
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


def main(job_file: str, answer_file: str) -> None:
    """Ask both for the middle word of test texts."""
    from transformers import pipeline

    job = Job.read(job_file)
    filler = pipeline("fill-mask", str(bundle_of(job)), device="cpu")
    texts = [masked(row["text"], filler.tokenizer.mask_token) for row in spread(read_lines(Path(job.test)), ROWS)]

    def usual(numbers: Sequence[int], size: int) -> list[Any]:
        found = filler([texts[number] for number in numbers], batch_size=size)
        return [told[0]["token"] for told in (found if len(numbers) > 1 else [found])]

    compare(job, answer_file, Asked(texts, usual, lambda answer: answer.masks[0][0].token))


def masked(text: str, mask: str) -> str:
    """Return a text with a mask in place of its middle word."""
    words = text.split() or [""]
    words[len(words) // 2] = mask
    return " ".join(words)


if __name__ == "__main__":
    main(*sys.argv[1:3])
