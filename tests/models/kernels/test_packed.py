"""Layers over packed rows against the model's own: answers and gradients; and nothing that would wait for a GPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification, RobertaConfig, RobertaForSequenceClassification

from luthier.models.kernels import installed
from luthier.models.kernels.packed import packed_rows, padded
from luthier.schema import Batch

SHAPE = {"vocab_size": 90, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "num_labels": 5,
         "intermediate_size": 64, "max_position_embeddings": 60, "attention_probs_dropout_prob": 0.0,
         "hidden_dropout_prob": 0.0}
LENGTHS = [[28] * 4, [5, 1, 40, 17], [1]]


def made(kind: str = "bert", **more: Any) -> Any:
    torch.manual_seed(0)
    if kind == "bert":
        return BertForSequenceClassification(BertConfig(**{**SHAPE, **more})).train()
    return RobertaForSequenceClassification(RobertaConfig(**{**SHAPE, **more}, pad_token_id=1)).train()


def batch(lengths: list[int], *, segments: bool = False) -> Batch:
    random = np.random.default_rng(0)
    mask = np.arange(max(lengths)) < np.array(lengths)[:, None]
    ids = np.where(mask, random.integers(5, 90, mask.shape), 1)
    types = np.where(mask, random.integers(0, 2, mask.shape), 0) if segments else None
    return Batch(ids, mask, types, np.zeros(len(lengths), np.bool_))


def tensors(arguments: Any, device: str = "cpu") -> dict[str, Any]:
    return {name: value if isinstance(value, int) else torch.from_numpy(value).to(device)
            for name, value in arguments.items()}


def answers(model: Any, given: dict[str, Any]) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    model.zero_grad(set_to_none=True)
    logits = model(**given).logits
    (logits * torch.arange(logits.numel(), device=logits.device).view(logits.shape).sin()).sum().backward()
    return logits.detach(), {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}


@pytest.mark.parametrize("segments", [False, True], ids=["one text", "pairs"])
@pytest.mark.parametrize("kind", ["bert", "roberta"])
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_answers_and_gradients_are_those_of_padded_rows(kind: str, lengths: list[int], segments: bool) -> None:
    model, given = made(kind, type_vocab_size=2), batch(lengths, segments=segments)
    logits, right = answers(model, tensors(padded(given)))
    with packed_rows(model, "bf16") as (decision, layers):
        assert layers is not None, decision.reason
        arranged = layers.arrange(given)
        assert arranged["input_ids"].shape == (1, sum(lengths))  # type: ignore[union-attr]
        found, got = answers(model, tensors(arranged))
    torch.testing.assert_close(found, logits, rtol=1e-5, atol=1e-6)
    assert got.keys() == right.keys()
    for name, value in right.items():
        torch.testing.assert_close(got[name], value, rtol=1e-4, atol=1e-6)


def test_padded_rows_still_go_the_models_own_way() -> None:
    model, given = made(), tensors(padded(batch(LENGTHS[1])))
    logits, _ = answers(model, given)
    with packed_rows(model, "bf16"):
        assert torch.equal(answers(model, given)[0], logits)
    assert "forward" not in vars(model.base_model.encoder)
    assert "forward" not in vars(model)


def test_nothing_asks_a_gpu_for_a_number() -> None:
    """On the device ``meta`` there are no numbers: whatever would wait for one fails."""
    model = made(hidden_dropout_prob=0.1).to("meta")
    with installed(model, device="meta", precision="bf16") as parts, torch.autocast("cpu", torch.bfloat16):
        assert parts.decisions["layers"].value == "packed rows"
        logits = model(**tensors(parts.arrange(batch(LENGTHS[1], segments=True)), "meta")).logits
        assert logits.shape == (4, 5)
        targets = torch.zeros(4, dtype=torch.int64, device="meta")
        torch.nn.functional.cross_entropy(logits.float(), targets).backward()
    assert all(weight.grad is not None and weight.grad.shape == weight.shape for weight in model.parameters())


@pytest.mark.parametrize(("change", "precision", "why"), [
    ({"num_attention_heads": 8}, "bf16", "heads of a multiple of 8 up to 256, these have 4"),
    ({"attention_probs_dropout_prob": 0.1}, "bf16", "attention weights are dropped"),
    ({}, "fp32", "needs bf16"),
    ({"hidden_act": "relu"}, "bf16", "its activation is 'relu'"),
])
def test_what_cannot_be_packed_is_padded_and_says_why(change: dict[str, Any], precision: str, why: str) -> None:
    with installed(made(**change), device="cuda", precision=precision) as parts:
        assert parts.decisions["layers"].value == "padded rows"
        assert why in parts.decisions["layers"].reason
        assert parts.arrange is padded
        assert parts.decisions["attention"].value == "sdpa"
