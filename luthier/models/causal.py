"""Causal language models, which go on with a text: opened to tune, and how likely a given continuation is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from luthier.errors import ModelError
from luthier.models import _tokenizer_files as tokenizer_files
from luthier.models.building import Attention, Built
from luthier.models.files import ModelFiles
from luthier.models.writers import open_writer
from luthier.schema import Batch, Float32, Int64, LabelSet

if TYPE_CHECKING:
    import torch

_ADVICE = ("take a causal language model: smollm2-135m (English, a package), or a hub id or directory of Llama, Qwen, "
           "Mistral, Gemma or their kin")


def build_causal(
    files: ModelFiles | Path,
    outputs: LabelSet,
    *,
    dropout: float | None = None,
    attention_dropout: float | None = None,
    attention: Attention = "sdpa",
) -> Built:
    """Open a pretrained causal language model; no part of it is new.

    Args:
        files: the model's directory.
        outputs: the one name, written into the configuration.
        dropout: rate of the dropout layers; the model's own when left out.
        attention_dropout: rate at which attention weights are dropped; the model's own when left out.
        attention: how attention is computed; the weights do not depend on it.

    Raises:
        ModelError: the directory cannot be opened, lacks weights, or holds a model of another kind.
    """
    directory = files.path if isinstance(files, ModelFiles) else Path(files)
    check_kind(directory)
    model = open_writer(directory, outputs, "a language model", dropout=dropout, attention_dropout=attention_dropout,
                        attention=attention)
    _plain_generation(model)
    return Built(model, ())


def check_kind(directory: Path) -> None:
    """Refuse a model that is no causal language model, before its weights are read.

    Raises:
        ModelError: an encoder, or an encoder-decoder; names what can.
    """
    config = tokenizer_files.read_json(directory / "config.json")
    kind = config.get("model_type")
    if not kind:
        return  # opening it says what is wrong
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        MODEL_FOR_MASKED_LM_MAPPING_NAMES,
    )

    if config.get("is_encoder_decoder"):
        raise ModelError(f"{directory} holds an encoder-decoder ({kind}), and a decoder alone is needed",
                         f"{_ADVICE}; text-to-text takes this one")
    if kind not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES or kind in MODEL_FOR_MASKED_LM_MAPPING_NAMES:
        raise ModelError(f"{directory} holds an encoder ({kind}), which cannot go on with a text", _ADVICE)


def continued_log_shares(model: Any, batch: Batch, targets: Int64) -> Float32:
    """Return how likely each token of B given continuations is, after the prompt and the right ones before it.

    Args:
        model: in evaluation mode.
        batch: the B prompts, padded on the right.
        targets: (B, T) int64, below 0 at padding.

    Returns:
        (B, T) float32, natural logarithms; what stands at padding means nothing.
    """
    import torch

    prompts, counts = batch.mask.sum(axis=1), (targets >= 0).sum(axis=1)
    mask = np.arange((prompts + counts).max()) < (prompts + counts)[:, None]
    ids = np.zeros(mask.shape, np.int64)
    for row, (size, count) in enumerate(zip(prompts.tolist(), counts.tolist(), strict=True)):
        ids[row, :size] = batch.ids[row, :size]
        ids[row, size : size + count] = targets[row, :count]
    # The logits of a token stand at the place before it.
    places = np.minimum(prompts[:, None] - 1 + np.arange(targets.shape[1]), mask.shape[1] - 1)
    device = next(model.parameters()).device
    with torch.inference_mode():
        states = model(input_ids=torch.from_numpy(ids).to(device),
                       attention_mask=torch.from_numpy(mask.astype(np.int64)).to(device)).logits
        rows = torch.arange(len(ids), device=device)[:, None]
        found = _shares(states[rows, torch.from_numpy(places).to(device)],
                        torch.from_numpy(np.maximum(targets, 0)).to(device))
    return np.asarray(found.cpu().numpy(), dtype=np.float32)


def _shares(logits: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Return (B, T) log probabilities of wanted tokens (B, T) from logits (B, T, V)."""
    return logits.float().log_softmax(-1).gather(-1, wanted[..., None])[..., 0]


def _plain_generation(model: Any) -> None:
    """Forget how its makers let it write: settings that contradict each other would keep it from being saved."""
    from transformers import GenerationConfig

    model.generation_config = GenerationConfig.from_model_config(model.config)
