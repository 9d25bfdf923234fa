"""Luthier's side for summaries: the run that ``luthier train`` carries out, written by the predictor that serves.

``python -m benchmarks.tasks.summaries.luthier JOB.json ANSWER.json``
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import luthier
from benchmarks._job import Job
from benchmarks.tasks.family import overrides, read_lines, write_answer
from benchmarks.tasks.summaries import ALPHA, MOST_TOKENS, RANK
from luthier.pipeline import make_recipe, run


def main(job_file: str, answer_file: str) -> None:
    """Tune, write the verified bundle, open it again and let it write the test summaries."""
    job = Job.read(job_file)
    recipe = make_recipe(job.train, overrides(
        job, task={"name": "dialogue", "decoding": {"max_new_tokens": MOST_TOKENS}},
        method={"name": "lora", "lora_rank": RANK, "lora_alpha": ALPHA}))
    finished = run(recipe, progress=False)
    asked = [row["messages"][0]["content"] for row in read_lines(Path(job.test))]
    with luthier.load(finished.path, threads=job.threads, offline=True) as predictor:
        started = time.perf_counter()
        texts = [answer.generated_text for answer in predictor.predict(asked)]
        answering = time.perf_counter() - started
    write_answer(answer_file, seconds=finished.seconds["tuning"], rows=len(asked), answering=answering, texts=texts,
                 stage_seconds=finished.seconds, warnings=list(finished.warnings))


if __name__ == "__main__":
    main(*sys.argv[1:3])
