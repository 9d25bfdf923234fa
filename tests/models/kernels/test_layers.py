"""Layers tuned by compiled code against the same layers in torch: answers, every gradient, dropout, steps, resuming."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification, RobertaConfig, RobertaForSequenceClassification

from luthier.models.freezing import freeze_lower_layers
from luthier.models.kernels import installed
from luthier.models.kernels.adamw import CompiledAdamW
from luthier.models.native import build, tuning
from luthier.models.native.memory import aligned
from luthier.models.native.tuning import EmbeddingWeights, LayerWeights, Rows, Shape, TunedEncoder, _shares
from luthier.recipe import TrainSettings
from luthier.tuning.optimizer import make_optimizer, set_rate, step_clipped

pytestmark = pytest.mark.skipif(bool(build.lacking()), reason=f"this machine has no {build.lacking()}")

SHAPE = {"vocab_size": 90, "hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 2, "num_labels": 5,
         "intermediate_size": 128, "max_position_embeddings": 200, "attention_probs_dropout_prob": 0.0}
LENGTHS = [[28] * 9, [5, 1, 64, 17, 33], [1], [150, 7]]


def made(kind: str = "bert", dropout: float = 0.0, **more: Any) -> Any:
    config = {**SHAPE, "hidden_dropout_prob": dropout, **more}
    torch.manual_seed(0)
    model = (BertForSequenceClassification(BertConfig(**config)) if kind == "bert"
             else RobertaForSequenceClassification(RobertaConfig(**config, pad_token_id=1)))
    for name, weight in model.named_parameters():
        torch.nn.init.normal_(weight, 1.0 if "LayerNorm.weight" in name else 0.0, 0.1)
    return model.train()


def batch(lengths: list[int], *, left: bool = False) -> dict[str, torch.Tensor]:
    width = max(lengths)
    mask = torch.arange(width) < torch.tensor(lengths)[:, None]
    mask = mask.flip(1) if left else mask
    ids = torch.randint(5, 90, mask.shape, generator=torch.Generator().manual_seed(1))
    return {"input_ids": torch.where(mask, ids, 1), "attention_mask": mask.long()}


def loss_of(model: Any, given: dict[str, torch.Tensor]) -> torch.Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(**given).logits
    weights = torch.arange(logits.numel(), dtype=torch.float32).view(logits.shape).sin()
    return (logits.float() * weights).sum()


def gradients(model: Any, given: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    model.zero_grad(set_to_none=True)
    loss_of(model, given).backward()
    return {name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None}


def apart(got: torch.Tensor, right: torch.Tensor) -> float:
    return float((got - right).norm() / (right.norm() + 1e-6))


@pytest.mark.parametrize("kind", ["bert", "roberta"])
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_answers_and_gradients_are_those_of_torch(kind: str, lengths: list[int]) -> None:
    model, given = made(kind), batch(lengths)
    model.zero_grad()
    exact = model(**given).logits
    weights = torch.arange(exact.numel(), dtype=torch.float32).view(exact.shape).sin()
    (exact * weights).sum().backward()
    right = {name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None}
    with installed(model, device="cpu", precision="bf16") as parts:
        assert parts.decisions["layers"].value == "native", parts.decisions["layers"].reason
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            assert apart(model(**given).logits.float(), exact.detach()) < 0.03
        got = gradients(model, given)
    assert got.keys() == right.keys()
    largest = max(float(value.norm()) for value in right.values())
    for name, value in right.items():
        if value.norm() > 1e-4 * largest:  # a key's bias moves nothing: its gradient is rounding
            assert apart(got[name], value) < 0.12, name


def test_gradients_are_no_worse_than_autocasts() -> None:
    model, given = made(), batch(LENGTHS[1])
    exact = model(**given).logits
    (exact * torch.arange(exact.numel(), dtype=torch.float32).view(exact.shape).sin()).sum().backward()
    right = {name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None}
    plain = gradients(model, given)
    with installed(model, device="cpu", precision="bf16"):
        own = gradients(model, given)
    names = [name for name in right if "layer" in name and "key.bias" not in name]
    assert np.mean([apart(own[name], right[name]) for name in names]) < 1.2 * np.mean(
        [apart(plain[name], right[name]) for name in names])


def test_the_same_seed_gives_the_same_bits_and_another_one_others() -> None:
    model, given = made(dropout=0.2), batch(LENGTHS[1])
    with installed(model, device="cpu", precision="bf16"):
        found = []
        for seed in (3, 3, 4):
            torch.manual_seed(seed)
            found.append(gradients(model, given))
    for name, value in found[0].items():
        assert torch.equal(value, found[1][name]), name
    assert not torch.equal(found[0]["classifier.weight"], found[2]["classifier.weight"])


def test_nothing_is_dropped_when_the_model_only_answers() -> None:
    model, given = made(dropout=0.5), batch(LENGTHS[0])
    exact = model.eval()(**given).logits
    with installed(model, device="cpu", precision="bf16"), torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert apart(model(**given).logits.float(), exact) < 0.03


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
"""Two groups for either worker."""


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


@pytest.mark.parametrize("foreign", [False, True])
def test_micro_batches_add_up(foreign: bool) -> None:
    model, parts = made(), [batch(LENGTHS[0]), batch(LENGTHS[1]), batch(LENGTHS[3])]
    with installed(model, device="cpu", precision="bf16"):
        each = [gradients(model, part) for part in parts]
        for _ in range(2):  # what an earlier step left does not show
            model.zero_grad(set_to_none=True)
            for part in parts:
                loss_of(model, part).backward()
                if foreign:  # somebody hands over a gradient of their own
                    weight = model.bert.encoder.layer[1].output.dense.weight
                    weight.grad = weight.grad.clone()
        for name, weight in model.named_parameters():
            if weight.grad is not None:
                torch.testing.assert_close(weight.grad, sum(one[name] for one in each), rtol=1e-4, atol=2e-5)


def test_own_steps_are_those_of_torch() -> None:
    model, settings = made(), TrainSettings(learning_rate=1e-2, weight_decay=0.1)
    with installed(model, device="cpu", precision="bf16") as parts:
        own, twin = make_optimizer(model, settings, parts.layers), made()
        plain = make_optimizer(twin, settings)
        assert isinstance(own, CompiledAdamW)
        assert not isinstance(plain, CompiledAdamW)
        for step in range(6):
            set_rate(own, 1e-2 / (step + 1))
            for lengths in LENGTHS[: 1 + step % 2]:
                loss_of(model, batch(lengths)).backward()
            set_rate(plain, 1e-2 / (step + 1))
            for (name, mine), theirs in zip(model.named_parameters(), twin.parameters(), strict=True):
                theirs.grad = None if mine.grad is None or "embeddings.position" in name and step == 2 else (
                    mine.grad.clone())
                mine.grad = None if theirs.grad is None else mine.grad
            assert float(step_clipped(own, 30.0)) == pytest.approx(float(step_clipped(plain, 30.0)), rel=1e-5)
            for (name, mine), theirs in zip(model.named_parameters(), twin.parameters(), strict=True):
                torch.testing.assert_close(mine.detach(), theirs.detach(), rtol=1e-5, atol=1e-6, msg=name)
            if step == 3:  # they go on from each other's checkpoints
                state = copy.deepcopy(own.state_dict())
                own.load_state_dict(copy.deepcopy(plain.state_dict()))
                plain.load_state_dict(state)


def test_moved_weights_are_packed_as_they_are() -> None:
    model = made()
    with installed(model, device="cpu", precision="bf16") as parts:
        optimizer = make_optimizer(model, TrainSettings(learning_rate=1e-2), parts.layers)
        loss_of(model, batch(LENGTHS[0])).backward()
        step_clipped(optimizer, 1.0)
        assert parts.layers is not None
        assert parts.layers._packed is not None  # nothing is packed again before it is looked at
        places = parts.layers.ready()._arrays
        packed = [place.copy() for place in places]
        parts.layers.ready().pack()
        for number, (before, now) in enumerate(zip(packed, places, strict=True)):
            np.testing.assert_array_equal(before, now, err_msg=str(number))


def test_steps_use_the_weights_that_the_last_step_left() -> None:
    def losses(native: bool) -> list[float]:
        model, found = made(), []
        optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, fused=True)
        with installed(model, device="cpu", precision="bf16" if native else "fp32"):
            for _ in range(6):
                loss = torch.nn.functional.cross_entropy(model(**batch(LENGTHS[0])).logits, torch.arange(9) % 5)
                loss.backward()
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
                found.append(loss.item())
            model.load_state_dict(made().state_dict())
            again = torch.nn.functional.cross_entropy(model(**batch(LENGTHS[0])).logits, torch.arange(9) % 5)
            found.append(again.item() - found[0])
        return found

    own, plain = losses(native=True), losses(native=False)
    np.testing.assert_allclose(own, plain, rtol=0.05, atol=0.02)
    assert own[5] < own[0] - 0.2
    assert abs(own[6]) < 1e-4  # weights loaded from elsewhere are seen too


@pytest.mark.parametrize(("change", "said"), [
    ({"attention_probs_dropout_prob": 0.1}, "attention weights are dropped"), ({"num_attention_heads": 4}, "multiple"),
    ({"hidden_act": "relu"}, "'relu'"),
])
def test_what_it_cannot_do_is_left_to_torch(change: dict[str, Any], said: str) -> None:
    model = made(**change)
    with installed(model, device="cpu", precision="bf16") as parts:
        assert parts.decisions["layers"].value == "torch"
        assert said in parts.decisions["layers"].reason
        assert {"attention", "dropout", "hidden_states"} <= set(parts.decisions)


def test_frozen_and_wrapped_weights_are_left_to_torch() -> None:
    from luthier.models.lora import wrap

    model = made()
    model.bert.encoder.layer[0].output.dense.weight.requires_grad = False
    with installed(model, device="cpu", precision="bf16") as parts:
        assert "frozen" in parts.decisions["layers"].reason
    wrapped = wrap(made(), rank=2, alpha=4.0, trained=("classifier",), seed=0)
    with installed(wrapped, device="cpu", precision="bf16") as parts:
        assert parts.decisions["layers"].value == "torch"


def test_padding_on_the_left_goes_through_torch() -> None:
    model, given = made().eval(), batch(LENGTHS[1], left=True)
    exact = model(**given).logits
    with installed(model, device="cpu", precision="bf16"), torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert apart(model(**given).logits.float(), exact) < 0.05


def test_only_the_last_forward_pass_goes_backwards_and_the_model_is_left_as_it_was() -> None:
    model, given, threads = made(), batch(LENGTHS[1]), torch.get_num_threads()
    with installed(model, device="cpu", precision="bf16"):
        first = loss_of(model, given)
        loss_of(model, given)
        with pytest.raises(RuntimeError, match="only the last forward pass"):
            first.backward()
    assert "forward" not in vars(model.bert.encoder)
    assert "forward" not in vars(model.bert.embeddings)
    assert torch.get_num_threads() == threads
    assert not model._forward_pre_hooks


@pytest.mark.parametrize(("lengths", "workers"), [([5], 2), ([1, 1], 2), ([100, 1, 1], 2), ([3] * 40, 4), ([9, 9], 5)])
def test_rows_are_dealt_evenly(lengths: list[int], workers: int) -> None:
    starts = _shares(np.array(lengths), workers)
    assert starts[0] == 0
    assert starts[-1] == len(lengths)
    assert starts == sorted(set(starts))
    assert len(starts) - 1 <= workers
    tokens = [sum(lengths[a:b]) for a, b in zip(starts, starts[1:], strict=False)]
    assert max(tokens) - min(tokens) <= 2 * max(lengths)


def test_a_compiler_that_fails_leaves_tuning_to_torch(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("LUTHIER_CACHE", str(tmp_path))
    monkeypatch.setenv("CC", "false")
    build.library.cache_clear()
    with installed(made(), device="cpu", precision="bf16") as parts:
        assert parts.decisions["layers"].value == "torch"
        assert "cannot be compiled with" in parts.decisions["layers"].reason
    build.library.cache_clear()


def test_places_are_made_as_the_code_fills_them() -> None:
    header = build.HEADER.read_text(encoding="utf-8")
    for name in ("PAD", "LANES"):
        assert f"#define {name} {getattr(tuning, f'_{name}')}" in header


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_layers_above_frozen_ones_have_the_gradients_of_torch(lengths: list[int]) -> None:
    model, given = made(), batch(lengths)
    freeze_lower_layers(model, 1)
    model.zero_grad()
    exact = model(**given, output_hidden_states=True)
    (exact.logits * torch.arange(exact.logits.numel()).view(exact.logits.shape).sin()).sum().backward()
    right = {name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None}
    fed = {"inputs_embeds": exact.hidden_states[2].detach(), "attention_mask": given["attention_mask"]}
    with installed(model, device="cpu", precision="bf16") as parts:
        assert (parts.decisions["layers"].value, parts.skipped) == ("native", 2)
        got = gradients(model, fed)
    assert got.keys() == right.keys()
    largest = max(float(value.norm()) for value in right.values())
    for name, value in right.items():
        if value.norm() > 1e-4 * largest:  # a key's bias moves nothing: its gradient is rounding
            assert apart(got[name], value) < 0.04, name
