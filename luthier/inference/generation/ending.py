"""When a text ends: an end token, a stop string, the most tokens allowed, or nobody waiting for it any more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from luthier.inference.generation.values import Marks, Stop, Written

TextOf = Callable[[Sequence[int]], str]


@dataclass(frozen=True, slots=True)
class Room:
    """How long rows may go on."""

    most: torch.Tensor
    """(B,) int64, most tokens of each row."""
    stop: Stop | None = None
    """Asked at each step of each row, by its place in the batch: whether to end it as it stands."""

    def full(self, rows: torch.Tensor, count: int) -> torch.Tensor:
        """Return which rows get no more, (R,) bool.

        Args:
            rows: (R,) int64, places in the batch.
            count: tokens that each has.
        """
        full = count >= self.most[rows]
        if self.stop is None:
            return full
        return full | torch.tensor([self.stop(row) for row in rows.tolist()], dtype=torch.bool, device=full.device)


@dataclass(frozen=True, slots=True)
class Ending:
    """Tells ended texts, and makes results of them."""

    marks: Marks
    stop_strings: tuple[str, ...]
    text_of: TextOf
    eos: torch.Tensor
    """The end tokens, on the model's device."""

    def ended(self, written: torch.Tensor) -> torch.Tensor:
        """Return which texts end with their last token, (R,) bool.

        Args:
            written: (R, T) int64, T at least 1.
        """
        ended = torch.isin(written[:, -1], self.eos)
        if self.stop_strings:
            spelt = [self._stopped(self.text_of(row)) for row in written.tolist()]
            ended = ended | torch.tensor(spelt, device=ended.device)
        return ended

    def result(self, written: Sequence[int], score: float) -> Written:
        """Return what was written: tokens up to the one that ended the text, or to the most allowed."""
        stopped = bool(written) and written[-1] in self.marks.eos
        ids = tuple(written[:-1] if stopped else written)
        text = self.text_of(ids)
        stopped = stopped or self._stopped(text)
        for stop in self.stop_strings:
            text = text.partition(stop)[0]
        if not stopped:  # with its last tokens a text may lose bytes of a character, of which tokenizers make U+FFFD
            text = text.rstrip("\ufffd")
        return Written(ids, text, score, "stop" if stopped else "length")

    def _stopped(self, text: str) -> bool:
        return any(stop in text for stop in self.stop_strings)
