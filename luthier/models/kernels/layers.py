"""A BERT-like encoder computed by compiled code while it is tuned, where that is possible.

The model keeps its modules and weights; the ``forward`` of its embeddings and of its encoder are replaced for the
length of a run. Gradients are handed over in ``.grad`` as autograd would, so that accumulation, clipping, any optimiser
and checkpoints do not know the difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from luthier.errors import ModelError
from luthier.models.architecture import Names, config_of
from luthier.models.native import impossible, unfit
from luthier.models.native.adamw import Packing
from luthier.models.native.build import library
from luthier.models.native.memory import together
from luthier.models.native.tuning import (
    MATRICES,
    EmbeddingWeights,
    Gradients,
    LayerWeights,
    Rows,
    Shape,
    TunedEncoder,
)
from luthier.schema import Decision, Int64


@contextmanager
def native_layers(model: Any, precision: str, skipped: int = 0) -> Iterator[tuple[Decision, NativeLayers | None]]:
    """Compute a model's encoder with compiled code within the block, where that gives the same but for rounding.

    Its first ``skipped`` layers are left out: their output is what the model is given.
    """
    why = _obstacle(model, precision, skipped)
    if why is not None:
        yield Decision("torch", why), None
        return
    workers = torch.get_num_threads()
    layers = NativeLayers(model, workers, skipped)
    hook = model.register_forward_pre_hook(layers.remember_mask, with_kwargs=True)
    layers.encoder.forward = layers.encode
    if not skipped:
        layers.embeddings.forward = layers.embed
    # What is left to torch is small, and its threads would wait for more of it, at full speed, on the workers' cores.
    torch.set_num_threads(1)
    try:
        yield Decision("native", f"compiled here for AMX tiles; {workers} workers with rows of their own"), layers
    finally:
        torch.set_num_threads(workers)
        hook.remove()
        del layers.encoder.forward  # its class has its own
        if not skipped:
            del layers.embeddings.forward


def _obstacle(model: Any, precision: str, skipped: int) -> str | None:
    """Return why compiled code cannot tune this model; ``None`` when it can."""
    if precision != "bf16":
        return "it runs in fp32"
    config = config_of(model)
    why = impossible() or unfit(config)
    if why is not None:
        return why
    if config.get("attention_probs_dropout_prob", 0.0) > 0:
        return "attention weights are dropped (model.attention_dropout)"
    layers = model.base_model.encoder.layer[skipped:]
    return _unusual(layers) or _uncompiled() if len(layers) else "no layer trains"


def _uncompiled() -> str | None:
    """Return what the compiler said, if it failed: torch tunes the model then."""
    try:
        library()
    except ModelError as error:
        return error.problem
    return None


def _unusual(layers: Iterable[Any]) -> str | None:
    """Return which of the layers' parts the code does not know."""
    for layer in layers:
        for module in _matrices(layer):
            if type(module) is not torch.nn.Linear:
                return f"its layers hold parts of type {type(module).__name__}"
        for weight in layer.parameters():
            if not weight.requires_grad or weight.dtype != torch.float32 or not weight.is_contiguous():
                return "some weights of the layers are frozen, or not in fp32"
    return None


_EACH = 2 * (MATRICES + 2)
"""Weights of a layer: matrices and norms, each with its bias."""


def _matrices(layer: Any) -> list[Any]:
    own = layer.attention.self
    return [own.query, own.key, own.value, layer.attention.output.dense, layer.intermediate.dense, layer.output.dense]


class NativeLayers:
    """Knows the model, its compiled encoder, and whether that holds the weights of now."""

    def __init__(self, model: Any, workers: int, skipped: int = 0) -> None:
        base = model.base_model
        self.encoder, self.embeddings, self.workers = base.encoder, base.embeddings, workers
        self._layers = list(base.encoder.layer[skipped:])
        self.dropout = float(model.config.hidden_dropout_prob)
        # The head of a classifier of texts reads the first token, and nothing else of what the layers give.
        self.shape = Shape(int(model.config.num_attention_heads), float(model.config.layer_norm_eps),
                           only_first=type(model).__name__.endswith("SequenceClassification"))
        names = Names.of(config_of(model))
        self._skipped_positions = names.skipped_positions
        self._embedded_by_torch = self.embeddings.forward
        self._mask: torch.Tensor | None = None
        self._rows: Rows | None = None
        """Of the batch that was embedded last, if the compiled code computes it."""
        self.ticket = 0
        """Counts forward passes: only the last one can go backwards."""
        self._weights: list[torch.nn.Parameter] = []
        """All that the compiled code tunes, layer by layer, and then the embeddings."""
        self._places: list[int] = []
        """Where they lay when the compiled encoder took them."""
        self._gradients: list[torch.Tensor] = []
        self._compiled: TunedEncoder | None = None
        self._packings: dict[torch.nn.Parameter, Packing] = {}
        self._packed: list[int] | None = None
        """Versions of the weights that are packed; ``None`` when they have moved since."""
        self._noticed = False
        """Whether the optimiser tells when it has moved weights."""
        self._squares: float | None = None
        """Of the gradients of matrices, biases and tables, while they are the compiled code's alone."""

    # ---- in place of the model's own code ----

    def remember_mask(self, _model: Any, _args: Any, kwargs: dict[str, Any]) -> None:
        """Keep the (B, T) mask that the model was called with; its layers only get what was made of it."""
        self._mask = kwargs.get("attention_mask")

    def embed(self, input_ids: torch.Tensor | None = None, token_type_ids: torch.Tensor | None = None,
              position_ids: torch.Tensor | None = None, inputs_embeds: torch.Tensor | None = None,
              **kwargs: Any) -> torch.Tensor:
        """Embed (B, T) ids: only remember them where compiled code will, and return (B, T, D) that nobody reads.

        Raises:
            ValueError: there are no ids, or positions of their own, which the compiled code does not take.
        """
        if not self._embeds():  # frozen, while the layers are tuned
            found: torch.Tensor = self._embedded_by_torch(
                input_ids=input_ids, token_type_ids=token_type_ids, position_ids=position_ids,
                inputs_embeds=inputs_embeds, **kwargs)
            return found
        if input_ids is None or position_ids is not None:
            raise ValueError("while compiled code tunes a model it takes input_ids, at their usual positions")
        self._rows = self._real(input_ids, token_type_ids)
        return torch.zeros(()).expand(*input_ids.shape, self.embeddings.word_embeddings.embedding_dim)

    def encode(self, hidden_states: torch.Tensor, *_: Any, **__: Any) -> Any:
        """Compute the layers for (B, T, D)."""
        from transformers.modeling_outputs import BaseModelOutputWithPastAndCrossAttentions

        rows, self._rows = self._rows or Rows(self._lengths(*hidden_states.shape[:2])), None
        # One parameter goes in, so that autograd goes back through the layers even if nothing else needs it.
        anchor = self._layers[0].attention.self.query.weight
        states = _Layers.apply(hidden_states, anchor, self, rows)  # type: ignore[no-untyped-call]
        return BaseModelOutputWithPastAndCrossAttentions(last_hidden_state=states)

    # ---- for autograd's node ----

    def ready(self) -> TunedEncoder:
        """Return the compiled encoder with the weights of now."""
        weights = self._tuned()
        places = [weight.data_ptr() for weight in weights]
        compiled = self._compiled
        if compiled is None or places != self._places:
            compiled = self._take(weights)
            self._places, self._packed = [weight.data_ptr() for weight in weights], None
        # The fused AdamW moves weights without counting it; after a backward pass they are taken to have moved.
        versions = [weight._version for weight in weights]
        if self._packed != versions:
            compiled.pack()
            self._packed = versions
        return compiled

    def backward(self, gradient: torch.Tensor) -> Gradients:
        """Compute all gradients and hand them over, adding them to those of earlier micro-batches."""
        if self._compiled is None:
            raise RuntimeError("nothing has gone forwards yet")
        added = all(weight.grad is mine for weight, mine in zip(self._weights, self._gradients, strict=True))
        # What somebody else put there, or some of ours, is added afterwards: new gradients are written over the old.
        before = [None if added else weight.grad.clone() if weight.grad is mine else weight.grad
                  for weight, mine in zip(self._weights, self._gradients, strict=True)]
        found = self._compiled.backward(gradient.numpy(), add=added)
        norms = [*found.norms, *([] if found.embedding_norm is None else [found.embedding_norm])]
        for place, norm in zip(self._norm_places(), norms, strict=True):
            for mine, part in zip(self._gradients[place : place + len(norm)], norm, strict=True):
                (mine.add_ if added else mine.copy_)(torch.from_numpy(part))
        for weight, mine, earlier in zip(self._weights, self._gradients, before, strict=True):
            weight.grad = mine if earlier is None else earlier.add_(mine)
        self._squares = found.squares if all(earlier is None for earlier in before) else None
        if not self._noticed:
            self._packed = None  # they are about to move
        return found

    # ---- for the optimiser ----

    def expect_notice(self) -> None:
        """Take note that whoever moves the weights says so: they stay packed until then."""
        self._noticed = True

    def packing(self, weight: torch.nn.Parameter) -> Packing | None:
        """Return where a weight is packed; ``None`` when it is not."""
        return self._packings.get(weight)

    def known_squares(self, weights: Iterable[torch.nn.Parameter]) -> tuple[list[bool], float]:
        """Return whose gradients' squares are added up already, and their sum."""
        counted = list(self._counted())
        if self._squares is None or any(self._weights[at].grad is not self._gradients[at] for at in counted):
            return [False for _ in weights], 0.0
        known = {id(self._weights[at]) for at in counted}
        return [id(weight) in known for weight in weights], self._squares

    def moved(self) -> None:
        """Take note that all matrices are packed as they are now."""
        if self._compiled is not None:
            self._compiled.take_biases()
        self._packed = [weight._version for weight in self._weights]

    # ---- within ----

    def _take(self, weights: list[torch.nn.Parameter]) -> TunedEncoder:
        """Make the compiled encoder anew: weights lie elsewhere than they did."""
        self._weights, layers = weights, len(self._layers)
        # Weights as they were read are pages of a file: the first step would copy them one by one.
        for weight, place in zip(weights, zeros_like(weights), strict=True):
            weight.data = place.copy_(weight.data)
        self._gradients = zeros_like(weights)
        arrays, grads = ([tensor.detach().numpy() for tensor in tensors] for tensors in (weights, self._gradients))
        records = []
        for start in range(0, layers * _EACH, _EACH):
            dense, norms = slice(start, start + 2 * MATRICES), slice(start + 2 * MATRICES, start + _EACH)
            records.append(LayerWeights(arrays[dense][::2], arrays[dense][1::2], arrays[norms], grads[dense][::2],
                                        grads[dense][1::2]))
        embeddings, end = None, layers * _EACH
        if len(weights) > end:
            for tensors in (arrays, grads):
                tensors[end + 1] = tensors[end + 1][self._skipped_positions :]
            embeddings = EmbeddingWeights(arrays[end : end + 3], arrays[end + 3 :], grads[end : end + 3])
        compiled = self._compiled = TunedEncoder(records, self.shape, self.workers, embeddings)
        self._packings = {weights[layer * _EACH + 2 * matrix]: compiled.packing(layer, matrix)
                          for layer in range(layers) for matrix in range(MATRICES)}
        return compiled

    def _tuned(self) -> list[torch.nn.Parameter]:
        modules = [module for layer in self._layers
                   for module in (*_matrices(layer), layer.attention.output.LayerNorm, layer.output.LayerNorm)]
        found = [weight for module in modules for weight in (module.weight, module.bias)]
        if self._embeds():
            found += [table.weight for table in self._tables()]
            found += [self.embeddings.LayerNorm.weight, self.embeddings.LayerNorm.bias]
        return found

    def _norm_places(self) -> list[int]:
        """Return where the weights of each layer's norms begin among all, and that of the embeddings' norm."""
        layers = len(self._layers)
        found = [layer * _EACH + 2 * MATRICES for layer in range(layers)]
        return [*found, layers * _EACH + 3] if len(self._weights) > layers * _EACH else found

    def _counted(self) -> Iterator[int]:
        """Say which weights are matrices and biases of layers, or tables, among all."""
        end = len(self._layers) * _EACH
        for start in range(0, end, _EACH):
            yield from range(start, start + 2 * MATRICES)
        yield from range(end, min(end + 3, len(self._weights)))

    def _tables(self) -> Sequence[Any]:
        own = self.embeddings
        return own.word_embeddings, own.position_embeddings, own.token_type_embeddings

    def _embeds(self) -> bool:
        """Return whether the compiled code knows the embeddings, and all of them are tuned."""
        parts = (*self._tables(), self.embeddings.LayerNorm)
        return (all(type(table) is torch.nn.Embedding for table in self._tables())
                and all(weight.requires_grad and weight.dtype == torch.float32 and weight.is_contiguous()
                        for part in parts for weight in part.parameters()))

    def _real(self, ids: torch.Tensor, types: torch.Tensor | None) -> Rows:
        """Return the real tokens of (B, T) ids.

        Raises:
            IndexError: an id, a type or a length has no row in its table.
        """
        lengths = self._lengths(*ids.shape)
        real = np.arange(ids.shape[1]) < lengths[:, None]
        found = Rows(lengths, *(None if one is None else np.ascontiguousarray(one.expand(ids.shape).numpy()[real],
                                                                             dtype=np.int64) for one in (ids, types)))
        words, positions, kinds = (len(table.weight) for table in self._tables())
        for what, seen, rows in (("token id", found.ids, words), ("segment", found.types, kinds),
                                 ("length", lengths, positions - self._skipped_positions + 1)):
            if seen is not None and not (seen.min() >= 0 and seen.max() < rows):
                raise IndexError(f"{what} from {seen.min()} to {seen.max()}: expected 0 to {rows - 1}")
        return found

    def _lengths(self, rows: int, width: int) -> Int64:
        """Return the tokens of each row, (B,) int64.

        Raises:
            ValueError: padding does not stand on the right, or a row is nothing else.
        """
        if self._mask is None:
            return np.full(rows, width, np.int64)
        mask = self._mask.numpy() != 0
        lengths: Int64 = mask.sum(1, dtype=np.int64)
        if not (lengths.min() > 0 and np.array_equal(mask, np.arange(width) < lengths[:, None])):
            raise ValueError("while compiled code tunes a model, rows have tokens first and padding on the right")
        return lengths


class _Layers(torch.autograd.Function):
    """The whole encoder as one node."""

    @staticmethod
    def forward(ctx: Any, hidden: torch.Tensor, _anchor: torch.Tensor, layers: NativeLayers,
                rows: Rows) -> torch.Tensor:
        width, depth = hidden.shape[1:]
        real = torch.from_numpy(np.flatnonzero(np.arange(width) < rows.lengths[:, None]))  # (N,) of B * T
        given = None
        if rows.ids is None:
            given = hidden.detach().reshape(-1, depth).index_select(0, real).float().numpy()
        dropout = layers.dropout if layers.encoder.training else 0.0
        # From torch's generator, so that a resumed run draws what an unbroken one does.
        seed = int(torch.randint(2**62, ())) if dropout else 0
        found = layers.ready().forward(rows, seed, dropout=dropout, embeddings=given)
        layers.ticket += 1
        ctx.layers, ctx.ticket, ctx.shape, ctx.kind, ctx.real = layers, layers.ticket, hidden.shape, hidden.dtype, real
        if layers.shape.only_first:  # (B, 1, D): the head takes the first of as many as there are
            return torch.from_numpy(found)[:, None]
        return _spread(found, real, hidden.shape)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, None, None, None]:
        layers: NativeLayers = ctx.layers
        if ctx.ticket != layers.ticket:
            raise RuntimeError("only the last forward pass can go backwards: compute the batch again first")
        given = gradient.reshape(-1, gradient.shape[-1])
        if not layers.shape.only_first:
            given = given.index_select(0, ctx.real)
        found = layers.backward(given.float().contiguous()).embeddings
        if found is None or not ctx.needs_input_grad[0]:
            return None, None, None, None
        return _spread(found, ctx.real, ctx.shape).to(ctx.kind), None, None, None


def zeros_like(tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Return float32 zeros of the shapes of tensors, in one piece of memory."""
    found = together([(tensor.numel(), np.float32) for tensor in tensors])
    return [torch.from_numpy(array).view(tensor.shape) for array, tensor in zip(found, tensors, strict=True)]


def _spread(found: Any, places: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """Put tokens to their places in (B, T, D) float32; zero elsewhere."""
    out = torch.zeros(shape[0] * shape[1], shape[2])
    return out.index_copy_(0, places, torch.from_numpy(found)).view(shape)
