from __future__ import annotations

from pathlib import Path

import pytest
import torch
from toy import Toy

from luthier.tuning.vocabulary import describe_table, reduce_table, renumber, restore_table


def logits(toy: Toy, model: torch.nn.Module, numbers: object = None) -> torch.Tensor:
    batch = toy.encoder.collate(toy.valid.ragged, range(8))
    ids = batch.ids if numbers is None else numbers(batch.ids)  # type: ignore[operator]
    with torch.inference_mode():
        return model(input_ids=torch.from_numpy(ids), attention_mask=torch.from_numpy(batch.mask)).logits


def test_logits_are_the_same_to_the_bit_and_the_table_comes_back(toy: Toy) -> None:
    model = toy.built().model
    whole = model.get_input_embeddings()
    expected = logits(toy, model)
    small = reduce_table(model, (toy.train.ragged, toy.valid.ragged), toy.encoder.pad_id)
    assert small is not None
    assert model.get_input_embeddings().num_embeddings == len(small.used) < 100
    assert torch.equal(logits(toy, model, renumber(small)), expected)
    with torch.no_grad():
        model.get_input_embeddings().weight[20:] += 1.0
    changed = logits(toy, model, renumber(small))
    restore_table(model, small)
    assert model.get_input_embeddings() is whole
    assert torch.equal(logits(toy, model), changed)
    assert "of 3985 rows" in describe_table(small).reason


@pytest.mark.parametrize("why", ["frozen", "high id", "mostly used"])
def test_left_whole_where_it_cannot_or_need_not_be_reduced(toy: Toy, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = toy.built().model
    if why == "frozen":
        model.requires_grad_(False)
    elif why == "high id":
        model.config.eos_token_id = 100
    else:
        monkeypatch.setattr("luthier.tuning.vocabulary.WORTHWHILE", 0.001)
    assert reduce_table(model, (toy.train.ragged,), toy.encoder.pad_id) is None
    assert describe_table(None).value == "whole"


def test_roberta_finds_its_padding_under_the_same_number(toy: Toy, tmp_path: Path) -> None:
    """RoBERTa counts positions from the ids that are not padding, so its padding id must not move."""
    from transformers import RobertaConfig, RobertaForSequenceClassification

    torch.manual_seed(0)
    config = RobertaConfig(vocab_size=4000, hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
                           intermediate_size=32, max_position_embeddings=140, pad_token_id=0, type_vocab_size=1)
    model = RobertaForSequenceClassification(config).eval()
    expected = logits(toy, model)
    small = reduce_table(model, (toy.train.ragged, toy.valid.ragged), toy.encoder.pad_id)
    assert small is not None
    assert torch.equal(logits(toy, model, renumber(small)), expected)
