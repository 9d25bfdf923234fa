"""Models that write texts, opened to tune: what encoder-decoders and causal language models have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from luthier.models.building import (
    ATTENTION_DROPOUTS,
    DROPOUTS,
    Attention,
    explained,
    open_weights,
    quiet,
    refuse_lost,
    set_rates,
)
from luthier.schema import LabelSet, ProblemType


def read_config(directory: Path, what: str) -> Any:
    """Return the configuration of the model in a directory, which is ``what``.

    Raises:
        ModelError: it cannot be read.
    """
    from transformers import AutoConfig

    with explained(directory, what), quiet():
        return AutoConfig.from_pretrained(str(directory), local_files_only=True, trust_remote_code=False)


def named_config(directory: Path, outputs: LabelSet, what: str) -> Any:
    """Return the configuration of the model in a directory, which is ``what``, with the one name of its output.

    Raises:
        ModelError: it cannot be read.
    """
    config = read_config(directory, what)
    config.id2label = dict(enumerate(outputs.names))
    config.label2id = {name: number for number, name in enumerate(outputs.names)}
    config.problem_type = None
    return config


def open_writer(
    directory: Path,
    outputs: LabelSet,
    what: str,
    *,
    dropout: float | None,
    attention_dropout: float | None,
    attention: Attention,
) -> Any:
    """Open a pretrained model that writes; no part of it is new.

    Args:
        directory: the model's.
        outputs: the one name, written into the configuration.
        what: the kind of model, for messages.
        dropout: rate of the dropout layers; the model's own when left out.
        attention_dropout: rate at which attention weights are dropped; the model's own when left out.
        attention: how attention is computed, where the model leaves a choice.

    Raises:
        ModelError: the directory cannot be opened, or lacks weights.
    """
    config = named_config(directory, outputs, what)
    set_rates(config, DROPOUTS, dropout)
    set_rates(config, ATTENTION_DROPOUTS, attention_dropout)
    # What the model is opens the door, and not what it is tuned for: a decoder may write texts for texts, too.
    kind: ProblemType = "text_generation" if config.is_encoder_decoder else "dialogue"
    model, info = open_weights(directory, config, attention, kind)
    lost = sorted({*info["missing_keys"], *(str(entry[0]) for entry in info["mismatched_keys"])})
    refuse_lost(directory, lost, f"{config.model_type} model")
    return model.eval()
