"""When a text ends: an end token, a stop string, or the most tokens allowed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from luthier.inference.generation.values import Marks, Written

TextOf = Callable[[Sequence[int]], str]


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
        return Written(ids, text, score, "stop" if stopped else "length")

    def _stopped(self, text: str) -> bool:
        return any(stop in text for stop in self.stop_strings)
