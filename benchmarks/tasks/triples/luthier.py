"""Luthier's side for triples: the run that ``luthier train`` carries out, answered by the predictor that serves.

``python -m benchmarks.tasks.triples.luthier JOB.json ANSWER.json``
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import luthier
from benchmarks._job import Job
from benchmarks.tasks.family import overrides, read_lines, write_answer
from luthier.pipeline import make_recipe, run


def main(job_file: str, answer_file: str) -> None:
    """Tune, write the verified bundle, open it again and ask it for the test texts."""
    job = Job.read(job_file)
    finished = run(make_recipe(job.train, overrides(job, task="entities-and-relations")), progress=False)
    texts = [row["text"] for row in read_lines(Path(job.test))]
    with luthier.load(finished.path, threads=job.threads, offline=True) as predictor:
        predictor.predict(texts[:64])
        started = time.perf_counter()
        found = list(map(told, predictor.predict(texts)))
        answering = time.perf_counter() - started
    write_answer(answer_file, seconds=finished.seconds["tuning"], rows=len(texts), answering=answering, found=found,
                 stage_seconds=finished.seconds, warnings=list(finished.warnings))


def told(answer: Any) -> dict[str, Any]:
    """Return the places of an answer's entities, and its triples."""
    return {"entities": [[one.start, one.end] for one in answer.entities],
            "triples": [[one.subject.start, one.subject.end, one.object.start, one.object.end, one.label]
                        for one in answer.triples]}


if __name__ == "__main__":
    main(*sys.argv[1:3])
