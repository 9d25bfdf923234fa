"""What a batch is made of: rows of token ids, or groups of them: windows of a text, or texts that the loss compares."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from luthier.schema import Float32, Int64
from luthier.tasks import Pooling, pooled_tensor, pools, shares

if TYPE_CHECKING:
    import torch

    from luthier.models.encoding import Ragged


@dataclass(frozen=True, slots=True)
class Groups:
    """The N groups that the rows of a split are dealt out in."""

    starts: Int64
    """(N + 1,) int64, where the rows of each group begin, and where the last one ends."""
    lengths: Int64
    """(N,) int64, tokens of each group's longest row; where batches may be cut between groups, those of all its rows,
    padded to that."""
    share: Float32 | None = None
    """Of each row in its text's mean, where windows are pooled; ``None`` where nothing is."""

    def __len__(self) -> int:
        """Return N."""
        return len(self.lengths)

    @classmethod
    def of(cls, ragged: Ragged, task: ModuleType) -> Groups:
        """Return the rows one by one, or, where those of an example have one loss, all of them together."""
        alone = cls(np.arange(len(ragged) + 1), ragged.lengths)
        if not (groups(task) or pools(task)) or ragged.owners is None:
            return alone
        starts = np.flatnonzero(np.diff(ragged.owners, prepend=-1))
        if pools(task) and len(starts) == len(ragged):  # every text in one window
            return alone
        longest, ends = np.maximum.reduceat(ragged.lengths, starts), np.append(starts, len(ragged))
        lengths = longest if compares(task) else longest * np.diff(ends)
        return cls(ends, lengths, shares(ragged) if pools(task) else None)

    def rows(self, groups: Int64) -> Int64:
        """Return the rows of B groups, group after group."""
        sizes = self.starts[groups + 1] - self.starts[groups]
        first = np.repeat(self.starts[groups] - np.cumsum(sizes) + sizes, sizes)
        return first + np.arange(sizes.sum())

    def pooled(self, logits: torch.Tensor, groups: Int64, how: Pooling) -> torch.Tensor:
        """Return the logits of B groups, (B, C), from those of their rows; as they are where nothing is pooled."""
        if self.share is None:
            return logits
        return pooled_tensor(logits, self.starts[groups + 1] - self.starts[groups], self.share[self.rows(groups)], how)


def groups(task: ModuleType) -> bool:
    """Return whether the rows of an example have one loss together, so that batches are made of whole examples."""
    return compares(task) or bool(getattr(task, "GROUPED", False))


def compares(task: ModuleType) -> bool:
    """Return whether a task's loss compares all sequences of a batch, so that it cannot be computed in parts."""
    return bool(getattr(task, "TOGETHER", False))
