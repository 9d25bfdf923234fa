"""Luthier's side for entities: the run that ``luthier train`` carries out, answered by the predictor that serves.

``python -m benchmarks.tasks.entities.luthier JOB.json ANSWER.json``
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import luthier
from benchmarks._job import Job
from benchmarks.tasks.entities.sentences import read_sentences
from benchmarks.tasks.family import overrides, write_answer
from luthier.pipeline import make_recipe, run


def main(job_file: str, answer_file: str) -> None:
    """Tune, write the verified bundle, open it again and ask it for the test texts."""
    job = Job.read(job_file)
    finished = run(make_recipe(job.train, overrides(job, task="named-entities")), progress=False)
    texts = [sentence.text for sentence in read_sentences(Path(job.test))]
    with luthier.load(finished.path, threads=job.threads, offline=True) as predictor:
        predictor.predict(texts[:64])
        started = time.perf_counter()
        answers = predictor.predict(texts)
        answering = time.perf_counter() - started
    found = [[[one.start, one.end, one.entity_group] for one in answer.entities] for answer in answers]
    write_answer(answer_file, seconds=finished.seconds["tuning"], rows=len(texts), answering=answering, spans=found,
                 stage_seconds=finished.seconds, warnings=list(finished.warnings))


if __name__ == "__main__":
    main(*sys.argv[1:3])
