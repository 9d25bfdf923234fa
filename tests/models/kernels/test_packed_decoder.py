"""Decoders over packed rows against their own padded ones: answers and gradients; and nothing that waits for a GPU."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from test_packed import LENGTHS, answers, batch, tensors
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification

from luthier.models.kernels import installed, packed_decoder
from luthier.models.kernels.packed import packed_rows, padded
from luthier.models.kernels.varlen import Pattern, Rows, attend_by_row, in_words_of, missing

SHAPE = {"vocab_size": 90, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
         "num_key_value_heads": 2, "head_dim": 8, "intermediate_size": 64, "max_position_embeddings": 60,
         "num_labels": 5, "pad_token_id": 1, "bos_token_id": 2, "eos_token_id": 3}
KINDS = sorted(packed_decoder._TYPES)
WINDOWS: dict[str, dict[str, Any]] = {
    "mistral": {"sliding_window": 6},
    "qwen2": {"sliding_window": 6, "use_sliding_window": True, "max_window_layers": 1},
}


def made(kind: str = "llama", *, language: bool = False, **more: Any) -> Any:
    torch.manual_seed(0)
    config = AutoConfig.for_model(kind, **{**SHAPE, **more})
    door = AutoModelForCausalLM if language else AutoModelForSequenceClassification
    return door.from_config(config, attn_implementation="sdpa").train()


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
@pytest.mark.parametrize(("kind", "more"), [(kind, {}) for kind in KINDS] + list(WINDOWS.items()), ids=str)
def test_answers_and_gradients_are_those_of_padded_rows(kind: str, more: dict[str, Any], lengths: list[int]) -> None:
    model, given = made(kind, **more), batch(lengths)
    logits, right = answers(model, tensors(padded(given)))
    with packed_rows(model, "bf16") as (decision, packed):
        assert packed is not None, decision.reason
        arranged = packed.arrange(given)
        assert arranged["input_ids"].shape == (1, sum(lengths))  # type: ignore[union-attr]
        found, got = answers(model, tensors(arranged))
    torch.testing.assert_close(found, logits, rtol=1e-4, atol=1e-5)
    assert got.keys() == right.keys()
    for name, value in right.items():
        torch.testing.assert_close(got[name], value, rtol=1e-3, atol=1e-5)


def test_a_language_model_tells_the_same_of_every_token() -> None:
    model, given = made(language=True), batch(LENGTHS[1])
    right = model(**tensors(padded(given))).logits[torch.from_numpy(given.mask)]  # (N, V)
    with packed_rows(model, "bf16") as (_, packed):
        assert packed is not None
        found = model(**tensors(packed.arrange(given))).logits
    assert found.shape == (1, sum(LENGTHS[1]), 90)
    torch.testing.assert_close(found[0], right, rtol=1e-4, atol=1e-5)


def test_padded_rows_still_go_the_models_own_way() -> None:
    model, given = made(), tensors(padded(batch(LENGTHS[1])))
    logits, _ = answers(model, given)
    with packed_rows(model, "bf16"):
        assert torch.equal(answers(model, given)[0], logits)
    assert "forward" not in vars(model)
    assert model.config._attn_implementation == "sdpa"


@pytest.mark.parametrize("language", [False, True], ids=["classifier", "language model"])
def test_nothing_asks_a_gpu_for_a_number(language: bool) -> None:
    """On the device ``meta`` there are no numbers: whatever would wait for one fails."""
    model = made(language=language).to("meta")
    with installed(model, device="meta", precision="bf16") as parts, torch.autocast("cpu", torch.bfloat16):
        assert parts.decisions["layers"].value == "packed rows"
        assert not model.config.use_cache
        logits = model(**tensors(parts.arrange(batch(LENGTHS[1])), "meta")).logits
        assert logits.shape == ((1, sum(LENGTHS[1]), 90) if language else (4, 5))
        logits.float().sum().backward()
    assert model.config.use_cache
    assert all(weight.grad is not None and weight.grad.shape == weight.shape for weight in model.parameters())


@pytest.mark.parametrize(("change", "why"), [
    ({"attention_dropout": 0.1}, "attention weights are dropped"),
    ({"head_dim": 12}, "heads of a multiple of 8 up to 256, these have 12"),
    ({"rope_parameters": {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1e4}}, "rotary positions are dynamic"),
])
def test_what_cannot_be_packed_is_padded_and_says_why(change: dict[str, Any], why: str) -> None:
    with installed(made(**change), device="cuda", precision="bf16") as parts:
        assert parts.decisions["layers"].value == "padded rows"
        assert why in parts.decisions["layers"].reason


def test_a_model_whose_attention_is_set_keeps_it() -> None:
    model = made()
    model.config._attn_implementation = "eager"
    with packed_rows(model, "bf16") as (decision, _):
        assert "asked to be eager" in decision.reason


ROWS = Rows(torch.tensor([0, 4, 5], dtype=torch.int32), 4)


def row_by_row(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, **more: Any) -> torch.Tensor:
    """Stand for a fused function; a torch without shared heads wants as many keys as queries."""
    assert more.pop("enable_gqa", False) or query.shape == key.shape
    left, right = more.pop("window_size", (-1, 0 if more.pop("is_causal", False) else -1))
    return attend_by_row(query, key, value, ROWS, ROWS, Pattern(right == 0, None if left < 0 else left + 1, **more))


def of_2_10(*given: torch.Tensor, is_causal: bool = False) -> torch.Tensor:
    return row_by_row(*given, is_causal=is_causal)


def of_2_11(*given: torch.Tensor, scale: float | None = None, window_size: tuple[int, int] = (-1, -1)) -> torch.Tensor:
    return row_by_row(*given, scale=scale, window_size=window_size)


def of_2_12(*given: torch.Tensor, scale: float | None = None, window_size: tuple[int, int] = (-1, -1),
            enable_gqa: bool = False) -> torch.Tensor:
    return row_by_row(*given, scale=scale, window_size=window_size, enable_gqa=enable_gqa)


@pytest.mark.parametrize(("function", "pattern"), [
    *itertools.product((of_2_10, of_2_11, of_2_12), (Pattern(causal=True, scale=0.5), Pattern())),
    *itertools.product((of_2_11, of_2_12), (Pattern(causal=True, window=2),)),
], ids=str)
def test_each_torch_is_told_in_its_own_words(function: Any, pattern: Pattern) -> None:
    torch.manual_seed(0)
    query, key, value = torch.randn(5, 4, 8), torch.randn(5, 2, 8), torch.randn(5, 2, 8)
    *given, arguments = in_words_of(function, query, key, value, pattern)
    right = attend_by_row(query, key, value, ROWS, ROWS, pattern)
    torch.testing.assert_close(function(*given, **arguments), right)


def test_this_torch_has_all_its_words() -> None:
    from torch.nn.attention.varlen import varlen_attn

    query, key = torch.zeros(3, 4, 8), torch.zeros(3, 2, 8)
    *_, arguments = in_words_of(varlen_attn, query, key, key, Pattern(causal=True, window=7, scale=0.5))
    assert arguments == {"window_size": (6, 0), "scale": 0.5, "enable_gqa": True}


def test_an_old_torch_without_windows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.nn.attention.varlen.varlen_attn", of_2_10)
    assert missing(8) is None
    assert "has no windows over packed rows; 2.11 has" in str(missing(8, windowed=True))


def test_a_window_counts_the_token_itself() -> None:
    value = torch.eye(5)[:, None]  # each token's value is a column of its own
    rows = Rows(torch.tensor([0, 5], dtype=torch.int32), 5)
    seen = attend_by_row(torch.zeros(5, 1, 5), torch.zeros(5, 1, 5), value, rows, rows, Pattern(causal=True, window=2))
    assert (seen[:, 0] > 0).tolist() == [[column in (row, row - 1) for column in range(5)] for row in range(5)]
