"""Families of encoder-decoders: each is opened, weighs texts, and writes what transformers writes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from luthier.inference.backends.torch import TorchBackend, from_model
from luthier.inference.writing import target_logprobs, write
from luthier.models.building import quiet
from luthier.models.encoding import Encoder
from luthier.models.lora import wrap
from luthier.models.seq2seq import build_seq2seq
from luthier.models.tiny_generators import make_seq2seq
from luthier.recipe import Decoding
from luthier.schema import GENERATED, LabelSet

pytestmark = pytest.mark.slow
TEXTS = ["ein Hund", "", "雪が降る、朝", "a longer text that has more tokens than the others", "x"]
MARKS = {"pad_token_id": 1, "eos_token_id": 2, "bos_token_id": 0, "decoder_start_token_id": 2, "vocab_size": 260}
WIDE = {"d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2,
        "decoder_attention_heads": 2, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "max_position_embeddings": 96,
        "forced_eos_token_id": None}
T5 = {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 2}
FAMILIES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "t5": ("T5Config", "T5ForConditionalGeneration", T5),
    "t5-untied": ("T5Config", "T5ForConditionalGeneration",
                  {**T5, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}),
    "mt5": ("MT5Config", "MT5ForConditionalGeneration", T5),
    "bart": ("BartConfig", "BartForConditionalGeneration", WIDE),
    "pegasus": ("PegasusConfig", "PegasusForConditionalGeneration", WIDE),
    "marian": ("MarianConfig", "MarianMTModel", {**WIDE, "decoder_vocab_size": 260}),
}


@pytest.fixture(params=FAMILIES)
def directory(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    import torch
    import transformers

    config, model, own = FAMILIES[request.param]
    spelling, place = make_seq2seq(tmp_path / "spelling"), tmp_path / request.param
    with quiet(), torch.random.fork_rng():
        torch.manual_seed(5)
        made = getattr(transformers, model)(getattr(transformers, config)(**MARKS, **own))
        for weight in made.parameters():
            weight.data.mul_(4)  # far enough apart that nothing is a near tie
        made.save_pretrained(place)
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        shutil.copy(spelling / name, place / name)
    return place


def opened(directory: Path) -> tuple[TorchBackend, Encoder]:
    model = build_seq2seq(directory, LabelSet((GENERATED,), "text_generation")).model
    return from_model(model), Encoder.load(directory, max_length=96)


def test_it_weighs_texts_as_one_by_one_and_as_transformers_does(directory: Path) -> None:
    import torch

    backend, encoder = opened(directory)
    wanted = ["a dog", "x", "", "雪", "some other text"]
    ragged = encoder.encode_ragged(TEXTS)
    found = target_logprobs(backend, encoder, ragged, wanted)
    for row, text in enumerate(wanted):
        ids = torch.tensor(encoder.encode_ragged([text]).ids)
        before = torch.cat((torch.tensor([[2]]), ids[:, :-1]), dim=1)
        with torch.inference_mode():
            logits = backend.model(input_ids=torch.tensor([ragged.ids[row]]), decoder_input_ids=before).logits  # type: ignore[misc]
        plain = torch.log_softmax(logits, -1).gather(-1, ids[..., None])[0, :, 0].numpy()
        assert np.allclose(found[row], plain, atol=2e-4), text


@pytest.mark.parametrize("decoding", [Decoding(max_new_tokens=9), Decoding(max_new_tokens=9, num_beams=3)],
                         ids=["greedy", "beams"])
def test_it_writes_what_transformers_writes(directory: Path, decoding: Decoding) -> None:
    import torch

    backend, encoder = opened(directory)
    ragged = encoder.encode_ragged(TEXTS)
    for ids, ours in zip(ragged.ids, write(backend, encoder, ragged, decoding), strict=True):
        theirs = backend.model.generate(  # type: ignore[union-attr, operator]
            torch.tensor([ids]), max_new_tokens=9, num_beams=decoding.num_beams, do_sample=False,
            suppress_tokens=[1], decoder_start_token_id=2, eos_token_id=2)[0].tolist()
        plain = [token for token in theirs[1:] if token not in (1, 2)]
        assert list(ours.ids) == plain


def test_an_adapter_leaves_what_is_shared_alone(directory: Path) -> None:
    import torch

    model = build_seq2seq(directory, LabelSet((GENERATED,), "text_generation")).model
    names = {name for name, _ in wrap(model, rank=2, alpha=4.0).named_parameters() if "lora_" in name}
    assert names
    assert not any("lm_head" in name or "embed" in name or "shared" in name for name in names)
    asked = torch.tensor([[5, 6, 2]])
    with torch.no_grad():
        found = model(input_ids=asked, decoder_input_ids=asked).logits
        plain = build_seq2seq(directory, LabelSet((GENERATED,), "text_generation")).model
        assert torch.equal(found, plain(input_ids=asked, decoder_input_ids=asked).logits)  # products start at nothing
    assert json.loads((directory / "config.json").read_text(encoding="utf-8"))["is_encoder_decoder"]
