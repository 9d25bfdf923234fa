"""What may be wrong with a run: a loss that is no number, or scores that a constant answer would reach."""

from __future__ import annotations

import math
from collections.abc import Iterator

from luthier.errors import TuningError
from luthier.text.said import Said
from luthier.tuning.job import Job
from luthier.tuning.validation import LOWER_IS_BETTER, better

HARDLY = 0.1
"""Share of the way from a guess to a perfect score below which a model whose loss stays at chance is not believed."""


def doubts(job: Job, best: float, loss: float) -> Iterator[str]:
    """Yield a sentence for each reason to distrust a finished run.

    Args:
        job: as it was tuned.
        best: the best validation metric.
        loss: the lowest validation loss, in nats.
    """
    metric, rate = job.metric, job.train_settings.learning_rate
    guess = job.task.guessed(job.train.targets, job.valid.targets, job.labels, job.task_settings)
    constant = guess[metric]
    advice = f"nothing was learned. Try another train.learning_rate (now {rate:g}), more epochs, or check the data"
    chinese = f"模型什么也没学到。请换一个 train.learning_rate（现为 {rate:g}）、增加轮数，或检查数据"
    if math.isnan(best) or not better(metric, best, constant):
        yield Said(f"the best validation {metric} is {best:.4f}, no better than the {constant:.4f} of "
                   f"{job.task.GUESS}: {advice}",
                   f"验证集上最好的 {metric} 为 {best:.4f}，不优于“{job.task.GUESS.chinese}”的 {constant:.4f}："
                   f"{chinese}")
    elif metric not in LOWER_IS_BETTER and loss >= guess["loss"] and best < constant + HARDLY * (1 - constant):
        # Random outputs find some entity by chance, where a constant finds none.
        yield Said(f"the validation loss never fell below {guess['loss']:.4f}, that of {job.task.GUESS}, and the best "
                   f"validation {metric} is {best:.4f}: {advice}",
                   f"验证损失从未低于“{job.task.GUESS.chinese}”的 {guess['loss']:.4f}，"
                   f"验证集上最好的 {metric} 为 {best:.4f}：{chinese}")


def not_finite(job: Job, step: int, loss: float, norm: float) -> TuningError:
    """Build the refusal to go on from a loss or gradient that is no number."""
    return TuningError(
        f"step {step}: the loss is {loss:g} and the gradient norm {norm:g}; both must be finite",
        f"lower train.learning_rate (now {job.train_settings.learning_rate:g}) or set train.precision=fp32",
    )
