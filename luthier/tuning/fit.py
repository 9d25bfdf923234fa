"""The loop: batches in, better weights out, every step on the event stream.

Read ``fit`` first. A step is decided by the seed and its own number alone (its rows, learning rate and dropout), so a
run that is killed at any moment and goes on from a checkpoint gives the very losses and weights of one never stopped,
on the same number of threads.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from luthier.models.freezing import training_mode
from luthier.recipe import spawn
from luthier.schema import Decision, Int64
from luthier.tasks import SpanTargets, TokenTargets
from luthier.tuning import checkpoints, whole_batch
from luthier.tuning.batching import Step, plan, steps_per_epoch
from luthier.tuning.checkpoints import Progress
from luthier.tuning.events import Events
from luthier.tuning.feeding import Feed, laid_out, make_feed, send, turn
from luthier.tuning.grouping import Groups, compares, pooling
from luthier.tuning.job import Fitted, Job, Targets
from luthier.tuning.optimizer import make_optimizer, set_rate, step_clipped
from luthier.tuning.precision import autocast, choose_device, choose_precision
from luthier.tuning.randomness import own_random_numbers, seed_step
from luthier.tuning.schedule import learning_rate
from luthier.tuning.validation import better, check_metric, predict_logits
from luthier.tuning.verdict import doubts, not_finite
from luthier.tuning.vocabulary import SmallTable, describe_table, reduce_table, renumber, restore_table
from luthier.tuning.weights import class_weights

if TYPE_CHECKING:
    import torch

    from luthier.models.kernels import Installed

EPOCHS = 3
"""Passes over the rows when the settings leave it open."""

REPORT_EVERY = {"cpu": 1, "cuda": 16}
"""Steps whose losses are fetched together: reading a number makes a GPU's queue run dry, and costs a CPU nothing."""


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
    with own_random_numbers(), installed(job.model, device=device.value, precision=precision.value) as parts:
        run = _start(job, events, {"device": device, "precision": precision, **parts.decisions}, parts)
        for step in range(run.progress.step + 1, run.total + 1):
            if run.progress.stopped_early:
                break
            _take_step(run, step)
            if _validates_at(run, step):
                _validate(run, step)
            if _saves_at(run, step):
                _save(run, step)
        return _finish(run)


@dataclass
class _Run:
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
        return self.decisions["device"].value

    @property
    def precision(self) -> str:
        return self.decisions["precision"].value


def _start(job: Job, events: Events, decisions: Mapping[str, Decision], parts: Installed) -> _Run:
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
    run = _Run(
        job, events, make_optimizer(job.model, settings, parts.layers, head=job.head),
        {**decisions, **told, "class_weights": why_weights, "word_table": describe_table(table)},
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


def _resume(run: _Run) -> None:
    """Go on from the newest whole checkpoint when asked to, else clear what another run left."""
    found = checkpoints.newest(run.job.directory, run.job.fingerprint) if run.job.resume else None
    if found is None:
        checkpoints.clear(run.job.directory)
    else:
        checkpoints.restore(found, run.job.model, run.optimizer)
        run.progress = found.progress
        run.resumed_at = found.progress.step
    run.events.truncate_after(run.resumed_at)


def _take_step(run: _Run, step: int) -> None:
    """Compute one step's gradient part by part, clip it and move the weights."""
    import torch

    job, settings = run.job, run.job.train_settings
    dealt = _dealt(run, step)
    micro_batches = [run.groups.rows(micro) for micro in dealt]
    run.tokens += sum(int(run.sizes[micro].sum()) for micro in micro_batches)
    rate = learning_rate(settings, step, run.total)
    set_rate(run.optimizer, rate)
    seed_step(spawn(job.seed, "dropout"), step, run.device)
    loss = torch.zeros((), device=run.device)
    share = sum(_answers(job.train.targets, rows, len(micro)) for rows, micro in zip(micro_batches, dealt, strict=True))
    for micro in dealt:
        loss += _backward(run, micro, share, step)
    norm = step_clipped(run.optimizer, settings.max_grad_norm)
    run.progress.step = step
    run.pending.append(({"step": step, "epoch": round(step / run.per_epoch, 4), "rows": sum(map(len, dealt)),
                         "learning_rate": rate}, loss, norm))
    if len(run.pending) >= REPORT_EVERY.get(run.device, 1):
        _report(run)


def _backward(run: _Run, micro: Int64, share: int, step: int) -> torch.Tensor:
    """Add the gradient of a micro-batch to the weights, and return its loss: the sum over answers, by their share."""
    job, settings, rows = run.job, run.job.train_settings, run.groups.rows(micro)
    asked = rows if run.groups.share is None else micro

    def logits(part: Int64) -> torch.Tensor:
        with autocast(run.device, run.precision):
            found: torch.Tensor = job.model(**run.feed.inputs(job.train.ragged, part)).logits  # (B, C)
        return found.float()

    def loss(logits: torch.Tensor) -> torch.Tensor:
        logits = run.groups.pooled(logits, micro, pooling(job.task_settings))
        targets = send(laid_out(job.train.targets[asked], logits, run.lengths[rows]), run.device)
        losses: torch.Tensor = job.task.loss(logits, targets, class_weights=run.weights,
                                             label_smoothing=settings.label_smoothing_factor, **job.options)
        return losses.sum() / share

    parts = whole_batch.cut(rows, run.lengths, settings.max_tokens_per_batch) if compares(job.task) else [rows]
    return whole_batch.backward(rows, parts, logits, loss, lambda number: seed_step(
        spawn(job.seed, f"dropout {rows[0]} {number}"), step, run.device))


def _answers(targets: Targets, rows: Int64, groups: int) -> int:
    """Return how many answers a micro-batch asks for, which its losses are the sum of: one each, or one a token."""
    return max(1, targets.counts(rows)) if isinstance(targets, TokenTargets | SpanTargets) else groups


def _report(run: _Run) -> None:
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
                        eta_seconds=round(_seconds_left(run, now), 1), total_steps=run.total)
        run.progress.recent_losses.append(loss)
    run.pending.clear()
    run.reported = now


def _seconds_left(run: _Run, now: float) -> float:
    """Estimate by tokens, not by steps: long texts come first."""
    left = int(run.sizes.sum()) * (run.total - run.resumed_at) / run.per_epoch - run.tokens
    return max(0.0, (now - run.began) / run.tokens * left)


def _validate(run: _Run, step: int) -> None:
    """Score the validation split, keep the weights when they are the best so far, and count towards early stopping."""
    _report(run)
    job, progress, metric = run.job, run.progress, run.job.metric
    job.model.eval()
    logits = predict_logits(job, run.feed, run.device, run.precision)
    training_mode(job.model)
    metrics = job.task.metrics(logits, job.valid.targets, job.labels, **job.options)
    gained = better(metric, metrics[metric], progress.best_metric)
    best = gained or (metrics[metric] == progress.best_metric and better("loss", metrics["loss"], progress.best_loss))
    if best:
        progress.best_step, progress.best_metric, progress.best_loss = step, metrics[metric], metrics["loss"]
        checkpoints.save_best(job.directory, job.model, step)
    if gained:
        progress.stale = 0
    elif progress.best_metric != 0.0:  # what has found no entity yet may still be about to
        progress.stale += 1
    train_loss = sum(progress.recent_losses) / max(len(progress.recent_losses), 1)
    entry = {"step": step, "epoch": round(step / run.per_epoch, 4), "train_loss": train_loss, "metrics": metrics,
             "best": best}
    progress.history.append(entry)
    progress.recent_losses.clear()
    run.events.emit("validation", **entry)
    patience = job.validation.early_stopping_patience
    if patience is not None and progress.stale >= patience and step < run.total:
        progress.stopped_early = True
        run.events.emit("early_stop", step=step, best_step=progress.best_step,
                        reason=f"no better {metric} in {patience} validations")
    run.reported = time.perf_counter()


def _save(run: _Run, step: int) -> None:
    """Write a checkpoint; its event comes first, so that no checkpoint stands without it."""
    _report(run)
    run.events.emit("checkpoint", step=step, name=f"checkpoint-{step}")
    progress = replace(run.progress, seconds=_seconds(run))
    checkpoints.save(run.job.directory, run.job.model, run.optimizer, progress, fingerprint=run.job.fingerprint,
                     limit=run.job.validation.save_total_limit)
    run.reported = time.perf_counter()


def _finish(run: _Run) -> Fitted:
    """Put the best weights and the whole word table back, and say how it went."""
    job, progress = run.job, run.progress
    if progress.best_step not in (0, progress.step):
        checkpoints.restore_best(job.directory, job.model, progress.best_step)
    job.model.to("cpu").eval()
    if run.table is not None:
        restore_table(job.model, run.table)
    best = math.nan if progress.best_metric is None else progress.best_metric
    warnings = tuple(doubts(job, best))
    for warning in warnings:
        run.events.emit("warning", text=warning)
    fitted = Fitted(progress.step, progress.best_step, best, progress.history, progress.stopped_early, _seconds(run),
                    run.decisions, warnings)
    run.events.emit("run_finished", steps=fitted.steps, best_step=fitted.best_step, best_metric=best,
                    metric=job.metric, stopped_early=fitted.stopped_early,
                    seconds=round(fitted.seconds, 2))
    return fitted


def _validates_at(run: _Run, step: int) -> bool:
    return step == run.total or step % (run.job.validation.eval_steps or run.per_epoch) == 0


def _saves_at(run: _Run, step: int) -> bool:
    every = run.job.validation.save_steps
    due = _validates_at(run, step) if every is None else step % every == 0
    return due or step == run.total or run.progress.stopped_early


def _dealt(run: _Run, step: int) -> Step:
    """Return the groups of a step's micro-batches; each epoch is planned once, when its first step comes."""
    epoch, place = divmod(step - 1, run.per_epoch)
    if run.epoch_plan[0] != epoch:
        turn(run.job, epoch)
        settings = run.job.train_settings
        run.epoch_plan = epoch, plan(
            run.sizes if run.job.train.writes else run.groups.lengths,
            batch_size=settings.per_device_train_batch_size, accumulation=settings.gradient_accumulation_steps,
            max_tokens=None if compares(run.job.task) else run.job.batch_tokens,
            seed=spawn(run.job.seed, "order"), epoch=epoch)
    return run.epoch_plan[1][place]


def _seconds(run: _Run) -> float:
    return run.progress.seconds + time.perf_counter() - run.began
