"""What may be wrong with a run: a loss that is no number, or scores that a constant answer would reach."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from luthier.errors import TuningError
from luthier.schema import Float32, LabelSet
from luthier.tuning.job import Job
from luthier.tuning.validation import better


def doubts(job: Job, best: float) -> Iterator[str]:
    """Yield a sentence for each reason to distrust a finished run.

    Args:
        job: as it was tuned.
        best: the best validation metric.
    """
    metric, rate = job.validation.metric_for_best_model, job.train_settings.learning_rate
    constant = job.task.metrics(commonest_answer(job.train.targets, job.labels, len(job.valid)), job.valid.targets,
                                job.labels)[metric]
    if math.isnan(best) or not better(metric, best, constant):
        yield (f"the best validation {metric} is {best:.4f}, no better than the {constant:.4f} of always giving the "
               "commonest answer: nothing was learned. Try another train.learning_rate "
               f"(now {rate:g}), more epochs, or check the labels")


def commonest_answer(targets: npt.NDArray[Any], labels: LabelSet, rows: int) -> Float32:
    """Return the logits of a model that saw the labels and no text: (rows, C) float32, the logarithm of each share.

    Args:
        targets: of the training rows.
        labels: the label set.
        rows: how many times to give the answer.
    """
    if labels.multi_label:
        share = np.clip(targets.mean(axis=0), 1e-6, 1 - 1e-6)
        answer = np.log(share / (1 - share))
    else:
        counts = np.bincount(targets, minlength=len(labels))
        answer = np.log(np.maximum(counts, 0.5) / len(targets))
    return np.tile(answer.astype(np.float32), (rows, 1))


def not_finite(job: Job, step: int, loss: float, norm: float) -> TuningError:
    """Build the refusal to go on from a loss or gradient that is no number."""
    return TuningError(
        f"step {step}: the loss is {loss:g} and the gradient norm {norm:g}; both must be finite",
        f"lower train.learning_rate (now {job.train_settings.learning_rate:g}) or set train.precision=fp32",
    )
