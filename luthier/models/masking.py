"""Which tokens of a text are hidden, and what stands in their place.

Of the words that are drawn, four in five become the mask token, one in ten another token, and one in ten stays as it is
(Devlin et al., "BERT", 2019); they are drawn anew in each epoch (Liu et al., "RoBERTa", 2019).
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np

from luthier.schema import Int64

UNASKED = -100
"""Stands where a token is not hidden; the same number as in targets of tokens."""
SPECIAL = -1
"""The word of a special token, which is never hidden."""


@dataclass(frozen=True, slots=True)
class Hidden:
    """A row of tokens with some of them hidden."""

    ids: Int64
    """(T,) what the model is given."""
    wanted: Int64
    """(T,) what stood at the hidden places, else ``UNASKED``."""


@dataclass(frozen=True, slots=True)
class Masking:
    """How tokens are hidden."""

    probability: float
    """Share of the words that are hidden."""
    mask: int
    """Id of the mask token."""
    others: Int64
    """Ids that may stand in a token's place: all but special ones."""
    special: tuple[int, ...] = ()
    """Ids of special tokens, which are not hidden where a text gives them, either: one that is unknown stands for every
    rare word, and telling it is no knowledge of any."""

    def drawn(self, ids: Int64, words: Int64, seed: Sequence[int]) -> Hidden:
        """Hide words of a row: each with the same probability, and one at least where there are any.

        Args:
            ids: (T,) int64.
            words: (T,) int64, the number of each token's word, ``SPECIAL`` at special ones.
            seed: of the draw, whole numbers of 0 or more.
        """
        random = np.random.default_rng(seed)
        words = np.where(np.isin(ids, self.special), SPECIAL, words)
        distinct = np.unique(words[words != SPECIAL])
        if not len(distinct):
            return Hidden(ids, np.full_like(ids, UNASKED))
        chosen = random.random(len(distinct)) < self.probability
        if not chosen.any():
            chosen[random.integers(len(distinct))] = True
        hidden = np.isin(words, distinct[chosen])
        fate = random.random(len(ids))
        other = self.others[random.integers(len(self.others), size=len(ids))]
        given = np.where(fate < 0.8, self.mask, np.where(fate < 0.9, other, ids))
        return Hidden(np.where(hidden, given, ids), np.where(hidden, ids, UNASKED))

    def fixed(self, ids: Int64, words: Int64) -> Hidden:
        """Hide words as the row itself decides: the same ones whenever and beside whatever it is asked.

        Args:
            ids: (T,) int64, token ids.
            words: (T,) int64, the word that each belongs to.
        """
        return self.drawn(ids, words, [zlib.crc32(np.asarray(ids, np.int64).tobytes())])


class HiddenRows(Sequence[Int64]):
    """The targets of N rows whose tokens are hidden, other ones in each epoch; as a sequence, N arrays (T,)."""

    def __init__(self, masking: Masking, ids: Sequence[Sequence[int]], words: Sequence[Int64], *,
                 seed: int | None) -> None:
        self._masking, self._ids, self._words, self._seed = masking, ids, words, seed
        self._epoch = 0

    def turn(self, epoch: int) -> None:
        """Hide other tokens from now on: those of that epoch."""
        self._epoch = epoch

    def hidden(self, row: int) -> Hidden:
        """Return a row as the model is given it in this epoch; always the same where no seed was given."""
        ids = np.asarray(self._ids[row], np.int64)
        if self._seed is None:
            return self._masking.fixed(ids, self._words[row])
        return self._masking.drawn(ids, self._words[row], [self._seed, self._epoch, row])

    def __len__(self) -> int:
        """Return N."""
        return len(self._ids)

    @overload
    def __getitem__(self, row: int) -> Int64: ...

    @overload
    def __getitem__(self, row: slice) -> Sequence[Int64]: ...

    def __getitem__(self, row: int | slice) -> Int64 | Sequence[Int64]:
        """Return the targets of a row, or of several."""
        if isinstance(row, slice):
            return [self.hidden(one).wanted for one in range(*row.indices(len(self)))]
        return self.hidden(int(row)).wanted
