"""Models of many languages: the code that their texts carry."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import luthier
from luthier.bundle import read_manifest
from luthier.errors import ModelError
from luthier.inference import verify
from luthier.models.encoding import Encoder
from luthier.models.seq2seq import check_languages
from luthier.models.tiny_generators import make_seq2seq
from luthier.tasks import text_to_text

ENGLISH, GERMAN = 260, 261


def many(directory: Path, template: str = "en_XX $A </s>") -> Path:
    """Write a tokenizer and a configuration as mBART has them, beside the weights of another model."""
    from tokenizers import AddedToken, Tokenizer, processors

    make_seq2seq(directory)
    tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
    tokenizer.add_special_tokens([AddedToken("en_XX", special=True), AddedToken("de_DE", special=True)])
    tokenizer.post_processor = processors.TemplateProcessing(
        single=template, special_tokens=[("</s>", 2), ("en_XX", ENGLISH)])
    tokenizer.save(str(directory / "tokenizer.json"))
    config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    (directory / "config.json").write_text(json.dumps({**config, "model_type": "mbart"}), encoding="utf-8")
    return directory


@pytest.mark.parametrize(("template", "before"), [("en_XX $A </s>", True), ("$A </s> en_XX", False)])
def test_another_language_takes_the_place_of_the_tokenizers_own(template: str, before: bool, tmp_path: Path) -> None:
    place = many(tmp_path / "m", template)
    own, other = Encoder.load(place), Encoder.load(place, language="de_DE")
    (english,), (german,) = own.encode_ragged(["x y"]).ids, other.encode_ragged(["x y"]).ids
    assert german == [GERMAN if token == ENGLISH else token for token in english]
    assert (german[0] == GERMAN, german[-1] == GERMAN) == (before, not before)
    other.save(tmp_path / "saved")
    (tmp_path / "saved" / "config.json").write_text("{}", encoding="utf-8")
    assert Encoder.load(tmp_path / "saved").encode_ragged(["x y"]).ids == [german]
    cut = Encoder.load(place, language="de_DE", max_length=8).encode_ragged(["a long text"])
    assert (len(cut.ids[0]), GERMAN in cut.ids[0], bool(cut.truncated[0])) == (8, True, True)
    assert other.text_of(german) == "x y"


def test_languages_that_are_not_there_are_refused(tmp_path: Path) -> None:
    place = many(tmp_path / "m")
    with pytest.raises(ModelError, match=r"no language 'fr_XX'\n.*such as en_XX"):
        Encoder.load(place, language="fr_XX")
    with pytest.raises(ModelError, match=r"carry no code of a language\n.*leave task.source_language"):
        Encoder.load(make_seq2seq(tmp_path / "plain"), language="de_DE")
    check_languages(place, "en_XX", "de_DE")
    check_languages(tmp_path / "plain", None, None)
    with pytest.raises(ModelError, match=r"many languages \(mbart\), and it is not said.*\n.*task.target_language"):
        check_languages(place, "en_XX", None)


def test_what_is_weighed_is_what_is_learned(tmp_path: Path) -> None:
    """In its own language, with its own width and signs, up to its end."""
    place = many(tmp_path / "m", "$A </s> en_XX")
    settings = text_to_text.Settings(source_language="en_XX", target_language="de_DE")
    encoder = text_to_text.encoder(place, settings, max_length=None, normalize="nfkc")
    (ids,) = encoder.written(["１ y"])
    letters = Encoder.load(place, normalize="none", language="de_DE").encode_ragged(["１ y"]).ids[0]
    assert ids == letters[: letters.index(2) + 1]
    assert encoder.encode_ragged(["１ y"]).ids[0] == Encoder.load(place, normalize="nfkc").encode_ragged(["1 y"]).ids[0]


def test_the_length_at_which_sources_are_cut_cuts_nothing_that_is_written(tmp_path: Path) -> None:
    model, bundle, text = make_seq2seq(tmp_path / "m"), tmp_path / "bundle", "far more letters than eight"
    fresh = text_to_text.encoder(model, text_to_text.Settings(), max_length=8, normalize="nfc")
    fresh.save(bundle)
    (bundle / "config.json").write_bytes((model / "config.json").read_bytes())
    stored = text_to_text.encoder(bundle, text_to_text.Settings(), max_length=8, normalize="nfc", stored=True)
    assert len(stored.encode_ragged([text]).ids[0]) == 8
    assert stored.written([text]) == fresh.written([text])
    assert len(stored.written([text])[0]) > 8


@pytest.mark.slow
def test_it_is_tuned_from_one_language_to_another(tmp_path: Path) -> None:
    import torch
    from transformers import MBartConfig, MBartForConditionalGeneration

    place = many(tmp_path / "m")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        MBartForConditionalGeneration(MBartConfig(
            vocab_size=262, d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
            decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, max_position_embeddings=64,
            pad_token_id=1, eos_token_id=2, bos_token_id=0, decoder_start_token_id=2, forced_eos_token_id=None,
        )).save_pretrained(place)
    rows = [{"en": f"row {number}", "de": f"Zeile {number}"} for number in range(60)]
    (tmp_path / "p.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    settings: dict[str, Any] = {"name": "text-to-text", "source_language": "en_XX", "target_language": "de_DE",
                                "decoding": {"max_new_tokens": 6}}
    run = luthier.train(tmp_path / "p.jsonl", model=str(place), task=settings, out=tmp_path / "out", threads=1,
                        progress=False, train={"num_train_epochs": 30, "learning_rate": 5e-3, "precision": "fp32"},
                        evaluation={"bootstrap": 100, "baseline": False, "untuned": False})
    assert verify(run.path).ok
    assert read_manifest(run.path).task.settings["target_language"] == "de_DE"
    predictor = luthier.load(run.path)
    assert predictor.encode(["row"]).ids[0][0] == ENGLISH
    written = predictor.backend.generate(  # type: ignore[attr-defined]
        predictor.encoder.collate(predictor.encode(["row 7"]), [0]), predictor.task_settings.decoding,
        text_of=predictor.encoder.text_of, rows=[0])
    assert written[0].ids[0] == GERMAN
    (wanted,) = predictor.encoder.written(["Zeile 7"])
    assert (wanted[0], wanted[-1]) == (GERMAN, 2)
