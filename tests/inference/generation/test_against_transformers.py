"""The reference: ``generate`` of transformers, asked one row at a time, writes the same."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from luthier.inference.generation import Decoding

PROMPTS = st.lists(st.lists(st.integers(81, 128), min_size=1, max_size=9), min_size=1, max_size=4)
RULES = {"repetition_penalty": st.sampled_from([1.0, 0.8, 1.5]), "no_repeat_ngram_size": st.integers(0, 3),
         "min_new_tokens": st.sampled_from([0, 3, 9]), "max_new_tokens": st.integers(9, 13)}
BEAMS = {"num_beams": st.integers(2, 4), "length_penalty": st.sampled_from([1.0, 0.0, 2.0, -0.5]),
         "early_stopping": st.sampled_from([False, True, "never"])}
# The models are shared: nothing changes them.
GIVEN = settings(max_examples=8, derandomize=True,
                 suppress_health_check=[HealthCheck.function_scoped_fixture])


def reference(writer: Any, prompt: list[int], decoding: Decoding) -> tuple[tuple[int, ...], str, float]:
    """Return ids, why they ended, and of beams the score."""
    from transformers import GenerationConfig

    marks = writer.marks
    config = GenerationConfig(
        **decoding.model_dump(include={"num_beams", "length_penalty", "early_stopping", "repetition_penalty",
                                       "no_repeat_ngram_size", "max_new_tokens"}),
        min_new_tokens=decoding.min_new_tokens or None, eos_token_id=list(marks.eos), pad_token_id=marks.pad,
        decoder_start_token_id=marks.start[0] if marks.start else None, do_sample=False,
        return_dict_in_generate=True, output_scores=True)
    ids = torch.tensor([prompt])
    answer = writer.model.generate(ids, attention_mask=torch.ones_like(ids), generation_config=config)
    written = answer.sequences[0].tolist()[1 if marks.start else len(prompt):]
    end = next((place for place, token in enumerate(written) if token in marks.eos), None)
    score = float(answer.sequences_scores[0]) if decoding.num_beams > 1 else float("nan")
    return tuple(written[:end]), "length" if end is None else "stop", score


def compare(writer: Any, prompts: list[list[int]], decoding: Decoding) -> None:
    for prompt, ours in zip(prompts, writer.write(prompts, decoding), strict=True):
        ids, finish, score = reference(writer, prompt, decoding)
        assert (ours.ids, ours.finish) == (ids, finish)
        if decoding.num_beams > 1:
            assert ours.score == pytest.approx(score, abs=1e-4)


@GIVEN
@given(prompts=PROMPTS, rules=st.fixed_dictionaries(RULES))
def test_the_likeliest_tokens_are_those_of_transformers(writer: Any, prompts: list[list[int]], rules: dict[str, Any],
                                                        ) -> None:
    compare(writer, prompts, Decoding(**rules))


@GIVEN
@given(prompts=PROMPTS, rules=st.fixed_dictionaries(RULES | BEAMS))
def test_beams_and_their_scores_are_those_of_transformers(writer: Any, prompts: list[list[int]], rules: dict[str, Any],
                                                          ) -> None:
    compare(writer, prompts, Decoding(**rules))


@pytest.mark.slow
@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(prompts=PROMPTS, rules=st.one_of(st.fixed_dictionaries(RULES), st.fixed_dictionaries(RULES | BEAMS)))
def test_many_prompts_are_answered_as_transformers_does(writer: Any, prompts: list[list[int]], rules: dict[str, Any],
                                                        ) -> None:
    compare(writer, prompts, Decoding(**rules))


@pytest.mark.parametrize("beams", [1, 3])
def test_a_cache_of_windows_is_kept_in_order_too(causal: Any, prompts: list[list[int]], beams: int) -> None:
    """Layers that hold the last tokens only stay as transformers made them; Gemma 2 has both sorts."""
    from transformers import Gemma2Config, Gemma2ForCausalLM

    torch.manual_seed(0)
    model = Gemma2ForCausalLM(Gemma2Config(
        vocab_size=260, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, head_dim=8, sliding_window=5, initializer_range=0.4, pad_token_id=1, eos_token_id=2,
        bos_token_id=0, max_position_embeddings=64))
    compare(type(causal)(model.eval(), causal.marks), prompts, Decoding(num_beams=beams, max_new_tokens=14))
