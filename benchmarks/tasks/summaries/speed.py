"""Summaries by the tuned bundle: Luthier beside ``model.generate`` with peft.

``python -m benchmarks.tasks.summaries.speed JOB.json ANSWER.json``
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks._job import Job
from benchmarks.tasks._written import alike, generated
from benchmarks.tasks.family import read_lines
from benchmarks.tasks.speed import Asked, bundle_of, compare, spread
from benchmarks.tasks.summaries import MOST_TOKENS
from benchmarks.tasks.summaries.plain import prompt

ROWS, ALONE = 16, 2


def main(job_file: str, answer_file: str) -> None:
    """Let both write the test summaries."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    job = Job.read(job_file)
    tokenizer = AutoTokenizer.from_pretrained(bundle_of(job), padding_side="left")
    base = AutoModelForCausalLM.from_pretrained(job.model_path)
    model = PeftModel.from_pretrained(base, str(bundle_of(job))).eval()
    asked = spread([row["messages"][0]["content"] for row in read_lines(Path(job.test))], ROWS)
    rows = [prompt(question, tokenizer, job) for question in asked]
    compare(job, answer_file, Asked(
        asked, lambda numbers, size: generated(model, tokenizer, [rows[number] for number in numbers], size,
                                               most=MOST_TOKENS),
        lambda answer: answer.generated_text, alone=ALONE, rounds=1, alike=alike))


if __name__ == "__main__":
    main(*sys.argv[1:3])
