"""Logits of a split, the commonest answer to hold them against, and what counts as better."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np

from luthier.errors import RecipeError
from luthier.models.outputs import in_order
from luthier.plugins import did_you_mean
from luthier.schema import Float32, Int64, Logits
from luthier.tasks import TokenTargets, pooled, pooling, pools
from luthier.tuning.batching import by_length
from luthier.tuning.feeding import Feed, in_rows, laid_out, send
from luthier.tuning.job import Job
from luthier.tuning.precision import autocast

if TYPE_CHECKING:
    import torch

LOWER_IS_BETTER = ("loss", "perplexity", "mse", "mae")


def check_metric(known: Collection[str], name: str) -> None:
    """Refuse a ``validation.metric_for_best_model`` that no task at hand computes, before any time is spent.

    Raises:
        RecipeError: names the known ones and the nearest.
    """
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


def predict_logits(job: Job, feed: Feed, device: str, precision: str) -> Logits:
    """Return the validation split's logits, float32 in the split's order, windows pooled where the task pools them; the
    model must be in eval mode.

    Where texts are written, what the task condenses them to: N arrays (T, 2).
    """
    import torch

    lengths, targets = job.valid.lengths, job.valid.targets
    batches = by_length(job.sizes(job.valid), max_tokens=job.batch_tokens)

    def found(rows: Int64) -> torch.Tensor:
        logits: torch.Tensor = job.model(**feed.inputs(job.valid.ragged, rows)).logits.float()
        if not hasattr(job.task, "condensed"):
            return logits
        own = laid_out(targets[rows], logits, lengths[rows])
        condensed: torch.Tensor = job.task.condensed(logits, send(own, device))
        return in_rows(condensed, lengths[rows])

    # One autocast context around all batches: the bf16 copies of the weights are made once.
    with torch.inference_mode(), autocast(device, precision):
        parts = [found(rows) for rows in batches]
        if job.labels.per_token or isinstance(targets, TokenTargets):
            own = targets.lengths if isinstance(targets, TokenTargets) else lengths
            return in_order(batches, [part.cpu().numpy() for part in parts], own)
        shuffled: Float32 = torch.cat(parts).cpu().numpy()
    logits = np.empty_like(shuffled)
    logits[np.concatenate(batches)] = shuffled
    return pooled(logits, job.valid.ragged, pooling(job.task_settings)) if pools(job.task) else logits
