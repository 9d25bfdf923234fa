"""Luthier's side for translation: the run that ``luthier train`` carries out, written by the predictor that serves.

``python -m benchmarks.tasks.translation.luthier JOB.json ANSWER.json``
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import luthier
from benchmarks._job import Job
from benchmarks.tasks.family import overrides, read_lines, write_answer
from benchmarks.tasks.translation import MOST_TOKENS
from luthier.pipeline import make_recipe, run


def main(job_file: str, answer_file: str) -> None:
    """Tune, write the verified bundle, open it again and let it write the test texts."""
    job = Job.read(job_file)
    task = {"name": "text-to-text", "max_target_length": job.max_length, "decoding": {"max_new_tokens": MOST_TOKENS}}
    finished = run(make_recipe(job.train, overrides(job, task=task)), progress=False)
    sources = [row["source"] for row in read_lines(Path(job.test))]
    with luthier.load(finished.path, threads=job.threads, offline=True) as predictor:
        started = time.perf_counter()
        texts = [answer.generated_text for answer in predictor.predict(sources)]
        answering = time.perf_counter() - started
    write_answer(answer_file, seconds=finished.seconds["tuning"], rows=len(sources), answering=answering, texts=texts,
                 stage_seconds=finished.seconds, warnings=list(finished.warnings))


if __name__ == "__main__":
    main(*sys.argv[1:3])
