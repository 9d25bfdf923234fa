"""The compiled code by itself: dropout, groups of rows, places."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small import apart

from luthier.models.native import build, tuning
from luthier.models.native.memory import aligned
from luthier.models.native.tuning import EmbeddingWeights, LayerWeights, Rows, Shape, TunedEncoder, _shares

pytestmark = pytest.mark.skipif(bool(build.lacking()), reason=f"this machine has no {build.lacking()}")


def room(tensors: list[torch.Tensor]) -> list[np.ndarray]:
    """Where gradients of these go, with something in them that must not stay."""
    places = [aligned(tensor.numel(), np.float32).reshape(tensor.shape) for tensor in tensors]
    for place in places:
        place.fill(7.0)
    return places


class OneLayer:
    """Embeddings of width 64 and one layer of inner width 96: weights as torch has them, and where gradients go."""

    def __init__(self, *, only_first: bool, embeds: bool) -> None:
        generator = torch.Generator().manual_seed(0)
        shapes = [(64, 64)] * 4 + [(96, 64), (64, 96)]
        self.tables = [torch.randn((rows, 64), generator=generator) for rows in (90, 40, 2)]
        self.weights = [torch.randn(shape, generator=generator) * 0.1 for shape in shapes]
        self.biases = [torch.randn(shape[0], generator=generator) * 0.1 for shape in shapes]
        self.norms = [torch.rand(64, generator=generator) + 0.5 for _ in range(6)]
        self.grads = room([*self.weights, *self.biases])
        self.table_grads = [np.zeros(tuple(table.shape), np.float32) for table in self.tables]
        arrays = [[tensor.numpy() for tensor in part] for part in (self.weights, self.biases, self.norms, self.tables)]
        record = LayerWeights(arrays[0], arrays[1], arrays[2][:4], self.grads[:6], self.grads[6:])
        self.code = TunedEncoder([record], Shape(2, 1e-12, only_first), 2, EmbeddingWeights(
            arrays[3], arrays[2][4:], self.table_grads) if embeds else None)
        for tensor in (*self.tables, *self.weights, *self.biases, *self.norms):
            tensor.requires_grad_()

    def embed(self, rows: Rows, mask: torch.Tensor) -> torch.Tensor:
        places = np.concatenate([np.arange(count) for count in rows.lengths])
        found = sum(table[torch.from_numpy(which)] for table, which in zip(
            self.tables, (rows.ids, places, rows.types), strict=True))
        return torch.nn.functional.layer_norm(found, (64,), self.norms[4], self.norms[5], 1e-12) * mask

    def run(self, x: torch.Tensor, lengths: list[int], first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        linear, norm, weights, biases = (torch.nn.functional.linear, torch.nn.functional.layer_norm, self.weights,
                                         self.biases)
        rows = []
        for part in x.split(lengths):
            query, key, value = (linear(part, weights[i], biases[i]).view(-1, 2, 32).transpose(0, 1) for i in range(3))
            mixed = torch.nn.functional.scaled_dot_product_attention(query, key, value)
            rows.append(mixed.transpose(0, 1).reshape(-1, 64))
        middle = norm(x + linear(torch.cat(rows), weights[3], biases[3]) * first, (64,), *self.norms[:2], 1e-12)
        inner = torch.nn.functional.gelu(linear(middle, weights[4], biases[4]))
        return norm(middle + linear(inner, weights[5], biases[5]) * second, (64,), *self.norms[2:4], 1e-12)


def kept(code: TunedEncoder, layer: int, name: str, rate: float, counts: list[int]) -> torch.Tensor:
    """Which elements a dropout left, as factors (N, D); workers have rows of so many tokens."""
    import ctypes

    parts = []
    for worker, count in zip(code._busy, counts, strict=True):
        place = ctypes.cast(getattr(worker.kept[layer], name), ctypes.POINTER(ctypes.c_uint16))
        words = np.ctypeslib.as_array(place, (count, 4))
        parts.append((words[:, :, None] >> np.arange(16) & 1).reshape(len(words), 64))
    return torch.from_numpy(np.concatenate(parts).astype(np.float32)) / (1 - rate)


LONG = [150, 120, 9, 140, 133]


@pytest.mark.parametrize("only_first", [False, True])
@pytest.mark.parametrize("embeds", [False, True])
def test_dropout_is_the_same_forwards_and_backwards(only_first: bool, embeds: bool) -> None:
    rate, lengths = 0.3, [20, 9, 33, 4]
    layer = OneLayer(only_first=only_first, embeds=embeds)
    tokens, firsts = sum(lengths), [0, 20, 29, 62]
    random = np.random.default_rng(0)
    rows = Rows(np.array(lengths), *((random.integers(0, 90, tokens), random.integers(0, 2, tokens)) if embeds else ()))
    given = torch.randn(tokens, 64, generator=torch.Generator().manual_seed(2)).requires_grad_()
    layer.code.pack()
    for _ in range(2):  # what the first run left does not show in the second
        got = layer.code.forward(rows, 5, dropout=rate, embeddings=None if embeds else given.detach().numpy())
        gradient = torch.randn(len(got), 64, generator=torch.Generator().manual_seed(3))
        found = layer.code.backward(gradient.numpy())
    ones = torch.ones(tokens, 64)
    firsts_kept = [torch.ones(tokens, 64) for _ in range(2)]
    for mask, name in zip(firsts_kept, ("kept", "last_kept"), strict=True):
        left = kept(layer.code, 0, name, rate, [2, 2] if only_first else [29, 37])
        assert abs(float((left > 0).float().mean()) - (1 - rate)) < 0.1
        mask[firsts if only_first else slice(None)] = left
    x = layer.embed(rows, kept(layer.code, 1, "kept", rate, [29, 37]) if rate else ones) if embeds else given
    right = layer.run(x, lengths, *firsts_kept)
    right = right[firsts] if only_first else right
    assert apart(torch.from_numpy(got), right.detach()) < 0.01
    right.backward(gradient)
    tensors = [*layer.weights, *layer.biases, *layer.norms[:4]]
    arrays = [*layer.grads, *found.norms[0]]
    if embeds:
        assert found.embedding_norm is not None
        tensors += [*layer.tables, *layer.norms[4:]]
        arrays += [*layer.table_grads, *found.embedding_norm]
    else:
        assert given.grad is not None
        assert found.embeddings is not None
        assert apart(torch.from_numpy(found.embeddings), given.grad) < 0.02
    for number, (array, tensor) in enumerate(zip(arrays, tensors, strict=True)):
        assert tensor.grad is not None
        if number != 7:  # a key's bias moves nothing
            assert apart(torch.from_numpy(array), tensor.grad) < 0.03, number
    counted = [*layer.grads, *(layer.table_grads if embeds else ())]
    assert found.squares == pytest.approx(sum(float((array**2).sum()) for array in counted), rel=1e-5)


@pytest.mark.parametrize("only_first", [False, True])
def test_groups_of_rows_do_not_disturb_each_other(only_first: bool) -> None:
    layer, tokens = OneLayer(only_first=only_first, embeds=False), sum(LONG)
    x = torch.randn(tokens, 64, generator=torch.Generator().manual_seed(2)).requires_grad_()
    layer.code.pack()
    got = layer.code.forward(Rows(np.array(LONG)), 0, dropout=0.0, embeddings=x.detach().numpy())
    right = layer.run(x, LONG, torch.ones(()), torch.ones(()))
    right = right[np.cumsum([0, *LONG[:-1]])] if only_first else right
    assert apart(torch.from_numpy(got), right.detach()) < 0.01
    right.backward(torch.ones_like(right) * torch.arange(64).sin())
    found = layer.code.backward((np.ones_like(got) * np.sin(np.arange(64))).astype(np.float32))
    assert x.grad is not None
    assert found.embeddings is not None
    assert apart(torch.from_numpy(found.embeddings), x.grad) < 0.02
    for number, (array, tensor) in enumerate(zip(layer.grads, [*layer.weights, *layer.biases], strict=True)):
        assert tensor.grad is not None
        if number != 7:
            assert apart(torch.from_numpy(array), tensor.grad) < 0.03, number


def test_gradients_that_lie_anywhere_are_refused() -> None:
    shapes = [(32, 32)] * 6
    odd = [np.zeros(32 * 32 + 1, np.float32)[1:].reshape(32, 32) for _ in shapes]
    assert any(array.ctypes.data % 64 for array in odd)
    plain = [np.zeros(shape, np.float32) for shape in shapes]
    with pytest.raises(ValueError, match="multiples of 64"):
        TunedEncoder([LayerWeights(plain, plain, plain, odd, plain)], Shape(1, 1e-12), 1)


@pytest.mark.parametrize(("lengths", "workers"), [([5], 2), ([1, 1], 2), ([100, 1, 1], 2), ([3] * 40, 4), ([9, 9], 5)])
def test_rows_are_dealt_evenly(lengths: list[int], workers: int) -> None:
    starts = _shares(np.array(lengths), workers)
    assert starts[0] == 0
    assert starts[-1] == len(lengths)
    assert starts == sorted(set(starts))
    assert len(starts) - 1 <= workers
    tokens = [sum(lengths[a:b]) for a, b in zip(starts, starts[1:], strict=False)]
    assert max(tokens) - min(tokens) <= 2 * max(lengths)


def test_places_are_made_as_the_code_fills_them() -> None:
    header = build.HEADERS[0].read_text(encoding="utf-8")
    for name in ("PAD", "LANES"):
        assert f"#define {name} {getattr(tuning, f'_{name}')}" in header
