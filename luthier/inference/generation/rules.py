"""What decoding does to a model's scores before a token is chosen: the rules and the warpers of transformers, batched.

A rule never sees padding, so a row is scored alike in any batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from luthier.inference.generation.values import Marks
from luthier.recipe import Decoding


@dataclass(frozen=True, slots=True)
class Rules:
    """What may be written next."""

    decoding: Decoding
    marks: Marks

    def apply(self, scores: torch.Tensor, history: torch.Tensor, real: torch.Tensor | None, written: int,
              ) -> torch.Tensor:
        """Return scores with what may not be written at minus infinity; the given ones are left as they are.

        Args:
            scores: (R, V) float32, logits or log probabilities.
            history: (R, T) int64, prompt and what was written.
            real: (R, T) bool, false where the history is padding; ``None`` where nothing is.
            written: tokens written so far.
        """
        decoding, barred = self.decoding, self.marks.never
        if written < decoding.min_new_tokens:
            barred = (*barred, *self.marks.eos)
        if decoding.repetition_penalty != 1:
            scores = penalise(scores, history, real, decoding.repetition_penalty)
        if decoding.no_repeat_ngram_size:
            scores = without_repeats(scores, history, real, decoding.no_repeat_ngram_size)
        if barred:
            scores = scores.index_fill(1, torch.tensor(barred, device=scores.device), -torch.inf)
        return scores


def penalise(scores: torch.Tensor, history: torch.Tensor, real: torch.Tensor | None, penalty: float) -> torch.Tensor:
    """Return scores with those of tokens already there divided by the penalty, or multiplied where negative.

    After Keskar et al., "CTRL" (2019), section 4.1, and transformers' way with negative scores. Shapes as in ``Rules``.
    """
    there = torch.zeros_like(scores, dtype=torch.bool)
    if real is None:
        there.scatter_(1, history, torch.ones_like(history, dtype=torch.bool))
    else:
        rows, columns = real.nonzero(as_tuple=True)
        there[rows, history[rows, columns]] = True
    return torch.where(there, torch.where(scores < 0, scores * penalty, scores / penalty), scores)


def without_repeats(scores: torch.Tensor, history: torch.Tensor, real: torch.Tensor | None, size: int) -> torch.Tensor:
    """Return scores with minus infinity for each token that would repeat a run of ``size`` tokens of the history.

    After Paulus et al., "A Deep Reinforced Model for Abstractive Summarization" (2017), section 2.5. Shapes as in
    ``Rules``.
    """
    if history.shape[1] < size:
        return scores
    runs = history.unfold(1, size, 1)  # (R, T - size + 1, size)
    end = history[:, history.shape[1] - (size - 1):]
    repeated = (runs[..., :-1] == end[:, None]).all(dim=-1)
    if real is not None:
        repeated &= real[:, :runs.shape[1]]  # padding stands on the left, so a run is real where its first token is
    rows, places = repeated.nonzero(as_tuple=True)
    scores = scores.clone()
    scores[rows, runs[rows, places, -1]] = -torch.inf
    return scores


def candidates(scores: torch.Tensor, decoding: Decoding) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the tokens that may be drawn, likeliest first, and their probabilities, which sum to 1.

    Temperature, then the ``top_k`` likeliest (Fan et al., 2018), then of these the fewest whose probabilities reach
    ``top_p`` together (Holtzman et al., 2020).

    Args:
        scores: (R, V) float32 logits.
        decoding: the three settings.

    Returns:
        Ids (R, K) int64 and probabilities (R, K) float64, 0 behind ``top_p``; K is ``top_k``, or V without one.
    """
    size = scores.shape[1]
    kept, ids = (scores / decoding.temperature).topk(min(decoding.top_k or size, size), dim=1)
    shares = kept.double().softmax(dim=1)
    before = shares.cumsum(dim=1) - shares
    shares = shares.masked_fill(before >= decoding.top_p, 0)
    return ids, shares / shares.sum(dim=1, keepdim=True)


def draw(scores: torch.Tensor, decoding: Decoding, numbers: torch.Tensor) -> torch.Tensor:
    """Return one drawn token for each row, (R,) int64.

    Args:
        scores: (R, V) float32 logits.
        decoding: temperature, ``top_k`` and ``top_p``.
        numbers: (R,) float64 in [0, 1), drawn evenly.
    """
    ids, shares = candidates(scores, decoding)
    below = (shares.cumsum(dim=1) <= numbers[:, None]).sum(dim=1, keepdim=True)
    # Sums of float64 may end a little below 1: the last token that has a share takes the rest.
    last = (shares > 0).sum(dim=1, keepdim=True) - 1
    return ids.gather(1, torch.minimum(below, last))[:, 0]
