"""Encoder-decoders, which write a text for a text: opened to tune, and the tokens that their texts begin and end with.

Which can be opened is what ``AutoModelForSeq2SeqLM`` opens: T5, mT5, BART, Pegasus, Marian, mBART and others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from luthier.errors import ModelError
from luthier.models.building import Attention, Built
from luthier.models.files import ModelFiles, read_json
from luthier.models.writers import open_writer, read_config
from luthier.schema import LabelSet

_ADVICE = ("take a decoder, which is given a prompt: smollm2-135m (English, a package), or a hub id or directory of "
           "Llama, Qwen or their kin; an encoder-decoder, such as google-t5/t5-small or any T5, mT5, BART, Pegasus or "
           "Marian; or model.name=new-seq2seq, which starts from nothing")
OF_LANGUAGES = ("mbart", "m2m_100", "nllb-moe")
"""Model types whose texts carry the code of a language."""


@dataclass(frozen=True, slots=True)
class TargetTokens:
    """The tokens of an encoder-decoder that stand around what it writes."""

    start: int
    """Id that the decoder is given first."""
    eos: tuple[int, ...]
    """Ids that end a text; the first is the one that is learned."""
    pad: int


def build_seq2seq(
    files: ModelFiles | Path,
    outputs: LabelSet,
    *,
    dropout: float | None = None,
    attention_dropout: float | None = None,
    attention: Attention = "sdpa",
) -> Built:
    """Open a pretrained encoder-decoder; no part of it is new.

    Args:
        files: the model's directory.
        outputs: the one name, written into the configuration.
        dropout: rate of the dropout layers; the model's own when left out.
        attention_dropout: rate at which attention weights are dropped; the model's own when left out.
        attention: how attention is computed, where the model leaves a choice; the weights do not depend on it.

    Raises:
        ModelError: the directory cannot be opened, lacks weights, or holds a model of another kind.
    """
    directory = files.path if isinstance(files, ModelFiles) else Path(files)
    check_writes(read_json(directory / "config.json"), directory)
    model = open_writer(directory, outputs, "an encoder-decoder", dropout=dropout, attention_dropout=attention_dropout,
                        attention=attention)
    target_tokens(model.config, directory.name)
    return Built(model, ())


def check_writes(config: Mapping[str, Any], directory: Path) -> None:
    """Refuse a model that cannot write a text for a text, before its weights are read.

    Raises:
        ModelError: an encoder or a decoder alone; names what can.
    """
    kind = config.get("model_type")
    if not kind:
        return  # opening it says what is wrong
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES,
    )

    if kind in MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES and config.get("is_encoder_decoder", True):
        return
    what = "a decoder alone" if kind in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES and "bert" not in kind else "an encoder alone"
    raise ModelError(f"{directory} holds {what} ({kind}), and to write a text for a text takes an encoder and a "
                     "decoder in one, or a decoder with a prompt", _ADVICE)


def continues(directory: Path) -> bool:
    """Return whether the model in a directory is a decoder alone, which goes on with a text, and no encoder-decoder.

    Raises:
        ModelError: it is an encoder alone; names what can write.
    """
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        MODEL_FOR_MASKED_LM_MAPPING_NAMES,
        MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES,
    )

    config = read_json(directory / "config.json")
    kind = config.get("model_type")
    both = kind in MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES and config.get("is_encoder_decoder", True)
    if kind in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES and kind not in MODEL_FOR_MASKED_LM_MAPPING_NAMES and not both:
        return True
    check_writes(config, directory)
    return False


def check_languages(directory: Path, source: str | None, target: str | None) -> None:
    """Refuse a model of many languages of which it is not said from which to which it shall write.

    Raises:
        ModelError: says which settings are missing.
    """
    kind = read_json(directory / "config.json").get("model_type")
    if kind in OF_LANGUAGES and not (source and target):
        raise ModelError(f"{directory} holds a model of many languages ({kind}), and it is not said from which to "
                         "which it shall write",
                         "set task.source_language and task.target_language to codes as the model has them, such as "
                         "en_XX and de_DE")


def target_tokens_of(directory: Path) -> TargetTokens:
    """Return the tokens around what the model in a directory writes.

    Raises:
        ModelError: it is of a kind that cannot write, or its configuration cannot be read or lacks one.
    """
    check_writes(read_json(directory / "config.json"), directory)
    return target_tokens(read_config(directory, "an encoder-decoder"), directory.name)


def target_tokens(config: Any, name: str) -> TargetTokens:
    """Return the tokens around what a model writes, from its configuration.

    Raises:
        ModelError: the configuration lacks one.
    """
    eos, pad = getattr(config, "eos_token_id", None), getattr(config, "pad_token_id", None)
    start = getattr(config, "decoder_start_token_id", None)
    start = getattr(config, "bos_token_id", None) if start is None else start
    told = {"eos_token_id": eos, "pad_token_id": pad, "decoder_start_token_id": start}
    lacking = [key for key, value in told.items() if value is None]
    if lacking or eos is None or pad is None or start is None:
        raise ModelError(f"the configuration of {name} has no {lacking[0]}, so where its texts begin and end is not "
                         "known", f"add {', '.join(lacking)} to its config.json")
    ends = tuple(int(one) for one in eos) if isinstance(eos, list | tuple) else (int(eos),)
    return TargetTokens(int(start), ends, int(pad))
