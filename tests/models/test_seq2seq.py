"""Encoder-decoders: opened to tune, refused where they cannot write, made from nothing."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from luthier.errors import ModelError
from luthier.models import tiny
from luthier.models.architecture import per_token, problem_of, writes
from luthier.models.encoding import Encoder
from luthier.models.outputs import shifted
from luthier.models.seq2seq import build_seq2seq, continues, target_tokens
from luthier.models.tiny_generators import make_causal, make_seq2seq
from luthier.recipe import NewModelSettings
from luthier.schema import GENERATED, LabelSet

LABELS = LabelSet((GENERATED,), "text_generation")
TEXTS = ["ein roter Hund läuft", "二月の朝、雪", "👍🏽 e\u0301 ﬁ\u200b"] * 4


def test_a_decoder_is_given_each_token_after_the_right_one_before_it() -> None:
    targets = np.array([[5, 6, 2], [7, 2, -100]])
    assert shifted(targets, 9, 1).tolist() == [[9, 5, 6], [9, 7, 2]]
    assert shifted(np.array([[5, -100, -100]]), 9, 1).tolist() == [[9, 5, 1]]


@pytest.mark.parametrize(("names", "encoder_decoder", "found"), [
    (["T5ForConditionalGeneration"], True, True), (["MarianMTModel"], True, True),
    (["BartForSequenceClassification"], True, False), (["Qwen2VLForConditionalGeneration"], False, False),
])
def test_what_writes_is_told_from_its_configuration(names: list[str], encoder_decoder: bool, found: bool) -> None:
    config = {"architectures": names, "is_encoder_decoder": encoder_decoder}
    assert writes(config) is found
    assert (problem_of(config) == "text_generation") is found
    assert not per_token(config)


@pytest.mark.parametrize("name", ["LlamaForCausalLM", "GPT2LMHeadModel"])
def test_what_goes_on_with_a_text_is_told_by_its_name(name: str) -> None:
    assert problem_of({"architectures": [name]}) == "dialogue"


@pytest.mark.parametrize(("config", "found"), [
    ({"model_type": "llama"}, True), ({"model_type": "gpt2"}, True), ({"model_type": "t5"}, False),
    ({"model_type": "bart"}, False), ({"model_type": "marian"}, False), ({}, False),
    ({"model_type": "marian", "is_encoder_decoder": False}, True),
])
def test_decoders_are_told_from_encoder_decoders(config: dict[str, Any], found: bool, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    assert continues(tmp_path) is found


def test_encoders_alone_are_refused_with_what_can_write(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}', encoding="utf-8")
    with pytest.raises(ModelError, match=r"alone \(bert\)(.|\n)*smollm2-135m(.|\n)*t5-small(.|\n)*new-seq2seq"):
        continues(tmp_path)


def test_tokens_around_a_text_are_read_from_the_configuration() -> None:
    config = SimpleNamespace(eos_token_id=[2, 3], pad_token_id=0, decoder_start_token_id=None, bos_token_id=5)
    found = target_tokens(config, "m")
    assert (found.start, found.eos, found.pad) == (5, (2, 3), 0)
    config.pad_token_id = None
    with pytest.raises(ModelError, match=r"configuration of m has no pad_token_id.*\n.*add pad_token_id"):
        target_tokens(config, "m")


@pytest.mark.slow
def test_an_encoder_decoder_is_opened_whole(tmp_path: Path) -> None:
    built = build_seq2seq(make_seq2seq(tmp_path / "m"), LABELS, dropout=0.25)
    assert built.new_modules == ()
    assert not built.model.training
    assert built.model.config.dropout == 0.25
    assert built.model.config.id2label == {0: GENERATED}


@pytest.mark.slow
def test_what_cannot_write_is_refused_with_what_can(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"an encoder alone \(bert\).*\n.*t5-small.*new-seq2seq"):
        build_seq2seq(tiny.make(tmp_path / "bert"), LABELS)
    with pytest.raises(ModelError, match=r"a decoder alone \(llama\)"):
        build_seq2seq(make_causal(tmp_path / "llama"), LABELS)
    with pytest.raises(ModelError, match="no model directory"):
        build_seq2seq(tmp_path / "none", LABELS)


@pytest.mark.slow
def test_lost_weights_are_told(tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    directory = make_seq2seq(tmp_path / "m")
    weights = load_file(directory / "model.safetensors")
    weights.pop("model.decoder.layers.0.fc1.weight")
    save_file(weights, directory / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"lack 1 tensors of a bart model, such as model.decoder.layers.0.fc1.weight"):
        build_seq2seq(directory, LABELS)


@pytest.mark.slow
def test_a_model_from_nothing_is_the_same_again_and_loses_no_character(tmp_path: Path) -> None:
    from luthier.models.files import weights_sha256
    from luthier.models.from_nothing import made_new, new_seq2seq

    sizes = NewModelSettings(vocab_size=320, width=16, layers=1, heads=2, feed_forward=32, max_length=64)
    first = new_seq2seq(tmp_path / "a", TEXTS, sizes, seed=3)
    made = made_new(TEXTS, sizes, seed=3)
    assert made.sha256 == weights_sha256(first)
    assert (made.name, made.source) == ("new-seq2seq", "new")
    assert made_new(TEXTS, sizes, seed=3).path == made.path
    assert made_new(TEXTS, sizes, seed=4).sha256 != made.sha256
    assert (made.path / "tokenizer.json").read_bytes() == (first / "tokenizer.json").read_bytes()
    encoder = Encoder.load(first, normalize="none")
    assert encoder.max_length == 64
    for text in (*TEXTS, "Ωmega \x07 \t\n", ""):
        assert encoder.text_of(encoder.encode_ragged([text]).ids[0]) == text
    assert build_seq2seq(first, LABELS).model.config.decoder_start_token_id == 0


def test_sizes_that_do_not_divide_are_refused() -> None:
    with pytest.raises(ValueError, match="width 100 is no multiple of heads 3"):
        NewModelSettings(width=100, heads=3)
