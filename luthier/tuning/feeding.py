"""Batches on their way into the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from luthier.models.masked import WANTED
from luthier.models.masking import HiddenRows
from luthier.models.outputs import shifted
from luthier.schema import Batch, Decision, Int64
from luthier.tasks import TokenTargets
from luthier.tuning.events import Events
from luthier.tuning.frozen import FrozenFeed, frozen_layers_of
from luthier.tuning.job import Job

if TYPE_CHECKING:
    import torch

    from luthier.models.encoding import Encoder, Ragged
    from luthier.models.kernels import Installed
    from luthier.models.kernels.packed import Arguments


class Feed(Protocol):
    """How rows of a run become what the model is called with."""

    def inputs(self, ragged: Ragged, rows: Int64) -> dict[str, torch.Tensor | int]:
        """Return the model's arguments for B rows of a split, on the device."""


@dataclass(frozen=True, slots=True)
class TokenFeed:
    """Gives the model token ids."""

    device: str
    encoder: Encoder
    renumber: Callable[[Int64], Int64]
    """From token ids to rows of the word table in use, (B, T) -> (B, T)."""
    arrange: Callable[[Batch], Arguments]
    """From (B, T) arrays to the model's arguments, padded or packed."""

    def inputs(self, ragged: Ragged, rows: Int64) -> dict[str, torch.Tensor | int]:
        """Return the model's arguments for B rows of a split, on the device."""
        batch = self.encoder.collate(ragged, rows)
        arranged = self.arrange(replace(batch, ids=self.renumber(batch.ids)))
        return {name: value if isinstance(value, int) else send(value, self.device)
                for name, value in arranged.items()}


@dataclass(frozen=True, slots=True)
class WritingFeed:
    """Gives an encoder-decoder token ids, and for each token that it shall write the right ones before it."""

    rows: TokenFeed
    targets: Mapping[int, TokenTargets]
    """``id`` of a split's rows -> what shall be written for them."""
    start: int
    """Token that stands before the first."""
    pad: int

    def inputs(self, ragged: Ragged, rows: Int64) -> dict[str, torch.Tensor | int]:
        """Return the model's arguments for B rows of a split, on the device; ``decoder_input_ids`` is (B, T) int64."""
        before = shifted(self.targets[id(ragged)][rows], self.start, self.pad)
        return {**self.rows.inputs(ragged, rows), "decoder_input_ids": send(before, self.rows.device)}


@dataclass(frozen=True, slots=True)
class HidingFeed:
    """Gives an encoder tokens of which some are hidden, and asks it for those."""

    rows: TokenFeed
    hidden: Mapping[int, HiddenRows]
    """``id`` of a split's rows -> what is hidden in them."""

    def inputs(self, ragged: Ragged, rows: Int64) -> dict[str, torch.Tensor | int]:
        """Return the model's arguments for B rows of a split, on the device; ``wanted`` is (B, T) bool."""
        drawn = [self.hidden[id(ragged)].hidden(row) for row in rows.tolist()]
        given = replace(ragged, ids=[one.ids.tolist() for one in drawn], truncated=ragged.truncated[rows])
        arguments = self.rows.inputs(given, np.arange(len(rows)))
        wanted = np.zeros((len(rows), max(len(one.wanted) for one in drawn)), np.bool_)
        for place, one in enumerate(drawn):
            wanted[place, : len(one.wanted)] = one.wanted >= 0
        return {**arguments, WANTED: send(wanted, self.rows.device)}


def make_feed(job: Job, events: Events, parts: Installed, decisions: Mapping[str, Decision],
              renumber: Callable[[Int64], Int64]) -> tuple[Feed, dict[str, Decision]]:
    """Return what feeds a run's model, and what was decided about it; frozen layers are computed here."""
    if not parts.skipped:
        feed = TokenFeed(decisions["device"].value, job.encoder, renumber, parts.arrange)
        hidden = _hidden(job)
        if hidden:
            return HidingFeed(feed, hidden), {}
        return (_writing(job, feed) if job.train.writes else feed), {}
    events.emit("note", text=f"{parts.skipped} layers do not train: what they give is computed once for each text")
    layers = frozen_layers_of(job.model, parts.skipped, decisions["precision"].value, job.encoder, parts.workers)
    frozen = FrozenFeed.open(layers, (job.train.ragged, job.valid.ragged))
    return frozen, {"frozen_layers": frozen.decision}


def turn(job: Job, epoch: int) -> None:
    """Hide other tokens of the train rows from now on, where some are hidden."""
    targets = job.train.targets
    if isinstance(targets, TokenTargets) and isinstance(targets.rows, HiddenRows):
        targets.rows.turn(epoch)


def _hidden(job: Job) -> dict[int, HiddenRows]:
    """Return what is hidden in the rows of each split, by the ``id`` of these."""
    return {id(split.ragged): split.targets.rows for split in (job.train, job.valid)
            if isinstance(split.targets, TokenTargets) and isinstance(split.targets.rows, HiddenRows)}


def _writing(job: Job, feed: TokenFeed) -> WritingFeed:
    from luthier.models.seq2seq import target_tokens

    tokens = target_tokens(job.model.config, type(job.model).__name__)
    splits = {id(split.ragged): split.targets for split in (job.train, job.valid)
              if isinstance(split.targets, TokenTargets)}
    return WritingFeed(feed, splits, tokens.start, tokens.pad)


def laid_out(targets: npt.NDArray[Any], logits: torch.Tensor, lengths: Int64) -> npt.NDArray[Any]:
    """Return targets as the logits stand: as they are, or (1, N) where rows of tokens were packed into one.

    Args:
        targets: of B rows; (B, T) where tokens have them, padded on the right.
        logits: as the model gave them.
        lengths: (B,) tokens of each row.
    """
    if logits.ndim < 3 or len(logits) == len(targets):
        return targets
    return targets[np.arange(targets.shape[1]) < lengths[:, None]][None]


def in_rows(found: torch.Tensor, lengths: Int64) -> torch.Tensor:
    """Return what stands in one packed row, (1, N, K), as B rows, (B, T, K); what stands in rows as it is."""
    import torch

    if found.shape[0] == len(lengths):
        return found
    return torch.nn.utils.rnn.pad_sequence(list(torch.split(found[0], lengths.tolist())), batch_first=True)


def send(array: npt.NDArray[Any], device: str) -> torch.Tensor:
    """Copy an array to a device without waiting for what the device has yet to do."""
    import torch

    tensor = torch.from_numpy(array)
    if device.partition(":")[0] == "cuda":  # from other memory the copy would wait
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)
