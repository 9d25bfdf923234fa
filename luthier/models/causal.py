"""Causal language models, which go on with a text: opened to tune."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from luthier.errors import ModelError
from luthier.models.building import Attention, Built
from luthier.models.files import ModelFiles, read_json
from luthier.models.writers import open_writer
from luthier.schema import LabelSet

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
    config = read_json(directory / "config.json")
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


def _plain_generation(model: Any) -> None:
    """Forget how its makers let it write: settings that contradict each other would keep it from being saved."""
    from transformers import GenerationConfig

    model.generation_config = GenerationConfig.from_model_config(model.config)
