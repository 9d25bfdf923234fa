"""A model that reads on from where it is: what it has read is kept as keys and values, so each step feeds one token."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import torch

from luthier.inference.generation.cache import exchange, give_room
from luthier.inference.generation.values import Marks
from luthier.schema import Batch, Bool, Int64


class Steps:
    """The state of R texts under way; rows may be dropped, repeated and put in another order between steps."""

    def __init__(self, model: torch.nn.Module, prompts: torch.Tensor, real: torch.Tensor | None,
                 source: dict[str, torch.Tensor]) -> None:
        self._model = model
        self.prompts = prompts
        """(B, P) int64: what the decoder reads first, padded on the left."""
        self.real = real
        """(B, P) bool, true where a token of the prompts is none of padding; ``None`` where all are."""
        self._source = source
        self._mask = real
        self._lengths = prompts.new_full((len(prompts),), prompts.shape[1]) if real is None else real.sum(dim=1)
        self._owners = torch.arange(len(prompts), device=prompts.device)
        self._cache: Any = None
        self._accepts = frozenset(inspect.signature(type(model).forward).parameters)

    def first(self) -> torch.Tensor:
        """Read the prompts and return the logits of what follows, (B, V) float32."""
        positions = None
        if self._mask is not None:
            positions = (self._mask.cumsum(dim=1) - 1).clamp(min=0)
        return self._read(self.prompts, positions)

    def next(self, tokens: torch.Tensor, origins: torch.Tensor | None = None) -> torch.Tensor:
        """Read one more token of each row and return the logits of what follows, (R, V) float32.

        Args:
            tokens: (R,) int64.
            origins: (R,) int64, the row of the step before that each row goes on from; ``None`` for the same rows.
        """
        if origins is not None:
            self._select(origins)
        positions = self._lengths[:, None]
        self._lengths = self._lengths + 1
        if self._mask is not None:
            self._mask = torch.nn.functional.pad(self._mask, (0, 1), value=True)
        return self._read(tokens[:, None], positions)

    def _read(self, tokens: torch.Tensor, positions: torch.Tensor | None) -> torch.Tensor:
        inputs: dict[str, Any] = {"past_key_values": self._cache, "use_cache": True}
        if self._source:
            inputs |= _encoder_decoder_inputs(self._source, tokens)
        else:
            inputs |= {"input_ids": tokens, "attention_mask": None if self._mask is None else self._mask.long()}
            if "position_ids" in self._accepts and positions is not None:
                inputs["position_ids"] = positions
            if "logits_to_keep" in self._accepts:
                inputs["logits_to_keep"] = 1
        answer = self._model(**inputs)
        if self._cache is None:
            self._cache = give_room(answer.past_key_values)
        logits: torch.Tensor = answer.logits[:, -1]
        return logits.float()

    def _select(self, origins: torch.Tensor) -> None:
        owners = self._owners[origins]
        if torch.equal(owners, self._owners):  # beams of one text share its prompt, and what they read of an encoder's
            exchange(self._cache, origins, self.prompts.shape[1])
            return
        self._cache.reorder_cache(origins)
        self._owners = owners
        self._lengths = self._lengths[origins]
        self._mask = None if self._mask is None else self._mask[origins]
        self._source = {name: value[origins] for name, value in self._source.items()}


def _encoder_decoder_inputs(source: dict[str, torch.Tensor], tokens: torch.Tensor) -> dict[str, Any]:
    from transformers.modeling_outputs import BaseModelOutput

    return {"decoder_input_ids": tokens, "attention_mask": source.get("mask"),
            "encoder_outputs": BaseModelOutput(last_hidden_state=source["states"])}


def begin(model: torch.nn.Module, batch: Batch, marks: Marks) -> Steps:
    """Return the steps of a batch; an encoder reads its texts here, once.

    Args:
        model: of an encoder and a decoder, or of a decoder alone.
        batch: B texts, padded on the right.
        marks: begin what is written, in a decoder behind an encoder.
    """
    device = next(model.parameters()).device
    if not marks.start:
        prompts, real = _left(batch, marks.pad)
        mask = None if real.all() else torch.from_numpy(real).to(device)
        return Steps(model, torch.from_numpy(prompts).to(device), mask, {})
    ids = torch.from_numpy(batch.ids).to(device)
    source: dict[str, torch.Tensor] = {}
    if not batch.mask.all():
        source["mask"] = torch.from_numpy(batch.mask).to(device).long()
    encoder: Any = model
    states = encoder.get_encoder()(input_ids=ids, attention_mask=source.get("mask")).last_hidden_state
    starts = torch.tensor([marks.start] * len(ids), device=device)
    return Steps(model, starts, None, {**source, "states": states})


def _left(batch: Batch, pad: int) -> tuple[Int64, Bool]:
    """Return ids and mask padded on the left, so that every row's next token stands in one column."""
    lengths = batch.mask.sum(axis=1)
    width = int(lengths.max())
    real: Bool = np.arange(width) >= width - lengths[:, None]
    ids = np.full(real.shape, pad, np.int64)
    ids[real] = batch.ids[batch.mask]
    return ids, real
