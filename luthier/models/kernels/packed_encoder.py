"""The layers of a BERT-like classifier over packed rows.

Products, norms and dropout see an (N, D) matrix of the batch's N tokens; attention is told where each row begins and
keeps to it. Behind the last layer's attention only first tokens go on, because that is all a classifier's head reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from luthier.models.architecture import Names, every_token, unsupported
from luthier.models.kernels.varlen import Rows, attend, missing


def obstacle(_model: Any, config: Mapping[str, Any]) -> str | None:
    """Return why an encoder's rows cannot be packed; ``None`` when they can."""
    why = unsupported(config)
    if why is not None:
        return why
    if every_token(config):
        return "what it gives is made of every token"
    if config.get("attention_probs_dropout_prob", 0.0) > 0:
        return "attention weights are dropped (model.attention_dropout)"
    return missing(int(config["hidden_size"]) // int(config["num_attention_heads"]))


@contextmanager
def installed(model: Any, config: Mapping[str, Any]) -> Iterator[PackedEncoder]:
    """Compute a model's layers here within the block, where rows are packed."""
    layers = PackedEncoder(model, config)
    layers.encoder.forward = layers.encode
    try:
        yield layers
    finally:
        del layers.encoder.forward  # its class has its own


class PackedEncoder:
    """Computes the layers in place of the model's own code."""

    def __init__(self, model: Any, config: Mapping[str, Any]) -> None:
        self.encoder = model.base_model.encoder
        self.first_position = Names.of(config).skipped_positions
        self._heads = int(config["num_attention_heads"])
        self._model, self._forward = model, model.forward
        self._plain = self.encoder.forward
        self._rows: Rows | None = None
        """Of the batch that is being computed."""

    def compute(self, given: dict[str, Any], rows: Rows) -> Any:
        """Return what the model gives for a packed batch; its own code knows nothing of rows."""
        self._rows = rows
        try:
            return self._forward(**given)
        finally:
            self._rows = None

    def encode(self, hidden_states: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        """Compute the layers for (1, N, D) and return (B, 1, D), the first tokens; padded rows go the plain way."""
        from transformers.modeling_outputs import BaseModelOutputWithPastAndCrossAttentions

        rows = self._rows
        if rows is None:
            return self._plain(hidden_states, *args, **kwargs)
        states, (*lower, last) = hidden_states[0], self.encoder.layer
        for layer in lower:
            states = self._layer(layer, states, states, rows, rows)
        first = states.index_select(0, rows.starts[:-1])  # (B, D)
        states = self._layer(last, states, first, rows, rows.firsts())
        return BaseModelOutputWithPastAndCrossAttentions(last_hidden_state=states[:, None])

    def _layer(self, layer: Any, states: torch.Tensor, asking: torch.Tensor, rows: Rows, queries: Rows,
               ) -> torch.Tensor:
        """Return what a layer gives for the tokens ``asking`` (Q, D), which attend to ``states`` (N, D)."""
        own = layer.attention.self
        query, key, value = (part(given).unflatten(-1, (self._heads, -1))  # (Q or N, H, D / H)
                             for part, given in ((own.query, asking), (own.key, states), (own.value, states)))
        attended = layer.attention.output(attend(query, key, value, queries, rows).flatten(1), asking)
        found: torch.Tensor = layer.output(layer.intermediate(attended), attended)
        return found
