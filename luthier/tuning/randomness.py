"""Random numbers that follow from seed and step, so that a checkpoint needs no generator's state."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np


def step_seed(seed: int, step: int) -> int:
    """Return the seed of one step's dropout: spawned, so that neighbouring steps and seeds share nothing."""
    # One bit less than 64: torch takes signed numbers.
    return int(np.random.SeedSequence((seed, step)).generate_state(1, np.uint64)[0] >> np.uint64(1))


def seed_step(seed: int, step: int, device: str) -> None:
    """Seed what one step's dropout draws from."""
    import torch

    number = step_seed(seed, step)
    if device == "cpu":  # torch.manual_seed would spend a millisecond on other devices
        torch.default_generator.manual_seed(number)
    else:
        torch.manual_seed(number)


@contextmanager
def own_random_numbers() -> Iterator[None]:
    """Leave torch's random numbers, which the caller may depend on, as they were."""
    import torch

    with torch.random.fork_rng():
        yield
