"""Luthier's side for relations: the run that ``luthier train`` carries out, answered by the predictor that serves.

``python -m benchmarks.tasks.relations.luthier JOB.json ANSWER.json``
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import luthier
from benchmarks._job import Job
from benchmarks.tasks.family import overrides, write_answer
from luthier.pipeline import make_recipe, run
from luthier.schema import Argument, Marked


def main(job_file: str, answer_file: str) -> None:
    """Tune, write the verified bundle, open it again and ask it for the test pairs."""
    job = Job.read(job_file)
    finished = run(make_recipe(job.train, overrides(job, task="relations")), progress=False)
    rows = [json.loads(line) for line in Path(job.test).read_text(encoding="utf-8").splitlines()]
    asked = [Marked(row["text"], Argument(**row["head"]), Argument(**row["tail"])) for row in rows]
    with luthier.load(finished.path, threads=job.threads, offline=True) as predictor:
        predictor.predict(asked[:64])
        started = time.perf_counter()
        labels = [found.label for found in predictor.predict(asked)]
        answering = time.perf_counter() - started
    write_answer(answer_file, seconds=finished.seconds["tuning"], rows=len(asked), answering=answering, labels=labels,
                 stage_seconds=finished.seconds, warnings=list(finished.warnings))


if __name__ == "__main__":
    main(*sys.argv[1:3])
