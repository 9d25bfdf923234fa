"""Which layers train: of BERT-like models and of others."""

from __future__ import annotations

from typing import Any

import pytest
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    LlamaConfig,
    LlamaForSequenceClassification,
)

from luthier.errors import ModelError
from luthier.models.freezing import freeze_lower_layers, frozen_layers, layers_of, training_mode

SMALL = {"vocab_size": 50, "num_labels": 3}


def bert() -> Any:
    return BertForSequenceClassification(BertConfig(
        **SMALL, hidden_size=16, num_hidden_layers=4, num_attention_heads=2, intermediate_size=32))


def distilbert() -> Any:
    return DistilBertForSequenceClassification(DistilBertConfig(**SMALL, dim=16, n_layers=4, n_heads=2, hidden_dim=32))


def llama() -> Any:
    return LlamaForSequenceClassification(LlamaConfig(
        **SMALL, hidden_size=16, num_hidden_layers=4, num_attention_heads=2, intermediate_size=32, pad_token_id=0))


HEADS = {bert: {"classifier", "bert.pooler"}, distilbert: {"classifier", "pre_classifier"},
         llama: {"score", "model.norm"}}


@pytest.mark.parametrize("top", [0, 1, 4])
@pytest.mark.parametrize("make", HEADS, ids=lambda make: make.__name__)
def test_the_last_layers_and_what_stands_behind_them_train(make: Any, top: int) -> None:
    model = make()
    freeze_lower_layers(model, top)
    trains = {name for name, weight in model.named_parameters() if weight.requires_grad}
    upper = {id(weight) for layer in layers_of(model)[4 - top :] for weight in layer.parameters()}
    for name, weight in model.named_parameters():
        behind = any(name.startswith(f"{head}.") for head in HEADS[make])
        assert (name in trains) == (behind or id(weight) in upper), name
    assert frozen_layers(model) == 4 - top


def test_nothing_is_frozen_above_embeddings_that_train() -> None:
    model = bert()
    assert frozen_layers(model) == 0
    freeze_lower_layers(model, 2)
    model.base_model.embeddings.word_embeddings.requires_grad_(True)
    assert frozen_layers(model) == 0


def test_nothing_is_dropped_in_frozen_layers() -> None:
    model = bert().eval()
    freeze_lower_layers(model, 1)
    training_mode(model)
    assert [layer.training for layer in layers_of(model)] == [False, False, False, True]
    assert not model.base_model.embeddings.dropout.training
    assert model.dropout.training
    training_mode(bert_whole := bert().eval())
    assert all(module.training for module in bert_whole.modules())


def test_more_layers_than_there_are_is_refused() -> None:
    with pytest.raises(ModelError, match=r"is 5, but this model has 4 layers\n.*set method.freeze_trainable_layers=4"):
        freeze_lower_layers(bert(), 5)
