"""One text for each row: the likeliest token each time, or a drawn one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from luthier.inference.generation.ending import Ending
from luthier.inference.generation.rules import Rules, draw
from luthier.inference.generation.steps import Steps
from luthier.inference.generation.values import Written


def write(steps: Steps, rules: Rules, ending: Ending, limits: torch.Tensor, rows: Sequence[int]) -> list[Written]:
    """Write each row until it ends; rows that have ended leave the batch.

    Args:
        steps: the model with B prompts.
        rules: what may be written.
        ending: when a text ends.
        limits: (B,) int64, most tokens of each row.
        rows: B numbers that decide the draws of each row.
    """
    device, prompt = limits.device, steps.prompts.shape[1]
    size, longest = len(limits), int(limits.max())
    written = torch.nn.functional.pad(steps.prompts, (0, longest))
    real = None if steps.real is None else torch.nn.functional.pad(steps.real, (0, longest), value=True)
    numbers = _numbers(rules.decoding.seed, rows, longest).to(device) if rules.decoding.do_sample else None
    sums, counts = torch.zeros(size, device=device), torch.zeros(size, dtype=torch.long, device=device)
    alive, logits = torch.arange(size, device=device), steps.first()
    for count in range(longest):
        end = prompt + count
        scores = rules.apply(logits, written[alive, :end], None if real is None else real[alive, :end], count)
        tokens = scores.argmax(1) if numbers is None else draw(scores, rules.decoding, numbers[alive, count])
        written[alive, end] = tokens
        sums[alive] += logits.gather(1, tokens[:, None])[:, 0] - logits.logsumexp(dim=1)
        counts[alive] += 1
        going = ~ending.ended(written[alive, prompt:end + 1]) & (count + 1 < limits[alive])
        kept = going.nonzero()[:, 0]
        if not len(kept):
            break
        logits = steps.next(tokens[kept], kept if len(kept) < len(alive) else None)
        alive = alive[kept]
    return [ending.result(row[:length], total / length) for row, length, total in
            zip(written[:, prompt:].tolist(), counts.tolist(), sums.tolist(), strict=True)]


def _numbers(seed: int, rows: Sequence[int], count: int) -> torch.Tensor:
    """Return (B, count) float64 in [0, 1): each row's own, whatever else is in the batch."""
    return torch.from_numpy(np.stack([np.random.default_rng((seed, row % 2**64)).random(count) for row in rows]))
