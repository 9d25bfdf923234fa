from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from luthier.models import tiny_generators

MAKERS = [tiny_generators.make_seq2seq, tiny_generators.make_causal]


@pytest.mark.parametrize("make", MAKERS)
def test_same_seed_gives_same_files(make: Callable[..., Path], tmp_path: Path) -> None:
    one, same, other = (make(tmp_path / str(number), seed=seed) for number, seed in enumerate((3, 3, 4)))
    for path in one.iterdir():
        assert path.read_bytes() == (same / path.name).read_bytes()
    name = next(name for name in load_file(one / "model.safetensors") if name.endswith("q_proj.weight"))
    first, third = (load_file(path / "model.safetensors")[name] for path in (one, other))
    assert not np.array_equal(first, third)


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("text", ["The quick brown fox.", "心情很好，\n  风景很美。", "naïve 🎻\t", " leading"])
def test_every_text_comes_back(make: Callable[..., Path], text: str, tmp_path: Path) -> None:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(make(tmp_path) / "tokenizer.json"))
    ids = tokenizer.encode(text).ids
    assert tokenizer.decode(ids, skip_special_tokens=True) == text
    assert ids[0] == tiny_generators.BOS
    assert (ids[-1] == tiny_generators.EOS) == (make is tiny_generators.make_seq2seq)
    assert len(ids) == len(text.encode()) + (2 if make is tiny_generators.make_seq2seq else 1)


@pytest.mark.parametrize(("make", "name"), [
    (tiny_generators.make_seq2seq, "BartForConditionalGeneration"), (tiny_generators.make_causal, "LlamaForCausalLM"),
])
def test_transformers_finds_every_weight_and_every_mark(make: Any, name: str, tmp_path: Path) -> None:
    import transformers

    from luthier.models.building import quiet

    with quiet():
        model, info = getattr(transformers, name).from_pretrained(
            make(tmp_path, width=16, layers=3, max_length=40), output_loading_info=True)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    assert not info["mismatched_keys"]
    assert model.generation_config.eos_token_id == tiny_generators.EOS
    assert model.generation_config.pad_token_id == tiny_generators.PAD
    assert (model.config.hidden_size, model.config.max_position_embeddings) == (16, 40)
