from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from luthier.models import tiny
from luthier.models.encoding import Encoder


def test_same_seed_gives_same_weights(tmp_path: Path) -> None:
    first, same, other = (
        load_file(tiny.make(tmp_path / str(n), seed=s) / "model.safetensors") for n, s in enumerate((3, 3, 4))
    )
    assert all(np.array_equal(first[name], same[name]) for name in first)
    assert not np.array_equal(first["embeddings.word_embeddings.weight"], other["embeddings.word_embeddings.weight"])


def test_given_texts_become_whole_tokens_and_others_are_spelt(tmp_path: Path) -> None:
    encoder = Encoder.load(tiny.make(tmp_path, texts=["marvellous"]))
    assert encoder.encode_ragged(["marvellous", "abc", "心情很好"]).lengths.tolist() == [3, 5, 6]


def test_common_chinese_and_ascii_are_known(tmp_path: Path) -> None:
    encoder = Encoder.load(tiny.make(tmp_path))
    unknown = tiny.SPECIAL.index("[UNK]")
    assert unknown not in encoder.encode_ragged(["风景很美，服务周到！ The quick brown fox: 0123456789 {}[]~"]).ids[0]


def test_configuration_matches_the_arguments(tmp_path: Path) -> None:
    tiny.make(tmp_path, width=16, layers=3, max_length=40)
    config = json.loads((tmp_path / "config.json").read_text())
    assert (config["hidden_size"], config["num_hidden_layers"], config["max_position_embeddings"]) == (16, 3, 40)
    tensors = load_file(tmp_path / "model.safetensors")
    assert tensors["embeddings.word_embeddings.weight"].shape == (config["vocab_size"], 16)
    assert all(tensor.dtype == np.float32 for tensor in tensors.values())


@pytest.mark.slow
def test_transformers_finds_every_weight_but_the_pooler(tmp_path: Path) -> None:
    from transformers import BertModel

    _, info = BertModel.from_pretrained(tiny.make(tmp_path), output_loading_info=True)
    assert set(info["missing_keys"]) == {"pooler.dense.weight", "pooler.dense.bias"}
    assert not info["unexpected_keys"]
    assert not info["mismatched_keys"]
