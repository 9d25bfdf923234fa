"""Small models and batches for what tunes them, and how far apart two results are."""

from __future__ import annotations

from typing import Any

import torch
from transformers import BertConfig, BertForSequenceClassification, RobertaConfig, RobertaForSequenceClassification

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
