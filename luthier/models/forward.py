"""The forward pass of BERT-like encoders and their heads written out: no transformers, no padding multiplied.

Tokens of all texts of a batch stand in one matrix; only attention lays them out as rows. Where texts are classified,
the last layer is computed for the first token alone, because that is all their head reads. docs/performance.md has what
each of these gains.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from luthier.models.architecture import GELU, Names
from luthier.schema import Batch

if TYPE_CHECKING:
    import torch

_TILE = 16
"""Rows of a bf16 tile: fused attention takes twice as long where the tokens of a row are no multiple of it."""


@dataclass(frozen=True)
class Linear:
    """A linear layer whose weight lies as the matrix product wants it."""

    weight: torch.Tensor
    """(out, in), packed by oneDNN where ``packed``."""
    bias: torch.Tensor
    """(out,)."""
    packed: bool

    @classmethod
    def of(cls, weight: torch.Tensor, bias: torch.Tensor, dtype: torch.dtype) -> Linear:
        """Pack an (out, in) weight."""
        import torch

        weight, bias = weight.to(dtype).contiguous(), bias.to(dtype)
        packed = _can_pack()
        return cls(torch.ops.mkldnn._reorder_linear_weight(weight, None) if packed else weight, bias, packed)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Map (N, in) to (N, out)."""
        import torch

        if self.packed:
            product: torch.Tensor = torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, "none", [], "")
            return product
        return torch.nn.functional.linear(x, self.weight, self.bias)

    def plus(self, x: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        """Map (N, in) to (N, out) and add (N, out) to it."""
        import torch

        if self.packed:
            total: torch.Tensor = torch.ops.mkldnn._linear_pointwise.binary(
                x, residual, self.weight, self.bias, "add")
            return total
        return self(x).add_(residual)

    def gelu(self, x: torch.Tensor, approximate: str) -> torch.Tensor:
        """Map (N, in) to (N, out) and apply GELU, exact (``none``) or by ``tanh``."""
        import torch

        if self.packed:
            activated: torch.Tensor = torch.ops.mkldnn._linear_pointwise(
                x, self.weight, self.bias, "gelu", [], approximate)
            return activated
        return torch.nn.functional.gelu(self(x), approximate=approximate)


@dataclass(frozen=True)
class Norm:
    """A layer normalisation over D."""

    weight: torch.Tensor
    bias: torch.Tensor
    epsilon: float

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Normalise (N, D)."""
        import torch

        return torch.nn.functional.layer_norm(x, self.bias.shape, self.weight, self.bias, self.epsilon)


@dataclass(frozen=True)
class Layer:
    """One layer; queries, keys and values come from one product."""

    mixed: Linear
    """(D, 3 D): queries, keys, values."""
    output: Linear
    norm: Norm
    up: Linear
    down: Linear
    last_norm: Norm


@dataclass(frozen=True)
class Places:
    """Where each of the N tokens of a batch stands in its (B, T) rows."""

    rows: int
    width: int
    """T, rounded up where attention is faster so."""
    spread: torch.Tensor | None
    """(B * T,) int64, which of the N tokens stands there, any where none does; ``None`` when all rows are full."""
    gather: torch.Tensor | None
    """(N,) int64, where in the B * T places each token stands; ``None`` when all rows are full."""
    first: torch.Tensor
    """(B,) int64, which of the N tokens is each row's first."""
    mask: torch.Tensor | None
    """(B, 1, 1, T), zero where a token is real and minus infinity elsewhere; ``None`` when all are."""


@dataclass(frozen=True)
class Forward:
    """A classifier ready to compute. Safe in several threads: nothing in it changes."""

    words: torch.Tensor
    """(V, D) float32, as it lies in the file: rows are read when they are needed."""
    positions: torch.Tensor
    """(P, D) float32, the first being that of a row's first token."""
    segments: torch.Tensor
    """(S, D) float32."""
    norm: Norm
    layers: tuple[Layer, ...]
    head: tuple[tuple[torch.Tensor, torch.Tensor], ...]
    """Weight and bias of the dense layer and of the outputs, or of the outputs of each token alone; float32. None where
    texts get vectors."""
    heads: int
    approximate: str
    dtype: torch.dtype

    @classmethod
    def of(cls, config: Mapping[str, Any], weights: Mapping[str, torch.Tensor], dtype: torch.dtype) -> Forward:
        """Arrange the weights of a classifier of a supported configuration.

        Args:
            config: ``config.json``.
            weights: names as transformers gives them -> tensors.
            dtype: of the layers; embeddings and head stay float32.

        Raises:
            KeyError: a weight is missing.
        """
        import torch

        names, epsilon = Names.of(config), float(config.get("layer_norm_eps", 1e-12))

        def norm(name: str, kind: torch.dtype) -> Norm:
            return Norm(weights[f"{name}.weight"].to(kind), weights[f"{name}.bias"].to(kind), epsilon)

        def linear(parts: Sequence[str]) -> Linear:
            weight, bias = (torch.cat([weights[f"{name}.{kind}"] for name in parts]) for kind in ("weight", "bias"))
            return Linear.of(weight, bias, dtype)

        def layer(number: int) -> Layer:
            parts = names.layer(number)
            return Layer(linear(parts["mixed"]), linear(parts["output"]), norm(parts["norm"][0], dtype),
                         linear(parts["up"]), linear(parts["down"]), norm(parts["last"][0], dtype))

        table = names.embeddings
        return cls(
            weights[f"{table}word_embeddings.weight"].float(),
            weights[f"{table}position_embeddings.weight"].float()[names.skipped_positions :],
            weights[f"{table}token_type_embeddings.weight"].float(), norm(f"{table}LayerNorm", torch.float32),
            tuple(layer(number) for number in range(config["num_hidden_layers"])),
            tuple((weights[f"{name}.weight"].float(), weights[f"{name}.bias"].float()) for name in names.head),
            int(config["num_attention_heads"]), GELU[config.get("hidden_act", "gelu")], dtype)

    def __call__(self, batch: Batch) -> torch.Tensor:
        """Return the logits of B texts, (B, C) float32, or of their tokens, (B, T, C), zero where there is none.

        Of a model without a head: the mean of each text's states, at length 1, (B, D).
        """
        import torch

        linear = torch.nn.functional.linear
        with torch.inference_mode():
            if not self.head:
                return self._means(batch)
            if len(self.head) == 1:
                found = linear(self.states(batch).float(), *self.head[0])  # (N, C)
                spread = found.new_zeros(*batch.mask.shape, found.shape[1])
                spread[torch.from_numpy(batch.mask)] = found
                return spread
            dense, out = self.head
            first = self.states(batch, only_first=True).float()  # (B, D)
            return linear(torch.tanh(linear(first, *dense)), *out)

    def states(self, batch: Batch, *, only_first: bool = False) -> torch.Tensor:
        """Return what the last layer gives: (N, D) for all real tokens, row after row, or (B, D) for first ones."""
        import torch

        with torch.inference_mode():
            places, x = self._places(batch), self._embed(batch)
            for layer in self.layers[:-1]:
                x = self._layer(layer, x, places, None)
            return self._layer(self.layers[-1], x, places, places.first if only_first else None)

    def _means(self, batch: Batch) -> torch.Tensor:
        """Return the mean of the states of each text's tokens, at length 1: (B, D) float32."""
        import torch

        lengths = torch.from_numpy(batch.mask.sum(1))
        states = self.states(batch).float()  # (N, D)
        means = torch.segment_reduce(states, "mean", lengths=lengths)
        return torch.nn.functional.normalize(means, dim=-1)

    def _places(self, batch: Batch) -> Places:
        import torch

        rows, width = batch.mask.shape
        if rows > 1 and self.dtype == torch.bfloat16:
            width = -(-width // _TILE) * _TILE
        lengths = batch.mask.sum(1)  # (B,)
        first = torch.from_numpy(np.cumsum(lengths) - lengths)
        if lengths.min(initial=width) == width:
            return Places(rows, width, None, None, first, None)
        real = np.arange(width) < lengths[:, None]  # (B, T)
        gather = np.flatnonzero(real)
        spread = np.zeros(real.size, np.int64)
        spread[gather] = np.arange(len(gather))
        mask = torch.zeros(rows, 1, 1, width, dtype=self.dtype)
        mask.masked_fill_(torch.from_numpy(~real)[:, None, None], float("-inf"))
        return Places(rows, width, torch.from_numpy(spread), torch.from_numpy(gather), first, mask)

    def _embed(self, batch: Batch) -> torch.Tensor:
        """Return the sum of each token's vectors, normalised, (N, D)."""
        import torch

        columns = torch.from_numpy(np.nonzero(batch.mask)[1])
        x = self.words.index_select(0, torch.from_numpy(batch.ids[batch.mask]))
        x += self.positions.index_select(0, columns)
        x += (self.segments[0] if batch.type_ids is None
              else self.segments.index_select(0, torch.from_numpy(batch.type_ids[batch.mask])))
        return self.norm(x).to(self.dtype)

    def _layer(self, layer: Layer, x: torch.Tensor, places: Places, only: torch.Tensor | None) -> torch.Tensor:
        """Return the layer's output for all N tokens, or for those in ``only`` (B,) alone."""
        attended = self._attend(layer.mixed(x), places, first=only is not None)
        x = layer.norm(layer.output.plus(attended, x if only is None else x.index_select(0, only)))
        return layer.last_norm(layer.down.plus(layer.up.gelu(x, self.approximate), x))

    def _attend(self, mixed: torch.Tensor, places: Places, *, first: bool) -> torch.Tensor:
        """Mix values by attention: (N, 3 D) to (N, D), or to (B, D) for the first tokens alone."""
        from torch.nn.functional import scaled_dot_product_attention

        padded = mixed if places.spread is None else mixed.index_select(0, places.spread)
        split = padded.view(places.rows, places.width, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        query, key, value = split.unbind(0)  # each (B, H, T, D / H)
        if first:
            query = query[:, :, :1]
        found = scaled_dot_product_attention(query, key, value, attn_mask=places.mask)
        found = found.transpose(1, 2).reshape(-1, mixed.shape[1] // 3)
        return found if first or places.gather is None else found.index_select(0, places.gather)


def _can_pack() -> bool:
    """Return whether this torch lays out weights for oneDNN, which only ``torch.compile`` offers by a public name."""
    import torch

    there: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return there and all(
        hasattr(torch.ops.mkldnn, name) for name in ("_reorder_linear_weight", "_linear_pointwise"))
