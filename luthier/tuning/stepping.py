"""One step of the optimiser: the gradient of its rows, part by part, and the move of the weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luthier.recipe import spawn
from luthier.schema import Int64
from luthier.tasks import SpanTargets, TokenTargets, pooling
from luthier.tuning import whole_batch
from luthier.tuning.feeding import laid_out, send
from luthier.tuning.grouping import compares
from luthier.tuning.job import Targets
from luthier.tuning.optimizer import set_rate, step_clipped
from luthier.tuning.precision import autocast
from luthier.tuning.randomness import seed_step
from luthier.tuning.schedule import learning_rate
from luthier.tuning.state import Run, dealt, report

if TYPE_CHECKING:
    import torch

REPORT_EVERY = {"cpu": 1, "cuda": 16}
"""Steps whose losses are fetched together: reading a number makes a GPU's queue run dry, and costs a CPU nothing."""


def take_step(run: Run, step: int) -> None:
    """Compute one step's gradient part by part, clip it and move the weights."""
    import torch

    job, settings = run.job, run.job.train_settings
    groups = dealt(run, step)
    micro_batches = [run.groups.rows(one) for one in groups]
    run.tokens += sum(int(run.sizes[micro].sum()) for micro in micro_batches)
    rate = learning_rate(settings, step, run.total)
    set_rate(run.optimizer, rate)
    seed_step(spawn(job.seed, "dropout"), step, run.device)
    loss = torch.zeros((), device=run.device)
    share = sum(_answers(job.train.targets, rows, len(one)) for rows, one in zip(micro_batches, groups, strict=True))
    for one in groups:
        loss += _backward(run, one, share, step)
    norm = step_clipped(run.optimizer, settings.max_grad_norm)
    run.progress.step = step
    run.pending.append(({"step": step, "epoch": round(step / run.per_epoch, 4), "rows": sum(map(len, groups)),
                         "learning_rate": rate}, loss, norm))
    if len(run.pending) >= REPORT_EVERY.get(run.device, 1):
        report(run)


def _backward(run: Run, micro: Int64, share: int, step: int) -> torch.Tensor:
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
