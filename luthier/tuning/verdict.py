"""What may be wrong with a run: a loss that is no number, or scores that a constant answer would reach."""

from __future__ import annotations

import math
from collections.abc import Iterator

from luthier.errors import TuningError
from luthier.tuning.job import Job
from luthier.tuning.validation import better


def doubts(job: Job, best: float) -> Iterator[str]:
    """Yield a sentence for each reason to distrust a finished run.

    Args:
        job: as it was tuned.
        best: the best validation metric.
    """
    metric, rate = job.metric, job.train_settings.learning_rate
    constant = job.task.guessed(job.train.targets, job.valid.targets, job.labels, **job.options)[metric]
    if math.isnan(best) or not better(metric, best, constant):
        yield (f"the best validation {metric} is {best:.4f}, no better than the {constant:.4f} of "
               f"{job.task.GUESS}: nothing was learned. Try another train.learning_rate "
               f"(now {rate:g}), more epochs, or check the data")


def not_finite(job: Job, step: int, loss: float, norm: float) -> TuningError:
    """Build the refusal to go on from a loss or gradient that is no number."""
    return TuningError(
        f"step {step}: the loss is {loss:g} and the gradient norm {norm:g}; both must be finite",
        f"lower train.learning_rate (now {job.train_settings.learning_rate:g}) or set train.precision=fp32",
    )
