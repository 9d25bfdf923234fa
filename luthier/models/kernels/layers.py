"""The layers of a BERT-like encoder computed by compiled code while they are tuned, where that is possible.

The model keeps its modules and weights; the encoder's ``forward`` is replaced for the length of a run. Gradients are
written into ``.grad`` as autograd would, so that the optimiser, clipping and checkpoints do not know the difference.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from luthier.errors import ModelError
from luthier.models.native import impossible, unfit
from luthier.models.native.build import library
from luthier.models.native.tuning import LayerWeights, Shape, TunedLayers
from luthier.schema import Decision, Int64


@contextmanager
def native_layers(model: Any, precision: str) -> Iterator[Decision]:
    """Compute a model's layers with compiled code within the block, where that gives the same but for rounding."""
    why = _obstacle(model, precision)
    if why is not None:
        yield Decision("torch", why)
        return
    owner = _Owner(model)
    owner.encoder.forward = owner.forward
    hook = model.register_forward_pre_hook(owner.remember_mask, with_kwargs=True)
    try:
        yield Decision("native", f"compiled here for AMX tiles; {owner.workers} workers with rows of their own")
    finally:
        hook.remove()
        del owner.encoder.forward  # the class has its own
        owner.close()


def _obstacle(model: Any, precision: str) -> str | None:
    """Return why compiled code cannot tune this model; ``None`` when it can."""
    if precision != "bf16":
        return "it runs in fp32"
    config = {**model.config.to_dict(), "architectures": [type(model).__name__]}
    why = impossible() or unfit(config)
    if why is not None:
        return why
    if config.get("attention_probs_dropout_prob", 0.0) > 0:
        return "attention weights are dropped (model.attention_dropout)"
    return _unusual(model) or _uncompiled()


def _uncompiled() -> str | None:
    """Return what the compiler said, if it failed: torch tunes the model then."""
    try:
        library()
    except ModelError as error:
        return error.problem
    return None


def _unusual(model: Any) -> str | None:
    """Return which of the layers' parts the code does not know."""
    for layer in model.base_model.encoder.layer:
        for module in _matrices(layer):
            if type(module) is not torch.nn.Linear:
                return f"its layers hold parts of type {type(module).__name__}"
        for weight in layer.parameters():
            if not weight.requires_grad or weight.dtype != torch.float32 or not weight.is_contiguous():
                return "some weights of the layers are frozen, or not in fp32"
    return None


def _matrices(layer: Any) -> list[Any]:
    own = layer.attention.self
    return [own.query, own.key, own.value, layer.attention.output.dense, layer.intermediate.dense, layer.output.dense]


class _Owner:
    """Knows the model, its compiled layers, and whether they hold the weights of now."""

    def __init__(self, model: Any) -> None:
        self.encoder = model.base_model.encoder
        self.dropout = float(model.config.hidden_dropout_prob)
        self.workers = torch.get_num_threads()
        self.modules = [_matrices(layer) for layer in self.encoder.layer]
        self.norms = [(layer.attention.output.LayerNorm, layer.output.LayerNorm) for layer in self.encoder.layer]
        self.parameters: list[torch.nn.Parameter] = [
            weight for modules, norms in zip(self.modules, self.norms, strict=True)
            for module in (*modules, *norms) for weight in (module.weight, module.bias)]
        self.gradients = [torch.zeros_like(weight) for weight in self.parameters]
        self.plain = self.encoder.forward
        self.shape = Shape(int(model.config.num_attention_heads), float(model.config.layer_norm_eps))
        self.layers: TunedLayers | None = None
        self.mask: torch.Tensor | None = None
        self.ticket = 0
        """Counts forward passes: only the last one can go backwards."""
        self._places: list[int] = []
        """Where the weights lay when the compiled layers took them."""
        self._packed: list[int] | None = None
        """Versions of the weights that are packed; ``None`` when they have moved since."""

    def remember_mask(self, _model: Any, _args: Any, kwargs: dict[str, Any]) -> None:
        """Keep the (B, T) mask that the model was called with; its layers only get what was made of it."""
        self.mask = kwargs.get("attention_mask")

    def forward(self, hidden_states: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        """Compute the layers for (B, T, D), in place of the encoder's own ``forward``."""
        from transformers.modeling_outputs import BaseModelOutputWithPastAndCrossAttentions

        lengths = self._lengths(hidden_states)
        if lengths is None:
            return self.plain(hidden_states, *args, **kwargs)
        # One parameter goes in, so that autograd goes back through the layers even above frozen embeddings.
        states = _Layers.apply(hidden_states, self.parameters[0], self, lengths)  # type: ignore[no-untyped-call]
        return BaseModelOutputWithPastAndCrossAttentions(last_hidden_state=states)

    def ready(self) -> TunedLayers:
        """Return the compiled layers with the weights of now."""
        places = [weight.data_ptr() for weight in self.parameters]
        if self.layers is None or places != self._places:
            self.close()
            self.layers = TunedLayers(self._weights(), self.shape, self.workers)
            self._places, self._packed = places, None
        # The fused AdamW moves weights without counting it; after a backward pass they are taken to have moved.
        versions = [weight._version for weight in self.parameters]
        if self._packed != versions:
            self.layers.pack()
            self._packed = versions
        return self.layers

    def forget(self) -> None:
        """Pack the weights again before they are used again: they are about to move."""
        self._packed = None

    def store(self, norms: Sequence[Any], before: Sequence[torch.Tensor | None]) -> None:
        """Hand the gradients over, adding what was there ``before`` from an earlier micro-batch."""
        each = len(self.parameters) // len(self.modules)
        for layer, found in enumerate(norms):
            for place, gradient in enumerate(found):
                self.gradients[layer * each + each - 4 + place].copy_(torch.from_numpy(gradient))
        for weight, gradient, earlier in zip(self.parameters, self.gradients, before, strict=True):
            weight.grad = gradient if earlier is None else gradient.add_(earlier)

    def close(self) -> None:
        """End the workers."""
        if self.layers is not None:
            self.layers.close()
            self.layers = None

    def _lengths(self, hidden_states: torch.Tensor) -> Int64 | None:
        """Return the tokens of each row, (B,) int64; ``None`` when padding does not stand on the right."""
        rows, width = hidden_states.shape[:2]
        if self.mask is None:
            return np.full(rows, width, np.int64)
        mask = self.mask.numpy() != 0
        lengths = mask.sum(1, dtype=np.int64)
        fits = mask.shape == (rows, width) and lengths.min() > 0 and bool(mask[np.arange(rows), lengths - 1].all())
        return lengths if fits else None

    def _weights(self) -> list[LayerWeights]:
        each = len(self.parameters) // len(self.modules)
        arrays = [weight.detach().numpy() for weight in self.parameters]
        grads = [gradient.numpy() for gradient in self.gradients]
        return [
            LayerWeights(arrays[start : start + each - 4 : 2], arrays[start + 1 : start + each - 4 : 2],
                         arrays[start + each - 4 : start + each], grads[start : start + each - 4 : 2],
                         grads[start + 1 : start + each - 4 : 2])
            for start in range(0, len(arrays), each)
        ]


class _Layers(torch.autograd.Function):
    """All layers as one node."""

    @staticmethod
    def forward(ctx: Any, hidden: torch.Tensor, _anchor: torch.Tensor, owner: _Owner, lengths: Int64) -> torch.Tensor:
        rows, width, depth = hidden.shape
        places = torch.from_numpy(np.flatnonzero(np.arange(width) < lengths[:, None]))  # (N,) of rows * width
        x = hidden.detach().reshape(-1, depth).index_select(0, places).float().numpy()
        dropout = owner.dropout if owner.encoder.training else 0.0
        # From torch's generator, so that a resumed run draws what an unbroken one does.
        seed = int(torch.randint(2**62, ())) if dropout else 0
        found = owner.ready().forward(x, lengths, seed, dropout=dropout)
        owner.ticket += 1
        ctx.owner, ctx.places, ctx.shape, ctx.ticket, ctx.kind = owner, places, hidden.shape, owner.ticket, hidden.dtype
        return _spread(found, places, hidden.shape)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:
        owner: _Owner = ctx.owner
        if ctx.ticket != owner.ticket or owner.layers is None:
            raise RuntimeError("only the last forward pass can go backwards: compute the batch again first")
        before = [None if weight.grad is None else weight.grad.clone() for weight in owner.parameters]
        given = gradient.reshape(-1, gradient.shape[-1]).index_select(0, ctx.places).float().numpy()
        found, norms = owner.layers.backward(given)
        owner.store(norms, before)
        owner.forget()
        return _spread(found, ctx.places, ctx.shape).to(ctx.kind), None, None, None


def _spread(found: Any, places: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """Put N tokens back to their places in (B, T, D) float32; zero elsewhere."""
    out = torch.zeros(shape[0] * shape[1], shape[2])
    return out.index_copy_(0, places, torch.from_numpy(found)).view(shape)
