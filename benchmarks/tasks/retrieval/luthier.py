"""Luthier's side for retrieval: the run that ``luthier train`` carries out, embedded by the predictor that serves.

``python -m benchmarks.tasks.retrieval.luthier JOB.json ANSWER.json``
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

import luthier
from benchmarks._job import Job
from benchmarks.tasks.family import overrides, read_lines, write_answer
from benchmarks.tasks.retrieval import passages_of, ranked
from luthier.pipeline import make_recipe, run
from luthier.schema import Passage


def main(job_file: str, answer_file: str) -> None:
    """Tune, write the verified bundle, open it again and let it embed the test rows."""
    job = Job.read(job_file)
    finished = run(make_recipe(job.train, overrides(job, task="similarity")), progress=False)
    rows = read_lines(Path(job.test))
    texts = [*(row["query"] for row in rows), *map(Passage, passages_of(rows))]
    with luthier.load(finished.path, threads=job.threads, offline=True) as predictor:
        predictor.predict(texts[:64])
        started = time.perf_counter()
        vectors = np.stack([answer.vector for answer in predictor.predict(texts)])
        answering = time.perf_counter() - started
    write_answer(answer_file, seconds=finished.seconds["tuning"], rows=len(texts), answering=answering,
                 ranks=ranked(vectors[: len(rows)], vectors[len(rows) :], rows), stage_seconds=finished.seconds,
                 warnings=list(finished.warnings))


if __name__ == "__main__":
    main(*sys.argv[1:3])
