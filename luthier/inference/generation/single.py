"""One text for each row: the likeliest token each time, or a drawn one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from luthier.inference.generation.ending import Ending, Room
from luthier.inference.generation.rules import Rules, draw
from luthier.inference.generation.steps import Steps
from luthier.inference.generation.values import Written
from luthier.recipe import Decoding

_BLOCK = 64
"""Places added when there are none left: rows that may become long mostly end early."""


def write(steps: Steps, rules: Rules, ending: Ending, room: Room, rows: Sequence[int]) -> list[Written]:
    """Write each row until it ends; rows that have ended leave the batch.

    Args:
        steps: the model with B prompts.
        rules: what may be written.
        ending: when a text ends.
        room: how long each row may go on.
        rows: B numbers that decide the draws of each row.
    """
    device, prompt, size = steps.prompts.device, steps.prompts.shape[1], len(rows)
    written, real, draws = steps.prompts, steps.real, _Draws.of(rules.decoding, rows)
    sums, counts = torch.zeros(size, device=device), torch.zeros(size, dtype=torch.long, device=device)
    alive, logits = torch.arange(size, device=device), steps.first()
    for count in range(int(room.most.max())):
        end = prompt + count
        if end == written.shape[1]:
            written = torch.nn.functional.pad(written, (0, _BLOCK))
            real = None if real is None else torch.nn.functional.pad(real, (0, _BLOCK), value=True)
        scores = rules.apply(logits, written[alive, :end], None if real is None else real[alive, :end], count)
        tokens = scores.argmax(1) if draws is None else draw(scores, rules.decoding, draws.at(count, alive))
        written[alive, end] = tokens
        sums[alive] += logits.gather(1, tokens[:, None])[:, 0] - logits.logsumexp(dim=1)
        counts[alive] += 1
        going = ~ending.ended(written[alive, prompt:end + 1]) & ~room.full(alive, count + 1)
        kept = going.nonzero()[:, 0]
        if not len(kept):
            break
        logits = steps.next(tokens[kept], kept if len(kept) < len(alive) else None)
        alive = alive[kept]
    return [ending.result(row[:length], total / length) for row, length, total in
            zip(written[:, prompt:].tolist(), counts.tolist(), sums.tolist(), strict=True)]


@dataclass(slots=True)
class _Draws:
    """Numbers in [0, 1): each row's own, whatever else is in the batch."""

    sources: list[np.random.Generator]
    """B."""
    block: torch.Tensor
    """(B, 64) float64, of the steps under way."""

    @classmethod
    def of(cls, decoding: Decoding, rows: Sequence[int]) -> _Draws | None:
        """Return those of B rows, or ``None`` where nothing is drawn."""
        if not decoding.do_sample:
            return None
        return cls([np.random.default_rng((decoding.seed, row % 2**64)) for row in rows], torch.empty(0))

    def at(self, count: int, alive: torch.Tensor) -> torch.Tensor:
        """Return (R,) float64, the numbers of a step for the rows that go on; steps are asked for one by one."""
        if count % _BLOCK == 0:
            self.block = torch.from_numpy(np.stack([source.random(_BLOCK) for source in self.sources])).to(alive.device)
        return self.block[alive, count % _BLOCK]
