"""Luthier's side for hidden tokens: the run that ``luthier train`` carries out, answered by the predictor that serves.

``python -m benchmarks.tasks.modelling.luthier JOB.json ANSWER.json``
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import luthier
from benchmarks._job import Job
from benchmarks.tasks.family import overrides, read_lines, write_answer
from luthier.pipeline import make_recipe, run
from luthier.schema import Document


def main(job_file: str, answer_file: str) -> None:
    """Tune, write the verified bundle, open it again and ask it how likely the test texts are."""
    job = Job.read(job_file)
    recipe = make_recipe(job.train, overrides(job, task="masked-language-modelling", text="text"))
    finished = run(recipe, progress=False)
    texts = [Document(row["text"]) for row in read_lines(Path(job.test))]
    with luthier.load(finished.path, threads=job.threads, offline=True) as predictor:
        predictor.predict(texts[:64])
        started = time.perf_counter()
        found = [[answer.log_probability, answer.tokens, answer.right] for answer in predictor.predict(texts)]
        answering = time.perf_counter() - started
    write_answer(answer_file, seconds=finished.seconds["tuning"], rows=len(texts), answering=answering,
                 likelihoods=found, stage_seconds=finished.seconds, warnings=list(finished.warnings))


if __name__ == "__main__":
    main(*sys.argv[1:3])
