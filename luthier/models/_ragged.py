"""Rows of token ids, each at its own length: what the encoder gives and what batches are made of."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from luthier.schema import Bool, Int64


@dataclass(frozen=True, slots=True)
class Ragged:
    """Token ids of N texts, each at its own length; or of W windows of them, where the encoder cuts windows."""

    ids: list[list[int]]
    """N (or W) lists of token ids, special ones included."""
    type_ids: list[list[int]] | None
    """N (or W) lists of segment ids, or ``None`` when the model has no use for them."""
    truncated: Bool
    """(N,) or (W,) bool, true where the text lost its end; a window says so of its pair's first text."""
    offsets: list[Int64] | None = None
    """N (or W) arrays (T, 2) int64, when asked for: start and end of each token in characters (code points) of the
    caller's own text, white space at either end left out. Start equals end where a token shows nothing of the text:
    (0, 0) at special tokens, the place it stands at for a token of white space."""
    sequence: list[Int64] | None = None
    """N (or W) arrays (T,) int64 beside the offsets: 0 at tokens of the text, or of the first of a pair, 1 at those
    of the second, -1 at special tokens."""
    owners: Int64 | None = None
    """(W,) int64, the number of the text that each window belongs to: never falls, names each text at least once.
    Where texts are compared, the number of the row that each sequence is of. ``None`` where each row is a text."""
    overlap: int = 0
    """Tokens that two neighbouring windows of a single text share."""
    fresh: Int64 | None = None
    """(W,) int64, tokens of each window that stand in none of the same text's before it; beside ``owners``."""

    def __len__(self) -> int:
        """Return N, or W."""
        return len(self.ids)

    @property
    def lengths(self) -> Int64:
        """Return (N,) or (W,) int64, tokens of each row."""
        return np.fromiter(map(len, self.ids), np.int64, len(self.ids))


def spread(ragged: Ragged, most: int) -> Ragged:
    """Return windows of which no text has more than ``most``: the first, the last and some evenly between them.

    What opens a text and what ends it tells most of what it is (Sun et al. 2019, "How to Fine-Tune BERT for Text
    Classification?", section 5.3.1).
    """
    if ragged.owners is None:
        return ragged
    counts = np.bincount(ragged.owners)
    if counts.max(initial=0) <= most:
        return ragged
    starts = np.cumsum(counts) - counts
    kept = np.concatenate([
        start + np.unique(np.linspace(0, count - 1, min(most, count)).round().astype(np.int64))
        for start, count in zip(starts.tolist(), counts.tolist(), strict=True)])

    parts: dict[str, Any] = {name: [value[place] for place in kept.tolist()]
                             for name in ("ids", "type_ids", "offsets", "sequence")
                             if (value := getattr(ragged, name)) is not None}
    return replace(ragged, **parts, truncated=ragged.truncated[kept], owners=ragged.owners[kept],
                   fresh=None if ragged.fresh is None else ragged.fresh[kept])


@dataclass(slots=True)
class Rows:
    """Rows of a ``Ragged`` in the making."""

    ids: list[list[int]] = field(default_factory=list)
    type_ids: list[list[int]] = field(default_factory=list)
    truncated: list[bool] = field(default_factory=list)
    offsets: list[Int64] = field(default_factory=list)
    sequence: list[Int64] = field(default_factory=list)
    owners: list[int] = field(default_factory=list)
    fresh: list[int] = field(default_factory=list)

    def ragged(self, *, paired: bool, offsets: bool, overlap: int | None) -> Ragged:
        """Return what was gathered, without the parts that nobody asked for."""
        return Ragged(self.ids, self.type_ids if paired else None, np.array(self.truncated, np.bool_),
                      self.offsets if offsets else None, self.sequence if offsets else None,
                      None if overlap is None else np.array(self.owners, np.int64), overlap or 0,
                      None if overlap is None else np.array(self.fresh, np.int64))
