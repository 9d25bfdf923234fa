"""The layers of a BERT-like classifier over real tokens alone, for a GPU: all rows of a batch in one, no padding.

Products, norms and dropout see an (N, D) matrix of the batch's N tokens; attention is told where each row begins and
keeps to it. Behind the last layer's attention only first tokens go on, because that is all a classifier's head reads.
Where rows begin is known on the host before the batch is sent, so nothing waits for the GPU.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch

from luthier.models.architecture import Names, config_of, unsupported
from luthier.schema import Batch, Decision

Arguments = dict[str, npt.NDArray[Any] | int]
"""What a model is called with, while it is still arrays."""

WIDEST = 256
"""Width of a head that fused attention takes at most."""
_STARTS, _LONGEST = "row_starts", "longest"
"""Arguments that a packed batch has beside the model's own."""


@dataclass(frozen=True, slots=True)
class _Rows:
    """Where the rows of a packed batch stand."""

    starts: torch.Tensor
    """(B + 1,) int32: row b holds tokens ``starts[b]`` to ``starts[b + 1]``."""
    longest: int

    def firsts(self) -> _Rows:
        """Return the rows' first tokens, each a row of its own."""
        return _Rows(torch.arange(len(self.starts), dtype=torch.int32, device=self.starts.device), 1)


def padded(batch: Batch) -> Arguments:
    """Return the model's arguments for a batch as it is: (B, T) int64 ids and mask, and segments where it has them."""
    found: Arguments = {"input_ids": batch.ids, "attention_mask": batch.mask.astype(np.int64)}
    return found if batch.type_ids is None else {**found, "token_type_ids": batch.type_ids}


@contextmanager
def packed_layers(model: Any, precision: str) -> Iterator[tuple[Decision, PackedLayers | None]]:
    """Compute a model's layers over packed rows within the block, where that gives the same but for rounding."""
    why = _obstacle(model, precision)
    if why is not None:
        yield Decision("padded rows", why), None
        return
    layers = PackedLayers(model)
    hook = model.register_forward_pre_hook(layers.take_rows, with_kwargs=True)
    layers.encoder.forward = layers.encode
    try:
        yield Decision("packed rows", "no padding is computed, and attention keeps to each row"), layers
    finally:
        hook.remove()
        del layers.encoder.forward  # its class has its own


def _obstacle(model: Any, precision: str) -> str | None:
    """Return why rows cannot be packed; ``None`` when they can."""
    config = config_of(model)
    why = unsupported(config)
    if why is not None:
        return why
    width = int(config["hidden_size"]) // int(config["num_attention_heads"])
    if precision != "bf16":
        return "attention over packed rows needs bf16"
    if width % 8 or width > WIDEST:
        return f"attention over packed rows takes heads of a multiple of 8 up to {WIDEST}, these have {width}"
    if config.get("attention_probs_dropout_prob", 0.0) > 0:
        return "attention weights are dropped (model.attention_dropout)"
    try:
        import torch.nn.attention.varlen  # noqa: F401 - only whether it is there
    except ImportError:
        return f"torch {torch.__version__} has no attention over packed rows; 2.10 has"
    return None


class PackedLayers:
    """Packs batches, and computes the layers for them in place of the model's own code."""

    def __init__(self, model: Any) -> None:
        config = config_of(model)
        self.encoder = model.base_model.encoder
        self._heads = int(config["num_attention_heads"])
        self._skipped = Names.of(config).skipped_positions
        self._plain = self.encoder.forward
        self._rows: _Rows | None = None
        """Of the batch that the model was called with, until its layers are computed."""

    def arrange(self, batch: Batch) -> Arguments:
        """Return the model's arguments for a batch: (1, N) ids, positions and segments, and where rows begin."""
        real = batch.mask
        starts = np.concatenate(([0], np.cumsum(real.sum(1))))
        columns = np.nonzero(real)[1]
        found: Arguments = {"input_ids": batch.ids[real][None], "position_ids": columns[None] + self._skipped,
                            _STARTS: starts.astype(np.int32), _LONGEST: int(np.diff(starts).max())}
        return found if batch.type_ids is None else {**found, "token_type_ids": batch.type_ids[real][None]}

    def take_rows(self, _model: Any, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Keep where rows begin, which the model's own code knows nothing of."""
        starts, longest = kwargs.get(_STARTS), kwargs.get(_LONGEST)
        self._rows = None if starts is None or longest is None else _Rows(starts, longest)
        return args, {name: value for name, value in kwargs.items() if name not in (_STARTS, _LONGEST)}

    def encode(self, hidden_states: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        """Compute the layers for (1, N, D) and return (B, 1, D), the first tokens; padded rows go the plain way."""
        from transformers.modeling_outputs import BaseModelOutputWithPastAndCrossAttentions

        rows, self._rows = self._rows, None
        if rows is None:
            return self._plain(hidden_states, *args, **kwargs)
        states, (*lower, last) = hidden_states[0], self.encoder.layer
        for layer in lower:
            states = self._layer(layer, states, states, rows, rows)
        first = states.index_select(0, rows.starts[:-1])  # (B, D)
        states = self._layer(last, states, first, rows, rows.firsts())
        return BaseModelOutputWithPastAndCrossAttentions(last_hidden_state=states[:, None])

    def _layer(self, layer: Any, states: torch.Tensor, asking: torch.Tensor, rows: _Rows, queries: _Rows,
               ) -> torch.Tensor:
        """Return what a layer gives for the tokens ``asking`` (Q, D), which attend to ``states`` (N, D)."""
        own = layer.attention.self
        query, key, value = (part(given).unflatten(-1, (self._heads, -1))  # (Q or N, H, D / H)
                             for part, given in ((own.query, asking), (own.key, states), (own.value, states)))
        attended = layer.attention.output(attend(query, key, value, queries, rows).flatten(1), asking)
        found: torch.Tensor = layer.output(layer.intermediate(attended), attended)
        return found


def attend(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, queries: _Rows, keys: _Rows) -> torch.Tensor:
    """Mix values row by row: (Q, H, E) queries, (N, H, E) keys and values -> (Q, H, E)."""
    if query.device.type == "cpu":
        return attend_by_row(query, key, value, queries, keys)
    from torch.nn.attention.varlen import varlen_attn

    found = varlen_attn(query, key, value, queries.starts, keys.starts, queries.longest, keys.longest)
    return cast(torch.Tensor, found)  # a pair only where more is asked for


def attend_by_row(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, queries: _Rows, keys: _Rows,
                  ) -> torch.Tensor:
    """Do the same one row after the other: what the fused one is compared with, and what runs on a CPU."""
    from torch.nn.functional import scaled_dot_product_attention

    asked, told = (torch.diff(rows.starts).tolist() for rows in (queries, keys))
    by_head = (torch.split(part.transpose(0, 1), sizes, 1)  # (H, Q or N, E), cut into rows
               for part, sizes in ((query, asked), (key, told), (value, told)))
    return torch.cat([scaled_dot_product_attention(*row) for row in zip(*by_head, strict=True)], 1).transpose(0, 1)
