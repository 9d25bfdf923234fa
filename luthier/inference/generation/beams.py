"""Beam search: several texts of each row side by side, as transformers searches since its version 4.50.

Each step takes the likeliest continuations of a row's running texts. Those that end are set aside with their score, the
best others run on. A row ends when no running text is likely to beat what was set aside; nothing is decided by what
other rows do, so rows leave the batch one by one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from luthier.inference.generation.ending import Ending, Room
from luthier.inference.generation.rules import Rules
from luthier.inference.generation.steps import Steps
from luthier.inference.generation.values import Written
from luthier.recipe import Decoding

_NEVER = -1.0e9
"""Added to the log probability of what must not be chosen; finite, as in transformers."""


@dataclass(frozen=True, slots=True)
class _Beams:
    """R rows of N texts each, T tokens so far."""

    rows: torch.Tensor
    """(R,) int64, which row of the batch each is."""
    running: torch.Tensor
    """(R, N, T) int64, texts that go on."""
    sums: torch.Tensor
    """(R, N) float32, their log probabilities, best first."""
    ended: torch.Tensor
    """(R, N, T) int64, texts set aside; what lies behind their end means nothing."""
    scores: torch.Tensor
    """(R, N) float32, of those, best first."""
    lengths: torch.Tensor
    """(R, N) int64, of those; 0 where there is none yet."""

    def of(self, kept: torch.Tensor) -> _Beams:
        """Return some of the rows."""
        return _Beams(self.rows[kept], self.running[kept], self.sums[kept], self.ended[kept], self.scores[kept],
                      self.lengths[kept])


def search(steps: Steps, rules: Rules, ending: Ending, room: Room) -> list[Written]:
    """Write the best text of each row.

    Args:
        steps: the model with B prompts.
        rules: what may be written.
        ending: when a text ends.
        room: how long each row may go on.
    """
    decoding, limits = rules.decoding, room.most
    found: dict[int, Written] = {}
    beams, logits = _start(len(limits), decoding.num_beams, limits.device), steps.first()
    for count in range(1, int(limits.max()) + 1):
        continued, parents = _continue(beams, _log_probabilities(logits, steps, rules, beams), ending)
        full = room.full(beams.rows, count)
        stops = ending.ended(continued.running.flatten(0, 1)).view(continued.sums.shape) | full[:, None]
        beams = _set_aside(beams, continued, stops, count, decoding)
        parents, beams = _run_on(beams, continued, parents, stops)
        done = full | stops.all(dim=1) | _settled(beams, count, limits, decoding)
        found |= _results(beams.of(done.nonzero()[:, 0]), ending)
        kept = (~done).nonzero()[:, 0]
        if not len(kept):
            break
        # The prompts were read once for each row, the steps after that for each of its texts.
        width = len(logits) // len(done)
        origins = (parents.clamp(max=width - 1) + width * torch.arange(len(done), device=parents.device)[:, None])[kept]
        beams = beams.of(kept)
        logits = steps.next(beams.running[:, :, -1].flatten(), origins.flatten())
    return [found[row] for row in range(len(limits))]


def _start(rows: int, beams: int, device: torch.device) -> _Beams:
    empty = torch.zeros((rows, beams, 0), dtype=torch.long, device=device)
    low = torch.full((rows, beams), _NEVER, device=device)
    first = low.clone()
    first[:, 0] = 0  # all beams are alike yet: only the first goes on
    return _Beams(torch.arange(rows, device=device), empty, first, empty, low,
                  torch.zeros_like(low, dtype=torch.long))


def _log_probabilities(logits: torch.Tensor, steps: Steps, rules: Rules, beams: _Beams) -> torch.Tensor:
    """Return (R, N, V): of each running text, the log probability of each next token, after the rules."""
    rows, size, count = beams.running.shape
    if len(logits) == rows < rows * size:
        logits = logits.repeat_interleave(size, dim=0)
    owners = beams.rows.repeat_interleave(size)
    history = torch.cat([steps.prompts[owners], beams.running.flatten(0, 1)], dim=1)
    real = None if steps.real is None else torch.nn.functional.pad(steps.real[owners], (0, count), value=True)
    return rules.apply(logits.log_softmax(dim=1), history, real, count).view(rows, size, -1)


def _continue(beams: _Beams, following: torch.Tensor, ending: Ending) -> tuple[_Beams, torch.Tensor]:
    """Return the likeliest continuations, best first, as running texts, and which text each continues, (R, K).

    There are so many that enough go on, whatever number of them ends.
    """
    rows, size, vocabulary = following.shape
    wanted = max(2, 1 + len(ending.marks.eos)) * size
    sums, places = (following + beams.sums[..., None]).view(rows, -1).topk(wanted, dim=1)
    parents, tokens = places // vocabulary, places % vocabulary
    texts = torch.cat([_taken(beams.running, parents), tokens[..., None]], dim=2)
    return replace(beams, running=texts, sums=sums), parents


def _set_aside(beams: _Beams, continued: _Beams, stops: torch.Tensor, count: int, decoding: Decoding) -> _Beams:
    """Return the beams with the best of the texts set aside so far and of those that end now."""
    size = decoding.num_beams
    ends = stops.clone()
    ends[:, size:] = False  # the others are there to run on only
    scores = continued.sums / count**decoding.length_penalty + ~ends * _NEVER
    if decoding.early_stopping is True:
        scores = scores + (beams.lengths > 0).all(dim=1, keepdim=True) * _NEVER
    texts = torch.cat([torch.nn.functional.pad(beams.ended, (0, 1)), continued.running], dim=1)
    lengths = torch.cat([beams.lengths, ends * count], dim=1)
    best, places = torch.cat([beams.scores, scores], dim=1).topk(size, dim=1)
    return replace(beams, ended=_taken(texts, places), scores=best, lengths=lengths.gather(1, places))


def _run_on(beams: _Beams, continued: _Beams, parents: torch.Tensor, stops: torch.Tensor,
            ) -> tuple[torch.Tensor, _Beams]:
    """Return which text each running one continues, (R, N), and the beams with the best texts that go on."""
    sums, places = (continued.sums + stops * _NEVER).topk(beams.sums.shape[1], dim=1)
    return parents.gather(1, places), replace(beams, running=_taken(continued.running, places), sums=sums)


def _settled(beams: _Beams, count: int, limits: torch.Tensor, decoding: Decoding) -> torch.Tensor:
    """Return (R,) bool: whether no running text is likely to beat the worst of those set aside."""
    full = (beams.lengths > 0).all(dim=1)
    if decoding.early_stopping is True:
        return full
    length = torch.full_like(limits[beams.rows], count)
    if decoding.early_stopping == "never" and decoding.length_penalty > 0:
        length = limits[beams.rows]
    return full & (beams.sums[:, 0] / length**decoding.length_penalty <= beams.scores[:, -1])


def _results(beams: _Beams, ending: Ending) -> dict[int, Written]:
    """Return the best text of each row that has ended."""
    return {row: ending.result(text[:length], score) for row, text, length, score in
            zip(beams.rows.tolist(), beams.ended[:, 0].tolist(), beams.lengths[:, 0].tolist(),
                beams.scores[:, 0].tolist(), strict=True)}


def _taken(texts: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """Return (R, K, T) of (R, N, T) at places (R, K)."""
    return texts.gather(1, places[..., None].expand(-1, -1, texts.shape[2]))
