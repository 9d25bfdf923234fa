"""What a batch is made of: rows of token ids, or groups of them whose vectors the loss compares."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from luthier.schema import Int64

if TYPE_CHECKING:
    from luthier.models.encoding import Ragged


@dataclass(frozen=True, slots=True)
class Groups:
    """The N groups that the rows of a split are dealt out in."""

    starts: Int64
    """(N + 1,) int64, where the rows of each group begin, and where the last one ends."""
    lengths: Int64
    """(N,) int64, tokens of each group's longest row; where batches may be cut between groups, those of all its rows,
    padded to that."""

    def __len__(self) -> int:
        """Return N."""
        return len(self.lengths)

    @classmethod
    def of(cls, ragged: Ragged, task: ModuleType) -> Groups:
        """Return the rows one by one, or, where those of an example have one loss, all of them together."""
        if not groups(task) or ragged.owners is None:
            return cls(np.arange(len(ragged) + 1), ragged.lengths)
        starts = np.flatnonzero(np.diff(ragged.owners, prepend=-1))
        longest = np.maximum.reduceat(ragged.lengths, starts)
        sizes = np.diff(starts, append=len(ragged))
        return cls(np.append(starts, len(ragged)), longest if compares(task) else longest * sizes)

    def rows(self, groups: Int64) -> Int64:
        """Return the rows of B groups, group after group."""
        sizes = self.starts[groups + 1] - self.starts[groups]
        first = np.repeat(self.starts[groups] - np.cumsum(sizes) + sizes, sizes)
        return first + np.arange(sizes.sum())


def groups(task: ModuleType) -> bool:
    """Return whether the rows of an example have one loss together, so that batches are made of whole examples."""
    return compares(task) or bool(getattr(task, "GROUPED", False))


def compares(task: ModuleType) -> bool:
    """Return whether a task's loss compares all sequences of a batch, so that it cannot be computed in parts."""
    return bool(getattr(task, "TOGETHER", False))
