"""Answers of the tuned bundle: Luthier beside the script's own decoding, since transformers 5 has no such pipeline.

``python -m benchmarks.tasks.answers.speed JOB.json ANSWER.json``
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks._job import Job
from benchmarks.tasks.answers import read_questions
from benchmarks.tasks.answers.plain import model_rows, read_off, windows
from benchmarks.tasks.speed import Asked, bundle_of, compare, in_batches, spread

ROWS, ALONE = 64, 16


def main(job_file: str, answer_file: str) -> None:
    """Ask both the test questions."""
    import torch
    from transformers import AutoModelForQuestionAnswering, AutoTokenizer

    job = Job.read(job_file)
    rows = spread(read_questions(Path(job.test)), ROWS)
    tokenizer = AutoTokenizer.from_pretrained(bundle_of(job))
    model = AutoModelForQuestionAnswering.from_pretrained(bundle_of(job)).eval()

    def usual(numbers: Sequence[int], size: int) -> list[str]:
        found = []
        for part in in_batches(numbers, size):
            asked = [rows[number] for number in part]
            parts = windows(asked, tokenizer, job, learning=False)
            batch = tokenizer.pad(model_rows(parts), return_tensors="pt")
            with torch.inference_mode():
                given = model(**batch)
            logits = list(zip(given.start_logits.tolist(), given.end_logits.tolist(), strict=True))
            found += read_off(asked, parts, logits)
        return found

    compare(job, answer_file, Asked([(row["question"], row["context"]) for row in rows], usual,
                                    lambda answer: answer.answer, alone=ALONE, rounds=1))


if __name__ == "__main__":
    main(*sys.argv[1:3])
