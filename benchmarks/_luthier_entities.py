"""Luthier's side for entities: the run that ``luthier train`` carries out, answered by the predictor that serves.

``python -m benchmarks._luthier_entities JOB.json ANSWER.json``
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import luthier
from benchmarks._entities import read_sentences, write_spans
from benchmarks._job import Job
from luthier.pipeline import make_recipe, run
from luthier.recipe import Recipe


def main(job_file: str, answer_file: str) -> None:
    """Tune, write the verified bundle, open it again and ask it for the test texts."""
    job = Job.read(job_file)
    finished = run(recipe_of(job), progress=False)
    texts = [sentence.text for sentence in read_sentences(Path(job.test))]
    with luthier.load(finished.path, threads=job.threads, offline=True) as predictor:
        predictor.predict(texts[:64])
        started = time.perf_counter()
        answers = predictor.predict(texts)
        speed = len(texts) / (time.perf_counter() - started)
    found = [[[one.start, one.end, one.entity_group] for one in answer.entities] for answer in answers]
    write_spans(answer_file, found, finished.seconds["tuning"], {
        "stage_seconds": finished.seconds, "warnings": list(finished.warnings), "rows_per_second": round(speed, 1),
        "scores": finished.scores["systems"]["tuned"]["metrics"]})


def recipe_of(job: Job) -> Recipe:
    """Return the recipe with the job's settings, and the task's own for the new head."""
    return make_recipe(job.train, {
        "valid": job.valid, "test": job.test, "model": job.model, "model.max_length": job.max_length,
        "out": str(Path(job.work) / "bundle"), "seed": job.seed, "threads": job.threads, "offline": True,
        "task": "named-entities", "prepare": {"deduplicate": False},
        "train": {"learning_rate": job.learning_rate, "num_train_epochs": job.epochs,
                  "per_device_train_batch_size": job.batch_size, "warmup_ratio": job.warmup_ratio,
                  "weight_decay": job.weight_decay, "lr_scheduler_type": job.scheduler},
        "validation": {"early_stopping_patience": None}, "evaluation": {"baseline": False, "untuned": False},
    })


if __name__ == "__main__":
    main(*sys.argv[1:3])
