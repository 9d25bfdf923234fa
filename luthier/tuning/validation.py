"""Logits of a split, the commonest answer to hold them against, and what counts as better."""

from __future__ import annotations

import math
from types import ModuleType

import numpy as np

from luthier.errors import RecipeError
from luthier.plugins import did_you_mean
from luthier.schema import Float32
from luthier.tuning.batching import by_length
from luthier.tuning.feeding import Feed
from luthier.tuning.job import Job
from luthier.tuning.precision import autocast

LOWER_IS_BETTER = ("loss",)


def check_metric(task: ModuleType, name: str) -> None:
    """Refuse a ``validation.metric_for_best_model`` that the task does not compute, before any time is spent.

    Raises:
        RecipeError: names the known ones and the nearest.
    """
    known = task.METRICS
    if name not in known:
        raise RecipeError(f"validation.metric_for_best_model is {name!r}; known: {', '.join(known)}",
                          did_you_mean(name, known))


def better(metric: str, value: float, best: float | None) -> bool:
    """Return whether a validation is the best so far; equal is not better, and not-a-number never is."""
    if math.isnan(value):
        return False
    if best is None:
        return True
    return value < best if metric in LOWER_IS_BETTER else value > best


def predict_logits(job: Job, feed: Feed, device: str, precision: str) -> Float32:
    """Return the validation split's logits, (N, C) float32 in the split's order; the model must be in eval mode."""
    import torch

    batches = by_length(job.valid.ragged.lengths, max_tokens=job.train_settings.max_tokens_per_batch)
    parts = []
    # One autocast context around all batches: the bf16 copies of the weights are made once.
    with torch.inference_mode(), autocast(device, precision):
        for rows in batches:
            parts.append(job.model(**feed.inputs(job.valid.ragged, rows)).logits.float())
        shuffled: Float32 = torch.cat(parts).cpu().numpy()
    logits = np.empty_like(shuffled)
    logits[np.concatenate(batches)] = shuffled
    return logits
