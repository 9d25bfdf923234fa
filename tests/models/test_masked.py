"""Encoders that tell hidden tokens: the head, its start, and logits of the asked places alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from luthier.errors import ModelError
from luthier.models.lora import load_adapter, save_adapter, wrap
from luthier.models.masked import WANTED, build_masked
from luthier.models.tiny_generators import make_causal, make_seq2seq
from luthier.schema import TOKEN, LabelSet

LABELS = LabelSet((TOKEN,), "masked_language_modelling")


def test_a_new_head_begins_as_the_identity_and_is_tied_to_the_words(tiny_model: Path) -> None:
    import torch

    built = build_masked(tiny_model, LABELS)
    head = built.model.cls.predictions
    assert built.new_modules == ("cls.predictions.transform.dense", "cls.predictions.transform.LayerNorm")
    assert torch.equal(head.transform.dense.weight, torch.eye(head.transform.dense.in_features))
    assert head.decoder.weight is built.model.get_input_embeddings().weight
    assert built.model.config.problem_type is None


def test_a_head_that_is_there_is_kept(tiny_model: Path, tmp_path: Path) -> None:
    import torch

    built = build_masked(tiny_model, LABELS)
    torch.nn.init.normal_(built.model.cls.predictions.transform.dense.weight)
    built.model.save_pretrained(tmp_path)
    again = build_masked(tmp_path, LABELS)
    assert again.new_modules == ()
    assert torch.equal(again.model.cls.predictions.transform.dense.weight,
                       built.model.cls.predictions.transform.dense.weight)


def test_logits_of_asked_places_are_those_of_all(tiny_model: Path) -> None:
    import torch

    model = build_masked(tiny_model, LABELS).model
    ids = torch.tensor([[2, 9, 4, 8, 3], [2, 4, 3, 0, 0]])
    mask, wanted = ids != 0, ids == 4
    with torch.inference_mode():
        every = model(input_ids=ids, attention_mask=mask.long()).logits
        some = model(input_ids=ids, attention_mask=mask.long(), **{WANTED: wanted}).logits
        again = model(input_ids=ids, attention_mask=mask.long()).logits
    assert some.shape == (2, model.config.vocab_size)
    torch.testing.assert_close(some, every[wanted])
    assert torch.equal(every, again)  # nothing is left behind of what was asked


def test_an_adapter_opens_again_with_its_head(tiny_model: Path, tmp_path: Path) -> None:
    import torch

    built = build_masked(tiny_model, LABELS)
    model = wrap(built.model, rank=2, alpha=4.0, trained=built.new_modules).eval()
    for name, weight in model.named_parameters():
        if "lora_B" in name or "transform" in name:
            torch.nn.init.normal_(weight, std=0.1)
    save_adapter(model, tmp_path, base_name="base")
    ids = torch.tensor([[2, 9, 4, 8, 3]])
    with torch.inference_mode():
        assert torch.equal(load_adapter(tmp_path, tiny_model)(ids).logits, model(ids).logits)
    assert (tmp_path / "adapter_model.safetensors").stat().st_size < 500_000  # the word table is not in it


@pytest.mark.parametrize("make", [make_causal, make_seq2seq])
def test_what_is_no_encoder_is_refused(make, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="does not tell hidden tokens.*\n.*minilm-l6"):
        build_masked(make(tmp_path / "base"), LABELS)


def test_weights_that_lack_the_encoder_are_refused(tiny_model: Path, tmp_path: Path) -> None:
    import shutil

    from safetensors.numpy import load_file, save_file

    place = shutil.copytree(tiny_model, tmp_path / "copy")
    weights = load_file(place / "model.safetensors")
    del weights["encoder.layer.0.output.dense.weight"]
    save_file(weights, place / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match="lack 1 tensors of a bert encoder"):
        build_masked(place, LABELS)
