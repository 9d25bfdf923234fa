"""Classifiers of tokens: built, opened, written out and compiled, against transformers' own answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    BertConfig,
    BertForTokenClassification,
    RobertaConfig,
    RobertaForTokenClassification,
)

from luthier.errors import ModelError
from luthier.models.architecture import config_of, per_token, unsupported
from luthier.models.building import build_classifier, load_classifier
from luthier.models.forward import Forward
from luthier.models.native import NativeClassifier, impossible, unfit
from luthier.models.outputs import in_order
from luthier.models.tiny_generators import make_seq2seq
from luthier.schema import Batch, LabelSet

TAGS = LabelSet(("O", "B-PER", "I-PER"), "token_classification")
SHAPE = {"vocab_size": 90, "hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 2, "num_labels": 5,
         "intermediate_size": 128, "max_position_embeddings": 200}


def made(kind: str) -> Any:
    torch.manual_seed(0)
    model = (BertForTokenClassification(BertConfig(**SHAPE)) if kind == "bert"
             else RobertaForTokenClassification(RobertaConfig(**SHAPE, pad_token_id=1)))
    return model.eval()


def batch(lengths: list[int]) -> Batch:
    mask = np.arange(max(lengths)) < np.array(lengths)[:, None]
    ids = np.where(mask, np.random.default_rng(0).integers(5, 90, mask.shape), 1)
    return Batch(ids, mask, None, np.zeros(len(lengths), np.bool_))


def right(model: Any, given: Batch) -> np.ndarray:
    with torch.inference_mode():
        found = model(torch.from_numpy(given.ids), attention_mask=torch.from_numpy(given.mask.astype(np.int64))).logits
    return np.asarray(found.numpy())


@pytest.mark.parametrize("kind", ["bert", "roberta"])
@pytest.mark.parametrize("lengths", [[5, 1, 64, 17], [33]], ids=str)
def test_each_token_has_the_logits_that_transformers_gives(kind: str, lengths: list[int]) -> None:
    model, given = made(kind), batch(lengths)
    config = config_of(model)
    assert unsupported(config) is None
    assert per_token(config)
    expected, forward = right(model, given), Forward.of(config, model.state_dict(), torch.float32)
    found = forward(given).numpy()
    assert found.shape == expected.shape
    np.testing.assert_allclose(found[given.mask], expected[given.mask], rtol=1e-4, atol=1e-5)
    if impossible() is not None:
        return
    assert unfit(config) is None
    compiled = NativeClassifier(config, {name: part.numpy() for name, part in model.state_dict().items()}.__getitem__)
    np.testing.assert_allclose(compiled(given)[given.mask], expected[given.mask], atol=0.02)


def test_a_head_of_tags_is_built_and_opened_again(tiny_model: Path, tmp_path: Path) -> None:
    built = build_classifier(tiny_model, TAGS)
    assert built.new_modules == ("classifier",)
    built.model.save_pretrained(tmp_path)
    stored = json.loads((tmp_path / "config.json").read_text())
    assert stored["id2label"] == {"0": "O", "1": "B-PER", "2": "I-PER"}
    assert stored.get("problem_type") is None
    opened = load_classifier(tmp_path)
    ids = torch.tensor([[2, 9, 3]])
    with torch.inference_mode():
        assert torch.equal(opened(ids).logits, built.model(ids).logits)
        assert opened(ids).logits.shape == (1, 3, 3)


def test_a_stored_head_of_other_tags_is_not_taken(tiny_model: Path, tmp_path: Path) -> None:
    build_classifier(tiny_model, TAGS).model.save_pretrained(tmp_path)
    assert build_classifier(tmp_path, TAGS).new_modules == ()
    other = LabelSet(("O", "B-LOC", "I-LOC"), "token_classification")
    assert build_classifier(tmp_path, other).new_modules == ("classifier",)
    assert "classifier" in build_classifier(tmp_path, LabelSet(("a", "b", "c"))).new_modules


def test_a_decoder_is_refused_with_models_that_can(tmp_path: Path) -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    shape = {"vocab_size": 90, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    LlamaForCausalLM(LlamaConfig(**shape, intermediate_size=16, pad_token_id=0)).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="holds a decoder .llama., which reads only what stands before") as told:
        build_classifier(tmp_path, TAGS)
    with pytest.raises(ModelError, match="holds a decoder"):
        build_classifier(tmp_path, LabelSet(("start", "end"), "question_answering"))
    assert "take an encoder: minilm-l6 (English), e5-small" in str(told.value)


def test_an_encoder_decoder_is_refused_with_what_it_can_do(tmp_path: Path) -> None:
    directory = make_seq2seq(tmp_path / "t5")
    for labels in (TAGS, LabelSet(("start", "end"), "question_answering"), LabelSet(("embedding",), "retrieval")):
        with pytest.raises(ModelError, match="holds an encoder-decoder") as told:
            build_classifier(directory, labels)
        assert "text-to-text takes this one" in str(told.value)


def test_answers_for_batches_come_into_the_order_of_the_rows() -> None:
    batches = [np.array([2, 0]), np.array([1])]
    lengths = np.array([1, 2, 3])
    texts = in_order(batches, [np.array([[2.0], [0.0]], np.float32), np.array([[1.0]], np.float32)], lengths)
    assert isinstance(texts, np.ndarray)
    assert texts.tolist() == [[0], [1], [2]]
    tokens = in_order(batches, [np.full((2, 3, 1), 5, np.float32), np.full((1, 2, 1), 6, np.float32)], lengths)
    assert [part.tolist() for part in tokens] == [[[5]], [[6], [6]], [[5], [5], [5]]]
