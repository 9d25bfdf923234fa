"""Luthier's side for re-ranking: the run that ``luthier train`` carries out, answered by the predictor that serves.

``python -m benchmarks.tasks.reranking.luthier JOB.json ANSWER.json``
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import luthier
from benchmarks._job import Job
from benchmarks.tasks.family import overrides, read_lines, write_answer
from benchmarks.tasks.reranking import passages_of
from luthier.pipeline import make_recipe, run
from luthier.schema import Candidates


def main(job_file: str, answer_file: str) -> None:
    """Tune, write the verified bundle, open it again and let it order the passages of the test questions."""
    job = Job.read(job_file)
    finished = run(make_recipe(job.train, overrides(job, task="re-ranking")), progress=False)
    asked = [Candidates(row["query"], tuple(passages_of(row))) for row in read_lines(Path(job.test))]
    with luthier.load(finished.path, threads=job.threads, offline=True) as predictor:
        predictor.predict(asked[:8])
        started = time.perf_counter()
        orders = [[one.index for one in answer.results] for answer in predictor.predict(asked)]
        answering = time.perf_counter() - started
    write_answer(answer_file, seconds=finished.seconds["tuning"], rows=sum(map(len, orders)), answering=answering,
                 orders=orders, stage_seconds=finished.seconds, warnings=list(finished.warnings))


if __name__ == "__main__":
    main(*sys.argv[1:3])
