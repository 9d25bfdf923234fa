"""The written-out forward pass against transformers: every supported kind, mixed lengths, pairs, both formats."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    CamembertConfig,
    CamembertForSequenceClassification,
    RobertaConfig,
    RobertaForSequenceClassification,
    XLMRobertaConfig,
    XLMRobertaForSequenceClassification,
)

from luthier.models import forward
from luthier.models.architecture import unsupported
from luthier.models.forward import Forward
from luthier.schema import Batch

SHAPE = {"vocab_size": 90, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4,
         "intermediate_size": 48, "max_position_embeddings": 70, "num_labels": 5}
KINDS = {
    "bert": (BertForSequenceClassification, BertConfig(**SHAPE, layer_norm_eps=1e-5)),
    "bert-tanh": (BertForSequenceClassification, BertConfig(**SHAPE, hidden_act="gelu_new")),
    "bert-one-layer": (BertForSequenceClassification, BertConfig(**{**SHAPE, "num_hidden_layers": 1})),
    "roberta": (RobertaForSequenceClassification, RobertaConfig(**SHAPE, pad_token_id=1, type_vocab_size=1)),
    "xlm-roberta": (XLMRobertaForSequenceClassification, XLMRobertaConfig(**SHAPE, pad_token_id=1)),
    "camembert": (CamembertForSequenceClassification, CamembertConfig(**SHAPE, pad_token_id=1)),
}


def made(kind: str) -> tuple[torch.nn.Module, dict]:
    family, config = KINDS[kind]
    torch.manual_seed(0)
    model = family(config).eval()
    for name, weight in model.named_parameters():
        torch.nn.init.normal_(weight, 1.0 if "LayerNorm.weight" in name else 0.0, 0.3)
    return model, {**config.to_dict(), "architectures": [family.__name__]}


def batch_of(lengths: list[int], *, types: bool = False) -> Batch:
    random = np.random.default_rng(1)
    mask = np.arange(max(lengths)) < np.array(lengths)[:, None]
    ids = np.where(mask, random.integers(5, 90, mask.shape), 1)
    return Batch(ids, mask, np.where(mask, random.integers(0, 2, mask.shape), 0) if types else None,
                 np.zeros(len(lengths), np.bool_))


def expected(model: torch.nn.Module, batch: Batch) -> torch.Tensor:
    given = {"input_ids": batch.ids, "attention_mask": batch.mask.astype(np.int64)}
    if batch.type_ids is not None:
        given["token_type_ids"] = batch.type_ids
    with torch.inference_mode():
        return model(**{name: torch.from_numpy(array) for name, array in given.items()}).logits


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lengths", [[7], [1], [16, 16], [3, 1, 64, 17], [9, 9, 9], [64] * 3], ids=str)
def test_logits_are_those_of_transformers(kind: str, lengths: list[int]) -> None:
    model, config = made(kind)
    batch = batch_of(lengths)
    got = Forward.of(config, model.state_dict(), torch.float32)(batch)
    torch.testing.assert_close(got, expected(model, batch), rtol=1e-4, atol=1e-4)


def test_segments_of_pairs_count() -> None:
    model, config = made("bert")
    batch = batch_of([9, 5], types=True)
    got = Forward.of(config, model.state_dict(), torch.float32)(batch)
    torch.testing.assert_close(got, expected(model, batch), rtol=1e-4, atol=1e-4)
    assert not torch.allclose(got, expected(model, batch_of([9, 5])), atol=1e-2)


@pytest.mark.parametrize("kind", KINDS)
def test_bf16_is_near(kind: str) -> None:
    model, config = made(kind)
    batch = batch_of([3, 1, 64, 17])
    got, right = Forward.of(config, model.state_dict(), torch.bfloat16)(batch), expected(model, batch)
    assert got.dtype == torch.float32
    assert ((got - right).abs() / (1 + right.abs())).max() < 0.15


def test_what_cannot_be_packed_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    model, config = made("bert")
    batch = batch_of([3, 1, 64, 17])
    packed = Forward.of(config, model.state_dict(), torch.float32)
    monkeypatch.setattr(forward, "_can_pack", lambda: False)
    plain = Forward.of(config, model.state_dict(), torch.float32)
    assert not plain.layers[0].up.packed
    torch.testing.assert_close(plain(batch), packed(batch), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("change", "said"), [
    ({"model_type": "distilbert"}, "'distilbert'"), ({"model_type": None}, "None"),
    ({"architectures": ["BertModel"]}, "classifies neither texts nor tokens"), ({"hidden_act": "relu"}, "'relu'"),
    ({"position_embedding_type": "relative_key"}, "positions"), ({"is_decoder": True}, "attention"),
])
def test_what_is_not_written_out_is_told(change: dict, said: str) -> None:
    _, config = made("bert")
    assert unsupported(config) is None
    assert said in (unsupported({**config, **change}) or "")


def test_products_are_made_of_real_tokens_only_and_the_last_layer_of_first_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Counts operations, so that a change that makes prediction slower shows without a clock."""
    model, config = made("bert")
    monkeypatch.setattr(forward, "_can_pack", lambda: False)
    ready = Forward.of(config, model.state_dict(), torch.float32)
    rows: list[int] = []
    plain = torch.nn.functional.linear
    monkeypatch.setattr(torch.nn.functional, "linear",
                        lambda x, *more: rows.append(x.shape[0]) or plain(x, *more))
    ready(batch_of([3, 1, 64, 17]))
    tokens, texts = 85, 4
    assert rows == [tokens] * 4 * 2 + [tokens] + [texts] * 3 + [texts] * 2


def test_a_forward_of_a_bundle_reads_words_where_they_lie(tmp_path: Path) -> None:
    """The word table is never copied: its rows are read from the mapped file."""
    from safetensors import safe_open
    from safetensors.torch import save_file

    model, config = made("bert")
    save_file({name: weight.contiguous() for name, weight in model.state_dict().items()}, tmp_path / "m.safetensors")
    with safe_open(tmp_path / "m.safetensors", framework="pt") as stored:
        weights = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
    ready = Forward.of(config, weights, torch.bfloat16)
    assert ready.words.data_ptr() == weights["bert.embeddings.word_embeddings.weight"].data_ptr()
