"""The learning rate as a pure function of the step, so that a resumed run needs no scheduler state."""

from __future__ import annotations

import math
from typing import Literal

from luthier.recipe import TrainSettings


def learning_rate(settings: TrainSettings, step: int, total: int) -> float:
    """Return the learning rate of one step, 1 to ``total``."""
    share = factor(step, total=total, warmup=warmup_steps(total, settings.warmup_ratio),
                   kind=settings.lr_scheduler_type)
    return (settings.learning_rate or 0.0) * share


def warmup_steps(total: int, ratio: float) -> int:
    """Return how many of ``total`` optimiser steps warm up: ``ceil(ratio * total)``, always leaving one to fall."""
    return min(math.ceil(total * ratio), total - 1)


def factor(step: int, *, total: int, warmup: int, kind: Literal["linear", "cosine"]) -> float:
    """Return the share of the peak learning rate used by one step.

    It rises linearly to 1 over ``warmup`` steps and then falls towards 0. Neither end is 0: a step that cannot move the
    weights would be wasted, and short runs have few.

    Args:
        step: 1 to ``total``.
        total: optimiser steps of the run.
        warmup: how many of them rise.
        kind: the shape of the fall.

    Returns:
        A number in (0, 1].
    """
    done = step - 1
    if done < warmup:
        return step / (warmup + 1)
    left = (total - done) / (total - warmup)
    return left if kind == "linear" else 0.5 * (1 - math.cos(math.pi * left))
