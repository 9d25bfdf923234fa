"""The loop: batches in, better weights out, every step on the event stream.

Read ``fit`` first; a step is in ``stepping``, validation and checkpoints are in ``milestones``. A step is decided by
the seed and its own number alone (its rows, learning rate and dropout), so a run that is killed at any moment and goes
on from a checkpoint gives the very losses and weights of one never stopped, on the same number of threads.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from luthier.models.freezing import training_mode
from luthier.schema import Decision
from luthier.tuning import checkpoints
from luthier.tuning.batching import steps_per_epoch
from luthier.tuning.checkpoints import Progress
from luthier.tuning.events import Events
from luthier.tuning.feeding import make_feed
from luthier.tuning.grouping import Groups
from luthier.tuning.interrupt import interruptible
from luthier.tuning.job import Fitted, Job
from luthier.tuning.milestones import save, saves_at, validate, validates_at
from luthier.tuning.optimizer import make_optimizer
from luthier.tuning.precision import choose_device, choose_precision
from luthier.tuning.randomness import own_random_numbers
from luthier.tuning.state import Run, seconds
from luthier.tuning.stepping import take_step
from luthier.tuning.validation import check_metric
from luthier.tuning.verdict import doubts
from luthier.tuning.vocabulary import describe_table, reduce_table, renumber, restore_table
from luthier.tuning.weights import class_weights

if TYPE_CHECKING:

    from luthier.models.kernels import Installed

EPOCHS = 3
"""Passes over the rows when the settings leave it open."""


def fit(job: Job, events: Events) -> Fitted:
    """Tune a model and leave it with the weights of its best validation.

    Args:
        job: what to tune, on what, and how.
        events: gets ``run_started``, ``step``, ``validation``, ``early_stop``, ``checkpoint`` and ``run_finished``.

    Returns:
        How the run went. ``job.model`` is on the CPU, in eval mode, with the best weights.

    Raises:
        TuningError: the loss is not finite, nothing trains, a checkpoint cannot be written or belongs to another run.
        RecipeError: the metric or a class weight names something unknown.
    """
    from luthier.models.kernels import installed

    check_metric(job.task.METRICS, job.metric)
    device = choose_device()
    precision = choose_precision(job.train_settings.precision, device.value)
    with (own_random_numbers(), interruptible() as check_interrupt,
          installed(job.model, device=device.value, precision=precision.value) as parts):
        run = _start(job, events, {"device": device, "precision": precision, **parts.decisions}, parts)
        for step in range(run.progress.step + 1, run.total + 1):
            if run.progress.stopped_early:
                break
            check_interrupt()
            take_step(run, step)
            if validates_at(run, step):
                validate(run, step)
            if saves_at(run, step):
                save(run, step)
        return _finish(run)


def _start(job: Job, events: Events, decisions: Mapping[str, Decision], parts: Installed) -> Run:
    """Decide what is open, put the model where it will run, and find the checkpoint to go on from."""
    import torch

    settings, device = job.train_settings, decisions["device"].value
    weights, why_weights = class_weights(settings.class_weights, job.train.targets, job.labels, job.task)
    table = reduce_table(job.model, (job.train.ragged, job.valid.ragged), job.encoder.pad_id)
    training_mode(job.model.to(device))
    feed, told = make_feed(job, events, parts, decisions, renumber(table))
    groups = Groups.of(job.train.ragged, job.task)
    per_epoch = steps_per_epoch(len(groups), batch_size=settings.per_device_train_batch_size,
                                accumulation=settings.gradient_accumulation_steps)
    run = Run(
        job, events, make_optimizer(job.model, settings, parts.layers, head=job.head),
        {**decisions, **told, "class_weights": why_weights, "word_table": describe_table(table),
         **job.decided_width()},
        None if weights is None else torch.from_numpy(weights).to(device),
        table, feed, groups, Progress(),
        total=per_epoch * (settings.num_train_epochs or EPOCHS), per_epoch=per_epoch,
        lengths=job.train.ragged.lengths, sizes=job.train.lengths,
    )
    _resume(run)
    events.emit("run_started", total_steps=run.total, steps_per_epoch=per_epoch, resumed_at=run.resumed_at,
                train_rows=len(groups), valid_rows=len(Groups.of(job.valid.ragged, job.task)), seed=job.seed,
                decisions={name: {"value": made.value, "reason": made.reason} for name, made in run.decisions.items()})
    return run


def _resume(run: Run) -> None:
    """Go on from the newest whole checkpoint when asked to, else clear what another run left."""
    found = checkpoints.newest(run.job.directory, run.job.fingerprint) if run.job.resume else None
    if found is None:
        checkpoints.clear(run.job.directory)
    else:
        checkpoints.restore(found, run.job.model, run.optimizer)
        run.progress = found.progress
        run.resumed_at = found.progress.step
    run.events.truncate_after(run.resumed_at)


def _finish(run: Run) -> Fitted:
    """Put the best weights and the whole word table back, and say how it went."""
    job, progress = run.job, run.progress
    if progress.best_step not in (0, progress.step):
        checkpoints.restore_best(job.directory, job.model, progress.best_step)
    job.model.to("cpu").eval()
    if run.table is not None:
        restore_table(job.model, run.table)
    best = math.nan if progress.best_metric is None else progress.best_metric
    lowest = min((entry["metrics"]["loss"] for entry in progress.history), default=math.nan)
    warnings = tuple(doubts(job, best, lowest))
    for warning in warnings:
        run.events.emit("warning", text=warning)
    fitted = Fitted(progress.step, progress.best_step, best, progress.history, progress.stopped_early, seconds(run),
                    run.decisions, warnings)
    run.events.emit("run_finished", steps=fitted.steps, best_step=fitted.best_step, best_metric=best,
                    metric=job.metric, stopped_early=fitted.stopped_early,
                    seconds=round(fitted.seconds, 2))
    return fitted
