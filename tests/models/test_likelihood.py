"""How likely given texts are: read whole or piece by piece, as transformers' own logits say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from luthier.models import likelihood, tiny_generators
from luthier.models.building import quiet
from luthier.models.likelihood import continued_logprobs, followed_logprobs, written_logprobs
from luthier.models.seq2seq import TargetTokens
from luthier.schema import Batch

PROMPTS = [[90, 91, 92], [93, 94, 95, 96, 97, 98, 99], [100]]
TEXTS = [[81, 82, 83, 84, 85, 2], [86, 2], [87, 88, 89, 90, 91, 92, 93, 2]]


def padded(rows: list[list[int]], filling: int) -> Any:
    found = np.full((len(rows), max(map(len, rows))), filling, np.int64)
    for row, ids in enumerate(rows):
        found[row, : len(ids)] = ids
    return found


def prompts() -> Batch:
    mask = padded([[1] * len(row) for row in PROMPTS], 0).astype(bool)
    return Batch(padded(PROMPTS, tiny_generators.PAD), mask, None, np.zeros(len(PROMPTS), bool))


def model(kind: str, directory: Path) -> Any:
    import transformers

    torch.manual_seed(0)
    ends = {"pad_token_id": 1, "eos_token_id": 2}
    with quiet():
        if kind == "bart":
            base = tiny_generators.make_seq2seq(directory, width=16)
            return transformers.BartForConditionalGeneration.from_pretrained(base).eval()
        if kind == "t5":
            return transformers.T5ForConditionalGeneration(transformers.T5Config(
                vocab_size=260, d_model=16, d_kv=4, d_ff=32, num_layers=2, num_heads=4, decoder_start_token_id=1,
                **ends)).eval()
        if kind == "gemma2":  # layers that see the last tokens only, and logits that are capped
            return transformers.Gemma2ForCausalLM(transformers.Gemma2Config(
                vocab_size=260, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
                num_key_value_heads=1, head_dim=8, sliding_window=3, initializer_range=0.4, bos_token_id=0,
                max_position_embeddings=64, **ends)).eval()
        return transformers.LlamaForCausalLM.from_pretrained(tiny_generators.make_causal(directory, width=16)).eval()


@pytest.mark.parametrize("kind", ["llama", "gemma2", "bart", "t5"])
@pytest.mark.parametrize("step", [1, 2, 5, 1000])
def test_likelihoods_are_those_of_single_rows(kind: str, step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                              ) -> None:
    writer, fed = model(kind, tmp_path / "base"), []
    monkeypatch.setattr(likelihood, "LOGITS", step * 3 * 260)
    hook = writer.get_output_embeddings().register_forward_hook(lambda *given: fed.append(given[-1].shape[1]))
    if kind in ("bart", "t5"):
        batch = prompts()
        given = {"input_ids": torch.from_numpy(batch.ids), "attention_mask": torch.from_numpy(batch.mask).long()}
        found = written_logprobs(writer, given, padded(TEXTS, -100), TargetTokens(1, (2,), 1))
    else:
        found = continued_logprobs(writer, prompts(), padded(TEXTS, -100))
    hook.remove()
    assert max(fed) <= step
    for row, (prompt, text) in enumerate(zip(PROMPTS, TEXTS, strict=True)):
        with torch.inference_mode():
            if kind in ("bart", "t5"):
                before = torch.tensor([[1, *text[:-1]]])
                logits = writer(input_ids=torch.tensor([prompt]), decoder_input_ids=before).logits
            else:
                logits = writer(input_ids=torch.tensor([prompt + text])).logits[:, len(prompt) - 1 : -1]
        wanted = logits[0].log_softmax(-1).gather(-1, torch.tensor(text)[:, None])[:, 0].numpy()
        np.testing.assert_allclose(found[row, : len(text)], wanted, atol=2e-5)


@pytest.mark.parametrize("kind", ["llama", "gemma2"])
@pytest.mark.parametrize("step", [1, 3, 1000])
def test_documents_are_read_piece_by_piece_as_if_whole(kind: str, step: int, tmp_path: Path,
                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    writer, fed = model(kind, tmp_path / "base"), []
    monkeypatch.setattr(likelihood, "LOGITS", step * 3 * 260)
    hook = writer.get_output_embeddings().register_forward_hook(lambda *given: fed.append(given[-1].shape[1]))
    found, right = followed_logprobs(writer, prompts(), padded([[*ids[1:], -1] for ids in PROMPTS], -1))
    hook.remove()
    assert max(fed) <= step
    for row, ids in enumerate(PROMPTS):
        with torch.inference_mode():
            logs = writer(input_ids=torch.tensor([ids])).logits[0].log_softmax(-1)[:-1]
        following = torch.tensor(ids[1:], dtype=torch.int64)
        wanted = logs.gather(-1, following[:, None])[:, 0].numpy()
        np.testing.assert_allclose(found[row, : len(following)], wanted, atol=2e-5)
        assert right[row, : len(following)].tolist() == (logs.argmax(-1) == following).tolist()
