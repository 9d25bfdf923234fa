"""Layers tuned by compiled code against the same layers in torch: answers, every gradient, dropout, steps, resuming."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification, RobertaConfig, RobertaForSequenceClassification

from luthier.models.kernels import installed
from luthier.models.native import build, tuning
from luthier.models.native.tuning import LayerWeights, Shape, TunedLayers, _shares

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
    with installed(model, device="cpu", precision="bf16") as decisions:
        assert decisions["layers"].value == "native", decisions["layers"].reason
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


def one_layer() -> tuple[TunedLayers, list[torch.Tensor], list[np.ndarray]]:
    """One layer of width 64 and inner width 96, its 16 weights as torch has them, and where their gradients go."""
    generator = torch.Generator().manual_seed(0)
    shapes = [(64, 64)] * 4 + [(96, 64), (64, 96)]
    weights = [torch.randn(shape, generator=generator) * 0.1 for shape in shapes]
    biases = [torch.randn(shape[0], generator=generator) * 0.1 for shape in shapes]
    norms = [torch.rand(64, generator=generator) + 0.5 for _ in range(4)]
    grads = [np.zeros(tuple(tensor.shape), np.float32) for tensor in (*weights, *biases)]
    record = LayerWeights(*([tensor.numpy() for tensor in part] for part in (weights, biases, norms)),
                          grads[:6], grads[6:])
    return TunedLayers([record], Shape(2, 1e-12), 2), [*weights, *biases, *norms], grads


def kept(layers: TunedLayers, name: str, rate: float) -> torch.Tensor:
    """Which elements a norm's dropout left, as factors (N, D)."""
    import ctypes

    parts = []
    for worker in layers._busy:
        place = ctypes.cast(getattr(worker.kept[0], name), ctypes.POINTER(ctypes.c_uint16))
        words = np.ctypeslib.as_array(place, (worker.part.tokens, 4))
        parts.append((words[:, :, None] >> np.arange(16) & 1).reshape(len(words), 64))
    return torch.from_numpy(np.concatenate(parts).astype(np.float32)) / (1 - rate)


def test_dropout_is_the_same_forwards_and_backwards() -> None:
    rate, lengths = 0.3, np.array([20, 9, 33, 4])
    layers, tensors, grads = one_layer()
    for tensor in tensors:
        tensor.requires_grad_()
    x = torch.randn(66, 64, generator=torch.Generator().manual_seed(2)).requires_grad_()
    layers.pack()
    got = layers.forward(x.detach().numpy(), lengths, 5, dropout=rate)
    first, second = kept(layers, "kept", rate), kept(layers, "last_kept", rate)
    for mask in (first, second):
        assert abs(float((mask > 0).float().mean()) - (1 - rate)) < 0.03
    linear, norm = torch.nn.functional.linear, torch.nn.functional.layer_norm
    weights, biases, norms = tensors[:6], tensors[6:12], tensors[12:]
    rows = []
    for part in x.split(lengths.tolist()):
        query, key, value = (linear(part, weights[i], biases[i]).view(-1, 2, 32).transpose(0, 1) for i in range(3))
        rows.append(torch.nn.functional.scaled_dot_product_attention(query, key, value).transpose(0, 1).reshape(-1, 64))
    middle = norm(x + linear(torch.cat(rows), weights[3], biases[3]) * first, (64,), norms[0], norms[1], 1e-12)
    inner = torch.nn.functional.gelu(linear(middle, weights[4], biases[4]))
    right = norm(middle + linear(inner, weights[5], biases[5]) * second, (64,), norms[2], norms[3], 1e-12)
    assert apart(torch.from_numpy(got), right.detach()) < 0.01
    given = torch.randn(66, 64, generator=torch.Generator().manual_seed(3))
    right.backward(given)
    d_x, d_norms = layers.backward(given.numpy())
    assert x.grad is not None
    assert apart(torch.from_numpy(d_x), x.grad) < 0.02
    for number, (grad, tensor) in enumerate(zip([*grads, *d_norms[0]], tensors, strict=True)):
        assert tensor.grad is not None
        if number != 7:  # a key's bias moves nothing
            assert apart(torch.from_numpy(grad), tensor.grad) < 0.03, number
    layers.close()


def test_micro_batches_add_up() -> None:
    model, parts = made(), [batch(LENGTHS[0]), batch(LENGTHS[1])]
    with installed(model, device="cpu", precision="bf16"):
        each = [gradients(model, part) for part in parts]
        model.zero_grad(set_to_none=True)
        for part in parts:
            loss_of(model, part).backward()
        for name, weight in model.named_parameters():
            if weight.grad is not None:
                torch.testing.assert_close(weight.grad, each[0][name] + each[1][name], rtol=1e-4, atol=1e-5)


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
    with installed(model, device="cpu", precision="bf16") as decisions:
        assert decisions["layers"].value == "torch"
        assert said in decisions["layers"].reason
        assert {"attention", "dropout", "hidden_states"} <= set(decisions)


def test_frozen_and_wrapped_weights_are_left_to_torch() -> None:
    from luthier.models.lora import wrap

    model = made()
    model.bert.encoder.layer[0].output.dense.weight.requires_grad = False
    with installed(model, device="cpu", precision="bf16") as decisions:
        assert "frozen" in decisions["layers"].reason
    wrapped = wrap(made(), rank=2, alpha=4.0, trained=("classifier",), seed=0)
    with installed(wrapped, device="cpu", precision="bf16") as decisions:
        assert decisions["layers"].value == "torch"


def test_padding_on_the_left_goes_through_torch() -> None:
    model, given = made().eval(), batch(LENGTHS[1], left=True)
    exact = model(**given).logits
    with installed(model, device="cpu", precision="bf16"), torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert apart(model(**given).logits.float(), exact) < 0.05


def test_only_the_last_forward_pass_goes_backwards_and_the_model_is_left_as_it_was() -> None:
    model, given = made(), batch(LENGTHS[1])
    with installed(model, device="cpu", precision="bf16"):
        first = loss_of(model, given)
        loss_of(model, given)
        with pytest.raises(RuntimeError, match="only the last forward pass"):
            first.backward()
    assert "forward" not in vars(model.bert.encoder)
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
    with installed(made(), device="cpu", precision="bf16") as decisions:
        assert decisions["layers"].value == "torch"
        assert "cannot be compiled with" in decisions["layers"].reason
    build.library.cache_clear()


def test_places_are_made_as_the_code_fills_them() -> None:
    header = build.HEADER.read_text(encoding="utf-8")
    for name in ("PAD", "STEP", "LANES", "GROUP"):
        assert f"#define {name} {getattr(tuning, f'_{name}')}" in header
