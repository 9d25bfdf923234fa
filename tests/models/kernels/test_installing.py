"""The kernels inside a real model: same answers, same gradients, and the model as it was afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from luthier.models.building import build_classifier
from luthier.models.kernels import installed
from luthier.schema import LabelSet

pytestmark = pytest.mark.slow  # opens models

LABELS = LabelSet(("a", "b", "c"))


@pytest.fixture
def model(tiny_model: Path) -> Any:
    return build_classifier(tiny_model, LABELS, dropout=0.0, attention_dropout=0.0, seed=1).model


def batch(model: Any) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    ids = torch.randint(5, model.config.vocab_size, (4, 9))
    mask = (torch.arange(9) < torch.tensor([[9], [4], [7], [1]])).long()
    return {"input_ids": ids, "attention_mask": mask}


def gradients(model: Any, given: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    model.zero_grad()
    torch.nn.functional.cross_entropy(model(**given).logits, torch.tensor([0, 1, 2, 0])).backward()
    return {name: parameter.grad.clone() for name, parameter in model.named_parameters()}


def test_fp32_answers_and_gradients_stay_the_same(model: Any) -> None:
    given = batch(model)
    before, slopes = model(**given).logits, gradients(model, given)
    with installed(model, device="cpu", precision="fp32") as parts:
        assert {name: made.value for name, made in parts.decisions.items()} == {
            "layers": "torch", "attention": "blocks", "dropout": "16-bit", "hidden_states": "as the model has them"}
        torch.testing.assert_close(model(**given).logits, before, rtol=1e-5, atol=1e-6)
        for name, slope in gradients(model, given).items():
            torch.testing.assert_close(slope, slopes[name], rtol=1e-4, atol=1e-6)


def test_bf16_hidden_states_give_the_same_answers_to_rounding(model: Any) -> None:
    given = batch(model)
    exact = model(**given).logits
    seen: list[torch.dtype] = []
    hook = model.base_model.encoder.layer[1].register_forward_hook(lambda _m, _i, out: seen.append(out.dtype))
    with installed(model, device="cpu", precision="bf16"), torch.autocast("cpu", dtype=torch.bfloat16):
        near = model(**given).logits.float()
    hook.remove()
    assert seen == [torch.bfloat16]
    assert (near - exact).abs().max() < 0.02


def test_the_model_is_as_before_however_the_block_ends(model: Any) -> None:
    given = batch(model)
    before = model(**given).logits
    with pytest.raises(KeyError), installed(model, device="cpu", precision="bf16"):
        raise KeyError
    assert model.config._attn_implementation == "sdpa"
    assert torch.equal(model(**given).logits, before)
    assert not model.base_model.embeddings._forward_hooks
    assert not any("forward" in vars(module) for module in model.modules())


def test_a_gpu_keeps_its_own_dropout_and_gets_packed_rows(model: Any) -> None:
    with installed(model, device="cuda:0", precision="bf16") as parts:
        assert model.config._attn_implementation == "sdpa"
        assert {name: made.value for name, made in parts.decisions.items()} == {
            "layers": "packed rows", "attention": "varlen", "dropout": "torch",
            "hidden_states": "as the model has them"}
    assert not any("forward" in vars(module) for module in model.modules())


def test_a_model_without_fused_attention_keeps_its_own(tiny_model: Path) -> None:
    plain = build_classifier(tiny_model, LABELS, attention="eager").model
    with installed(plain, device="cpu", precision="fp32") as parts:
        assert parts.decisions["attention"].value == "eager"
        assert plain.config._attn_implementation == "eager"
