"""Encoders that tell hidden tokens from those around them: opened, or given a head; asked at hidden places alone."""

from __future__ import annotations

from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luthier.errors import ModelError
from luthier.models.building import ATTENTION_DROPOUTS, DROPOUTS, Attention, Built, open_weights, refuse_lost, set_rates
from luthier.models.files import ModelFiles, read_json
from luthier.models.writers import named_config
from luthier.schema import LabelSet

if TYPE_CHECKING:
    import torch

WANTED = "wanted"
"""Argument of a model: (B, T) bool, the places that are asked for; without it all are."""

_WANTED: ContextVar[Any] = ContextVar("wanted", default=None)
"""The places of the batch that is being computed."""


def build_masked(
    files: ModelFiles | Path,
    outputs: LabelSet,
    *,
    dropout: float | None = None,
    attention_dropout: float | None = None,
    seed: int = 0,
    attention: Attention = "sdpa",
) -> Built:
    """Open an encoder with its head for hidden tokens, or with a new one where it has none.

    The output is tied to the word vectors. The layer of a new head begins as the identity, so that what the encoder
    gives is held against the word vectors as it is.

    Args:
        files: the model's directory.
        outputs: the one name, written into the configuration.
        dropout: rate of the dropout layers; the model's own when left out.
        attention_dropout: rate at which attention weights are dropped; the model's own when left out.
        seed: of what else is new.
        attention: how attention is computed; the weights do not depend on it.

    Raises:
        ModelError: the directory cannot be opened, lacks weights of the encoder itself, or holds no encoder.
    """
    import torch

    directory = files.path if isinstance(files, ModelFiles) else Path(files)
    _check_kind(directory)
    config = named_config(directory, outputs, "a masked language model")
    config.is_decoder = False
    set_rates(config, DROPOUTS, dropout)
    set_rates(config, ATTENTION_DROPOUTS, attention_dropout)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model, info = open_weights(directory, config, attention, outputs.problem_type)
    missing = set(info["missing_keys"]) | {str(entry[0]) for entry in info["mismatched_keys"]}
    lost = sorted(key for key in missing if key.startswith(f"{model.base_model_prefix}.") and "pooler" not in key)
    refuse_lost(directory, lost, f"{config.model_type} encoder")
    return Built(model.eval(), _new_parts(model, missing))


def asked_at_places(model: Any) -> None:
    """Let a model take ``wanted`` and give logits (M, V) of those M places alone, row after row.

    The output has a number for each of V words, and hidden tokens are a seventh of all: the others' would only fill the
    memory (Warner et al., "Smarter, Better, Faster, Longer", 2024, leave them out as well).
    """
    if model.base_model is model:
        raise ModelError(f"a {type(model).__name__} does not say which of its parts is the encoder",
                         "take an encoder of another architecture, such as BERT, RoBERTa or ModernBERT")
    model.register_forward_pre_hook(_take, with_kwargs=True)
    model.base_model.register_forward_hook(_choose)
    model.register_forward_hook(_forget, always_call=True)


def _take(_model: Any, args: Any, given: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    _WANTED.set(given.pop(WANTED, None))
    return args, given


def _choose(_encoder: Any, _args: Any, output: Any) -> Any:
    """Leave of (B, T, D) states those of the wanted places, (M, D)."""
    wanted = _WANTED.get()
    if wanted is not None:
        output["last_hidden_state"] = output["last_hidden_state"][wanted]
    return output


def _forget(_model: Any, _args: Any, _output: Any) -> None:
    _WANTED.set(None)


def _check_kind(directory: Path) -> None:
    """Refuse what is no encoder, before its weights are read."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

    config = read_json(directory / "config.json")
    kind = config.get("model_type")
    if kind and (config.get("is_encoder_decoder") or kind not in MODEL_FOR_MASKED_LM_MAPPING_NAMES):
        raise ModelError(f"{directory} holds a {kind} model, which does not tell hidden tokens from those around them",
                         "take an encoder: minilm-l6 (English), e5-small (Chinese and English), or one from a hub, "
                         "such as bert-base-cased; the task causal-language-modelling takes decoders")


def _new_parts(model: torch.nn.Module, missing: set[str]) -> tuple[str, ...]:
    """Return the modules of the head that have no pretrained weights; the output is not one: it is the word table."""
    import torch

    output = model.get_output_embeddings()  # type: ignore[operator]  # nn.Module types it as Tensor | Module
    found = []
    for name, module in model.named_modules():
        own = [f"{name}.{key}" for key, _ in module.named_parameters(recurse=False)]
        if module is output or not own or not set(own) <= missing:
            continue
        if any(part is output for part in module.modules()):
            continue  # what holds the output holds its bias, too, and would be trained with the whole table
        found.append(name)
        if isinstance(module, torch.nn.Linear) and module.in_features == module.out_features:
            torch.nn.init.eye_(module.weight)
    return tuple(found)
