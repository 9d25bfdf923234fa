"""Luthier's side for questions: the run that ``luthier train`` carries out, answered by the predictor that serves.

``python -m benchmarks.tasks.answers.luthier JOB.json ANSWER.json``
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import luthier
from benchmarks._job import Job
from benchmarks.tasks.answers import read_questions
from benchmarks.tasks.answers.plain import stride_of
from benchmarks.tasks.family import overrides, write_answer
from luthier.pipeline import make_recipe, run


def main(job_file: str, answer_file: str) -> None:
    """Tune, write the verified bundle, open it again and ask it the test questions."""
    job = Job.read(job_file)
    recipe = make_recipe(job.train, overrides(job, task="question-answering", **{"model.overlap": stride_of(job)}))
    finished = run(recipe, progress=False)
    asked = [(row["question"], row["context"]) for row in read_questions(Path(job.test))]
    with luthier.load(finished.path, threads=job.threads, offline=True) as predictor:
        predictor.predict(asked[:64])
        started = time.perf_counter()
        answers = [found.answer for found in predictor.predict(asked)]
        answering = time.perf_counter() - started
    write_answer(answer_file, seconds=finished.seconds["tuning"], rows=len(asked), answering=answering,
                 answers=answers, stage_seconds=finished.seconds, warnings=list(finished.warnings))


if __name__ == "__main__":
    main(*sys.argv[1:3])
