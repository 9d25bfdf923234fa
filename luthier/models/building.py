"""A pretrained encoder, to embed texts or with a head that classifies or finds answers: built to tune, or opened.

The one door to transformers' model classes. Weights come from safetensors only and remote code never runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from luthier import plugins
from luthier.errors import ModelError
from luthier.models import _tokenizer_files as tokenizer_files
from luthier.models.architecture import problem_of
from luthier.models.files import ModelFiles, read_json
from luthier.models.heads import modules_of, pass_first_token_on, reset_head, unnamed_head
from luthier.schema import LabelSet, ProblemType

if TYPE_CHECKING:
    import torch

Attention = Literal["sdpa", "eager"]

DROPOUTS = (
    "hidden_dropout_prob", "classifier_dropout", "dropout", "activation_dropout", "seq_classif_dropout",
    "pooler_dropout", "embedding_dropout", "mlp_dropout", "hidden_dropout", "resid_pdrop", "embd_pdrop", "dropout_rate",
)
"""The names that transformers' configurations give to dropout rates."""

ATTENTION_DROPOUTS = ("attention_probs_dropout_prob", "attention_dropout", "attn_pdrop")
"""The names of those that drop attention weights."""

_DOORS = {
    "token_classification": ("AutoModelForTokenClassification", "a token classifier"),
    "question_answering": ("AutoModelForQuestionAnswering", "a finder of answers"),
    "text_generation": ("AutoModelForSeq2SeqLM", "an encoder-decoder"),
    "dialogue": ("AutoModelForCausalLM", "a language model"),
    "masked_language_modelling": ("AutoModelForMaskedLM", "a masked language model"),
    "causal_language_modelling": ("AutoModelForCausalLM", "a language model"),
    "similarity": ("AutoModel", "an encoder of texts"),
    "retrieval": ("AutoModel", "an encoder of texts"),
}
"""Problem type -> transformers' class, and what to call its models; all others are classifiers of texts."""


_ALIGNED = 64
"""Bytes at whose multiples torch puts new tensors."""


@dataclass(frozen=True)
class Built:
    """A model to tune."""

    model: torch.nn.Module
    """In fp32 and eval mode; logits (B, C), or (B, T, C) for each token, or vectors of length 1, (B, D)."""
    new_modules: tuple[str, ...]
    """Names of the modules without pretrained weights, such as ``classifier``: they must be trained and saved."""


def build_classifier(
    files: ModelFiles | Path,
    outputs: LabelSet,
    *,
    dropout: float | None = None,
    attention_dropout: float | None = None,
    seed: int = 0,
    attention: Attention = "sdpa",
) -> Built:
    """Open a pretrained model and put a new head with C outputs on it.

    Args:
        files: the model's directory.
        outputs: C names in their order, written into the configuration: of classes, or of the tags of tokens.
        dropout: rate of the dropout layers; the model's own when left out.
        attention_dropout: rate at which attention weights are dropped; the model's own when left out.
        seed: of the new weights.
        attention: how attention is computed; the weights do not depend on it.

    Raises:
        ModelError: the directory cannot be opened, lacks weights of the encoder itself, or holds a decoder where tokens
            are to be classified, answers found, or texts embedded.
    """
    plugins.require("torch", "transformers")
    import torch

    directory = files.path if isinstance(files, ModelFiles) else Path(files)
    config = _config(directory, outputs)
    if outputs.per_token or outputs.of_embeddings:
        _check_sees_both_sides(config, directory)
    set_rates(config, DROPOUTS, dropout)
    set_rates(config, ATTENTION_DROPOUTS, attention_dropout)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model, info = open_weights(directory, config, attention, outputs.problem_type)
        missing = set(info["missing_keys"]) | {str(entry[0]) for entry in info["mismatched_keys"]}
        if not outputs.of_embeddings and unnamed_head(directory, outputs):
            missing |= reset_head(model)
        if not (outputs.per_token or outputs.of_embeddings):
            pass_first_token_on(model, missing)
    # An encoder alone has no prefix: all of it is the encoder.
    prefix = "" if outputs.of_embeddings else model.base_model_prefix + "."
    lost = sorted(key for key in missing if key.startswith(prefix) and "pooler" not in key)
    refuse_lost(directory, lost, f"{config.model_type} encoder")
    return Built(model.eval(), () if outputs.of_embeddings else modules_of(model, missing))


def refuse_lost(directory: Path, lost: Sequence[str], what: str) -> None:
    """Refuse weights that lack tensors of the model itself.

    Raises:
        ModelError: some are lost.
    """
    if lost:
        raise ModelError(f"the weights in {directory} lack {len(lost)} tensors of a {what}, such as {lost[0]}",
                         "the file is damaged or of another architecture: fetch the model again")


def refuse_unknown_ids(model: Any, ids: Iterable[Sequence[int]], directory: Path) -> None:
    """Refuse a tokenizer with tokens that were added without the model, once a text has one.

    Raises:
        ModelError: an id stands behind the last row of the word table.
    """
    most, room = max((max(row) for row in ids if len(row)), default=0), model.get_input_embeddings().weight.shape[0]
    if most >= room:
        raise ModelError(f"the tokenizer in {directory} gives the id {most}, and the model's table has {room} rows",
                         "take the tokenizer that the model was trained with, or enlarge the table once with "
                         "transformers: model.resize_token_embeddings(len(tokenizer))")


def load_classifier(directory: Path, *, attention: Attention = "sdpa") -> torch.nn.Module:
    """Open a finished classifier of texts or tokens, head and all, in fp32 and eval mode.

    Raises:
        ModelError: the directory cannot be opened, or any weight is missing or of another shape.
    """
    plugins.require("torch", "transformers")
    kind = problem_of(read_json(directory / "config.json")) if directory.is_dir() else None
    model, info = open_weights(directory, None, attention, kind or "single_label_classification")
    faults = sorted({*info["missing_keys"], *(str(entry[0]) for entry in info["mismatched_keys"])})
    if kind == "similarity":  # a pooler, which other models have, is dropped here
        faults = [name for name in faults if not name.startswith("pooler.")]
    if faults:
        raise ModelError(
            f"the weights in {directory} lack {len(faults)} tensors, such as {faults[0]}",
            "a classifier with random weights would be worthless: take another copy, or train again",
        )
    opened: torch.nn.Module = model.eval()
    return opened


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers from writing reports and progress bars to the terminal; errors still come through."""
    from transformers.utils import logging

    verbosity, progress = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if progress:
            logging.enable_progress_bar()


def _config(directory: Path, labels: LabelSet) -> Any:
    from transformers import AutoConfig

    with explained(directory), quiet():
        config = AutoConfig.from_pretrained(str(directory), local_files_only=True, trust_remote_code=False)
    config.id2label = dict(enumerate(labels.names))
    config.label2id = {name: number for number, name in enumerate(labels.names)}
    # What transformers knows no name for is left open; one output alone is learned and read in the same way.
    unnamed = labels.per_token or labels.of_embeddings or labels.of_candidates
    config.problem_type = None if unnamed else labels.problem_type
    if getattr(config, "pad_token_id", None) is None:
        # A decoder finds each row's last real token by it.
        tokenizer_config = tokenizer_files.read_tokenizer_config(directory)
        config.pad_token_id = tokenizer_files.pad_id(tokenizer_files.read_tokenizer(directory), config.to_dict(),
                                                     tokenizer_config)
    return config


def _check_sees_both_sides(config: Any, directory: Path) -> None:
    """Refuse to tag tokens, find answers or embed texts with a decoder, which has not read what stands behind a token,
    or an encoder-decoder.

    Raises:
        ModelError: names models that can.
    """
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        MODEL_FOR_MASKED_LM_MAPPING_NAMES,
    )

    kind = config.model_type
    fix = ("take an encoder: minilm-l6 (English), e5-small (Chinese and English), or one from a hub, such as "
           "bert-base-cased; {} this one")
    if getattr(config, "is_encoder_decoder", False):
        raise ModelError(f"{directory} holds an encoder-decoder ({kind}), which writes texts: it does not label "
                         "tokens, find answers or give a text one vector", fix.format("text-to-text takes"))
    if kind in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES and kind not in MODEL_FOR_MASKED_LM_MAPPING_NAMES:
        raise ModelError(f"{directory} holds a decoder ({kind}), which reads only what stands before a token: it "
                         "cannot tell what the token is part of, nor give a mean over tokens that means the text",
                         fix.format("text-classification, dialogue and text-to-text take"))


def set_rates(config: Any, names: tuple[str, ...], rate: float | None) -> None:
    """Set those of the names that the configuration has; ``None`` leaves all as they are."""
    for name in names:
        if rate is not None and hasattr(config, name):
            setattr(config, name, rate)


def open_weights(directory: Path, config: Any, attention: Attention, kind: ProblemType) -> tuple[Any, dict[str, Any]]:
    """Return the model in fp32 and what transformers says of the weights it found."""
    import torch
    import transformers

    door, what = _DOORS.get(kind, ("AutoModelForSequenceClassification", "a text classifier"))
    with explained(directory, what), quiet():
        model, info = getattr(transformers, door).from_pretrained(
            str(directory),
            **({} if config is None else {"config": config}),
            # Of encoder-decoders not all have the fused kernel; asked for nothing, transformers takes it where it is.
            **({} if kind == "text_generation" and attention == "sdpa" else {"attn_implementation": attention}),
            dtype=torch.float32,
            ignore_mismatched_sizes=True,  # told apart afterwards: a head may differ, an encoder may not
            local_files_only=True,
            output_loading_info=True,
            trust_remote_code=False,
            use_safetensors=True,
        )
    _align(model)
    if kind == "question_answering":
        model.register_forward_hook(_with_logits)
    if kind == "masked_language_modelling":
        from luthier.models.masked import asked_at_places

        asked_at_places(model)
    if kind in ("similarity", "retrieval"):
        if getattr(model, "pooler", None) is not None:
            model.pooler = None  # reads the first token alone
        model.register_forward_hook(_with_mean, with_kwargs=True)
    return model, info


def _align(model: Any) -> None:
    """Move weights to where new tensors begin, at multiples of 64 bytes; a file read in place has them anywhere.

    Products are summed in another order elsewhere (an AMD EPYC, a row of 384 inputs: results differ by some 1e-6), and
    then a bundle would not answer to the bit like the model that it was written from.
    """
    for tensor in (*model.parameters(), *model.buffers()):
        if tensor.data_ptr() % _ALIGNED:
            tensor.data = tensor.data.clone()


def _with_logits(_model: Any, _args: Any, output: Any) -> Any:
    """Put the two logits of each token side by side as ``logits``, (B, T, 2), as other models of tokens have them."""
    import torch

    output["logits"] = torch.stack((output.start_logits, output.end_logits), dim=-1)
    return output


def _with_mean(_model: Any, _args: Any, given: dict[str, Any], output: Any) -> Any:
    """Put the mean over each row's real tokens, at length 1, beside the states as ``logits``: (B, D) float32.

    As the ``Pooling`` and ``Normalize`` of the sentence-transformers library compute it.
    """
    import torch

    states = output.last_hidden_state.float()  # (B, T, D)
    mask = given.get("attention_mask")
    real = torch.ones_like(states[..., :1]) if mask is None else mask.unsqueeze(-1).to(states.dtype)  # (B, T, 1)
    mean = (states * real).sum(1) / real.sum(1).clamp(min=1e-9)
    output["logits"] = torch.nn.functional.normalize(mean, dim=-1)
    return output


@contextmanager
def explained(directory: Path, what: str = "a text classifier") -> Iterator[None]:
    """Turn what transformers raises for an unusable directory into one clear refusal."""
    from safetensors import SafetensorError

    if not directory.is_dir():
        raise ModelError(f"no model directory at {directory}", "check the path, or see `luthier models` for names")
    try:
        yield
    except (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError) as error:
        first = str(error).strip().split("\n")[0]
        raise ModelError(
            f"{directory} cannot be opened as {what}: {first}",
            "it needs a config.json of a model type that transformers knows and a model.safetensors",
        ) from error
