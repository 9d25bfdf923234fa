"""Tiny models that write: an encoder with a decoder in two architectures, and a decoder alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch

from luthier.inference.generation import Decoding, Marks, Stop, Written, generate
from luthier.models import tiny_generators
from luthier.models.building import quiet
from luthier.schema import Batch

VOCABULARY = 260
EOS = (2, *range(10, 70, 3), *range(140, 200, 4))
"""Many, so that random models end their texts here and there."""
KINDS = ("bart", "t5", "llama")


@dataclass(frozen=True)
class Writer:
    """A model with what it takes to let it write."""

    model: Any
    marks: Marks
    fed: list[tuple[int, int]] = field(default_factory=list)
    """(rows, tokens) of each call of its decoder."""

    def write(self, prompts: Sequence[Sequence[int]], decoding: Decoding, *, rows: Sequence[int] | None = None,
              stop: Stop | None = None) -> list[Written]:
        return generate(self.model, batch_of(prompts), decoding, self.marks, text_of=spelt,
                        rows=range(len(prompts)) if rows is None else rows, stop=stop)


def spelt(ids: Sequence[int]) -> str:
    """One letter a token."""
    return "".join(chr(0x100 + token) for token in ids)


def batch_of(prompts: Sequence[Sequence[int]]) -> Batch:
    mask = np.arange(max(map(len, prompts))) < np.array([len(prompt) for prompt in prompts])[:, None]
    ids = np.full(mask.shape, tiny_generators.PAD, np.int64)
    ids[mask] = np.concatenate(prompts)
    return Batch(ids, mask, None, np.zeros(len(prompts), bool))


def _model(kind: str, directory: Any) -> Any:
    from transformers import (
        BartForConditionalGeneration,
        LlamaForCausalLM,
        T5Config,
        T5ForConditionalGeneration,
    )

    with quiet():
        if kind == "bart":
            return BartForConditionalGeneration.from_pretrained(tiny_generators.make_seq2seq(directory, width=16))
        if kind == "llama":
            return LlamaForCausalLM.from_pretrained(tiny_generators.make_causal(directory, width=16))
        torch.manual_seed(0)
        return T5ForConditionalGeneration(T5Config(
            vocab_size=VOCABULARY, d_model=16, d_kv=4, d_ff=32, num_layers=2, num_heads=4, pad_token_id=1,
            eos_token_id=2, decoder_start_token_id=1))


@pytest.fixture(scope="session")
def writers(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Writer]:
    made: dict[str, Writer] = {}

    def writer(kind: str) -> Writer:
        if kind not in made:
            model = _model(kind, tmp_path_factory.mktemp(kind))
            random = torch.Generator().manual_seed(5)
            for weight in model.parameters():
                if weight.dim() > 1:  # wide enough that what is written changes with what was read
                    weight.data.normal_(0, 1.5 * weight.shape[1] ** -0.5, generator=random)
            start = () if kind == "llama" else (model.config.decoder_start_token_id,)
            made[kind] = Writer(model.eval(), Marks(EOS, tiny_generators.PAD, start))
            _count(made[kind])
        made[kind].fed.clear()
        return made[kind]

    return writer


def _count(writer: Writer) -> None:
    decoder = writer.model.get_decoder()
    decoder.register_forward_pre_hook(
        lambda _, given, named: writer.fed.append(tuple((given[0] if given else named["input_ids"]).shape)),
        with_kwargs=True)


@pytest.fixture(params=KINDS)
def writer(request: pytest.FixtureRequest, writers: Callable[[str], Writer]) -> Writer:
    """Each of the three."""
    return writers(request.param)


@pytest.fixture
def causal(writers: Callable[[str], Writer]) -> Writer:
    return writers("llama")


@pytest.fixture
def seq2seq(writers: Callable[[str], Writer]) -> Writer:
    return writers("bart")


@pytest.fixture
def prompts() -> list[list[int]]:
    """Seven of different lengths."""
    random = np.random.default_rng(1)
    return [random.integers(81, 129, size).tolist() for size in (3, 9, 1, 6, 12, 5, 2)]
