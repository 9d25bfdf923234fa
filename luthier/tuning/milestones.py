"""What happens between steps: validation, which decides the best weights and when to stop, and checkpoints."""

from __future__ import annotations

import time
from dataclasses import replace

from luthier.models.freezing import training_mode
from luthier.tuning import checkpoints
from luthier.tuning.checkpoints import Progress
from luthier.tuning.state import Run, report, seconds
from luthier.tuning.validation import LOWER_IS_BETTER, better, predict_logits

_FALL = 0.02
"""Share of the first validation's loss by which later ones have to fall, at the best score, to count as learning: what
falls below it altogether is too little to matter."""


def validates_at(run: Run, step: int) -> bool:
    """Return whether a validation comes after a step."""
    return step == run.total or step % (run.job.validation.eval_steps or run.per_epoch) == 0


def saves_at(run: Run, step: int) -> bool:
    """Return whether a checkpoint comes after a step, and after its validation."""
    every = run.job.validation.save_steps
    due = validates_at(run, step) if every is None else step % every == 0
    return due or step == run.total or run.progress.stopped_early


def validate(run: Run, step: int) -> None:
    """Score the validation split, keep the weights when they are the best so far, and count towards early stopping."""
    report(run)
    job, progress, metric = run.job, run.progress, run.job.metric
    job.model.eval()
    logits = predict_logits(job, run.feed, run.device, run.precision)
    training_mode(job.model)
    metrics = job.task.metrics(logits, job.valid.targets, job.labels, job.task_settings)
    score, loss = metrics[metric], metrics["loss"]
    gained, same = better(metric, score, progress.best_metric), score == progress.best_metric
    best = gained or (same and better("loss", loss, progress.best_loss))
    if best:
        progress.best_step, progress.best_metric, progress.best_loss = step, score, loss
        checkpoints.save_best(job.directory, job.model, step)
    if gained or (same and _has_fallen(progress, loss)):
        progress.stale, progress.learned_loss = 0, loss
    elif progress.best_metric != 0.0 or metric in LOWER_IS_BETTER:  # no entity found yet: one may still be
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


def _has_fallen(progress: Progress, loss: float) -> bool:
    """Tell whether the loss is clearly below that of the last validation that showed learning."""
    before = progress.learned_loss
    return before is not None and before - loss > _FALL * progress.history[0]["metrics"]["loss"]


def save(run: Run, step: int) -> None:
    """Write a checkpoint; its event comes first, so that no checkpoint stands without it."""
    report(run)
    run.events.emit("checkpoint", step=step, name=f"checkpoint-{step}")
    progress = replace(run.progress, seconds=seconds(run))
    checkpoints.save(run.job.directory, run.job.model, run.optimizer, progress, fingerprint=run.job.fingerprint,
                     limit=run.job.validation.save_total_limit)
    run.reported = time.perf_counter()
