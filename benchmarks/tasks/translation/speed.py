"""Translations by the tuned bundle: Luthier beside ``model.generate``.

``python -m benchmarks.tasks.translation.speed JOB.json ANSWER.json``
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks._job import Job
from benchmarks.tasks._written import alike, generated
from benchmarks.tasks.family import read_lines
from benchmarks.tasks.speed import Asked, bundle_of, compare, spread
from benchmarks.tasks.translation import MOST_TOKENS
from benchmarks.tasks.translation.plain import encode

ROWS, ALONE = 64, 8


def main(job_file: str, answer_file: str) -> None:
    """Let both write the test texts."""
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    job = Job.read(job_file)
    tokenizer = AutoTokenizer.from_pretrained(bundle_of(job))
    model = AutoModelForSeq2SeqLM.from_pretrained(bundle_of(job)).eval()
    sources = spread([row["source"] for row in read_lines(Path(job.test))], ROWS)
    rows = spread([row["input_ids"] for row in encode(job.test, tokenizer, job)], ROWS)
    compare(job, answer_file, Asked(
        sources, lambda numbers, size: generated(model, tokenizer, [rows[number] for number in numbers], size,
                                                 most=MOST_TOKENS),
        lambda answer: answer.generated_text, alone=ALONE, rounds=1, alike=alike))


if __name__ == "__main__":
    main(*sys.argv[1:3])
