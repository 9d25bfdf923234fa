"""Comparing speeds fairly on a noisy machine: sides take turns in one process, and the ratio of each round counts."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Side = Callable[[], float]
"""Does the work once and returns the seconds it took."""


@dataclass(frozen=True, slots=True)
class Compared:
    """What the rounds gave."""

    seconds: dict[str, list[float]]
    """Side -> seconds of each round."""

    def median(self, side: str) -> float:
        """Return a side's median, in seconds."""
        return statistics.median(self.seconds[side])

    def ratios(self, side: str, to: str) -> list[float]:
        """Return how many times faster ``side`` was than ``to``, round by round."""
        return [theirs / ours for ours, theirs in zip(self.seconds[side], self.seconds[to], strict=True)]

    def ratio(self, side: str, to: str) -> str:
        """Return the median ratio with the lowest and the highest."""
        found = self.ratios(side, to)
        return f"{statistics.median(found):.1f}x ({min(found):.1f} to {max(found):.1f})"


def take_turns(sides: Mapping[str, Side], rounds: int, tell: Callable[[str], None] = print) -> Compared:
    """Run each side once unmeasured, then ``rounds`` times in turn; every other round in reverse order.

    A neighbour on the machine so slows all sides of a round, and whoever runs second gains nothing from it.
    """
    for side in sides.values():
        side()
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds):
        for name in list(sides)[:: 1 if number % 2 == 0 else -1]:
            seconds[name].append(sides[name]())
        tell(f"  round {number + 1}: " + ", ".join(f"{name} {taken[-1]:.2f} s" for name, taken in seconds.items()))
    return Compared(seconds)
