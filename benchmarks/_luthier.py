"""Luthier's side: the run that ``luthier train`` carries out, scored with the predictor that serves.

``python -m benchmarks._luthier JOB.json ANSWER.json``
"""

from __future__ import annotations

import sys
from pathlib import Path

import luthier
from benchmarks._job import Job, answer, read_rows
from luthier.errors import TuningError
from luthier.pipeline import make_recipe, run
from luthier.recipe import Recipe

TOLERANCE = 1e-9
"""Between two ways to divide the same counts."""


def main(job_file: str, answer_file: str) -> None:
    """Tune, write the verified bundle, open it again and label the test rows."""
    job = Job.read(job_file)
    finished = run(recipe_of(job), progress=False)
    texts, labels = read_rows(job.test)
    check_rows(finished.data_report.split_sizes,
               {"train": len(read_rows(job.train)[0]), "valid": len(read_rows(job.valid)[0]), "test": len(texts)})
    with luthier.load(finished.path, threads=job.threads, offline=True) as predictor:
        predicted = [one.label for one in predictor.predict(texts)]
    check_served(finished.scores["systems"]["tuned"]["intervals"]["accuracy"]["value"],
                 sum(map(str.__eq__, predicted, labels)) / len(labels))
    number = {name: index for index, name in enumerate(job.labels)}
    answer(answer_file, chosen=[number[name] for name in predicted], tuning_seconds=finished.seconds["tuning"],
           notes={"stage_seconds": finished.seconds, "warnings": list(finished.warnings)})


def recipe_of(job: Job) -> Recipe:
    """Return the recipe with the job's settings and nothing that the other side lacks: baseline, class weights."""
    return make_recipe(job.train, {
        "valid": job.valid, "test": job.test, "text": "text", "label": "label", "model": job.model,
        "model.max_length": job.max_length, "out": str(Path(job.work) / "bundle"), "seed": job.seed,
        "threads": job.threads, "offline": True, "prepare": {"deduplicate": False},
        "train": {
            "learning_rate": job.learning_rate, "num_train_epochs": job.epochs,
            "per_device_train_batch_size": job.batch_size, "warmup_ratio": job.warmup_ratio,
            "weight_decay": job.weight_decay, "lr_scheduler_type": job.scheduler, "class_weights": "none",
        },
        "validation": {"metric_for_best_model": "f1_macro", "early_stopping_patience": None},
        "evaluation": {"baseline": False, "untuned": False},
    })


def check_rows(used: dict[str, int], prepared: dict[str, int]) -> None:
    """Make sure that the run used the prepared rows, all of them and no others.

    Raises:
        TuningError: it did not.
    """
    if used != prepared:
        raise TuningError(f"Luthier used {used} of the prepared rows {prepared}: the sides cannot be compared",
                          "prepared rows must pass through prepare unchanged: look at benchmarks/_data.py")


def check_served(reported: float, served: float) -> None:
    """Make sure that the accuracy in the run's report, in [0, 1], is that of the opened bundle.

    Raises:
        TuningError: it is not.
    """
    if abs(reported - served) > TOLERANCE:
        raise TuningError(f"the run reports accuracy {reported} and the opened bundle scores {served}",
                          "the number reported must be the number served: look at luthier/pipeline/assembling.py")


if __name__ == "__main__":
    main(*sys.argv[1:3])
