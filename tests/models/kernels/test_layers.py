"""Layers tuned by compiled code against the same layers in torch: answers, gradients, what is left to torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from small import LENGTHS, apart, batch, gradients, loss_of, made

from luthier.models.freezing import freeze_lower_layers
from luthier.models.kernels import installed
from luthier.models.native import build

pytestmark = pytest.mark.skipif(bool(build.lacking()), reason=f"this machine has no {build.lacking()}")


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


@pytest.mark.parametrize(("change", "said"), [
    (batch([64, 40], left=True), "tokens first and padding on the right"),
    (batch([64, 0]), "tokens first and padding on the right"),
    ({"input_ids": None, "inputs_embeds": torch.zeros(1, 4, 64), "attention_mask": None}, "it takes input_ids"),
    ({**batch([4]), "position_ids": torch.arange(4)[None]}, "at their usual positions"),
], ids=["left", "empty", "states", "positions"])
def test_what_the_loop_never_gives_is_refused(change: dict[str, Any], said: str) -> None:
    with installed(model := made(), device="cpu", precision="bf16"), pytest.raises(ValueError, match=said):
        model(**change)


def test_ids_beyond_the_tables_are_refused() -> None:
    given = batch([4])
    given["input_ids"][0, 0] = 90
    with (installed(model := made(), device="cpu", precision="bf16"),
          pytest.raises(IndexError, match="token id from .* to 90: expected 0 to 89")):
        model(**given)


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


def test_a_compiler_that_fails_leaves_tuning_to_torch(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("LUTHIER_CACHE", str(tmp_path))
    monkeypatch.setenv("CC", "false")
    build.library.cache_clear()
    with installed(made(), device="cpu", precision="bf16") as parts:
        assert parts.decisions["layers"].value == "torch"
        assert "cannot be compiled with" in parts.decisions["layers"].reason
    build.library.cache_clear()


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
