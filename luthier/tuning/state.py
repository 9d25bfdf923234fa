"""A run under way: what it is made of, which rows a step takes, and what is told of its steps."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from luthier.recipe import spawn
from luthier.schema import Decision, Int64
from luthier.tuning.batching import Step, plan
from luthier.tuning.checkpoints import Progress
from luthier.tuning.events import Events
from luthier.tuning.feeding import Feed, turn
from luthier.tuning.grouping import Groups, compares
from luthier.tuning.job import Job
from luthier.tuning.verdict import not_finite
from luthier.tuning.vocabulary import SmallTable

if TYPE_CHECKING:
    import torch


@dataclass
class Run:
    """A run under way."""

    job: Job
    events: Events
    optimizer: torch.optim.Optimizer
    decisions: dict[str, Decision]
    weights: torch.Tensor | None
    """(C,) float32 loss weight of each class."""
    table: SmallTable | None
    feed: Feed
    groups: Groups
    """What batches are made of: training rows, or groups of them."""
    progress: Progress
    total: int
    """Optimiser steps of the whole run."""
    per_epoch: int
    lengths: Int64
    """Tokens of each training row as the model reads it."""
    sizes: Int64
    """(N,) tokens of each training row."""
    resumed_at: int = 0
    tokens: int = 0
    """Computed since this process began."""
    began: float = field(default_factory=time.perf_counter)
    pending: list[tuple[dict[str, Any], torch.Tensor, torch.Tensor]] = field(default_factory=list)
    """Steps taken and not yet reported: their fields, loss and gradient norm."""
    reported: float = field(default_factory=time.perf_counter)
    epoch_plan: tuple[int, list[Step]] = (-1, [])

    @property
    def device(self) -> str:
        """Return where the model runs."""
        return self.decisions["device"].value

    @property
    def precision(self) -> str:
        """Return the number format of its matrix products."""
        return self.decisions["precision"].value


def dealt(run: Run, step: int) -> Step:
    """Return the groups of a step's micro-batches; each epoch is planned once, when its first step comes."""
    epoch, place = divmod(step - 1, run.per_epoch)
    if run.epoch_plan[0] != epoch:
        turn(run.job, epoch)
        settings = run.job.train_settings
        run.epoch_plan = epoch, plan(
            run.job.sizes(run.job.train) if run.job.train.writes else run.groups.lengths,
            batch_size=settings.per_device_train_batch_size, accumulation=settings.gradient_accumulation_steps,
            max_tokens=None if compares(run.job.task) else run.job.batch_tokens,
            seed=spawn(run.job.seed, "order"), epoch=epoch)
    return run.epoch_plan[1][place]


def report(run: Run) -> None:
    """Emit the steps taken since the last report, and stop at a loss that is not a number.

    Raises:
        TuningError: the loss or the gradient is not finite.
    """
    import torch

    if not run.pending:
        return
    numbers = torch.stack([torch.stack((loss, norm.float())) for _, loss, norm in run.pending]).tolist()  # the one wait
    now = time.perf_counter()
    speed = sum(fields["rows"] for fields, _, _ in run.pending) / max(now - run.reported, 1e-9)
    for (fields, _, _), (loss, norm) in zip(run.pending, numbers, strict=True):
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise not_finite(run.job, fields["step"], loss, norm)
        run.events.emit("step", **fields, loss=loss, grad_norm=norm, rows_per_second=round(speed, 1),
                        eta_seconds=round(seconds_left(run, now), 1), total_steps=run.total)
        run.progress.recent_losses.append(loss)
    run.pending.clear()
    run.reported = now


def seconds_left(run: Run, now: float) -> float:
    """Estimate the time that is left by tokens, not by steps: long texts come first."""
    left = int(run.sizes.sum()) * (run.total - run.resumed_at) / run.per_epoch - run.tokens
    return max(0.0, (now - run.began) / run.tokens * left)


def seconds(run: Run) -> float:
    """Return the time spent in the loop, earlier attempts of a resumed run included."""
    return run.progress.seconds + time.perf_counter() - run.began
