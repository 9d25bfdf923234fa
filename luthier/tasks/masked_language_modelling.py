"""Masked language modelling: an encoder goes on learning a language, or a field's way with it, from texts alone.

Hidden tokens are told from those around them (Devlin et al., "BERT", 2019). What was learned so is where other tasks
start from (Gururangan et al., "Don't Stop Pretraining", 2020).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from luthier import recipe
from luthier.models.blocks import USUAL, BlockEncoder
from luthier.models.building import Attention, Built
from luthier.models.encoding import Ragged
from luthier.models.files import ModelFiles
from luthier.models.masking import SPECIAL, HiddenRows
from luthier.schema import Example, Fill, Filled, Float32, LabelSet, TextInput
from luthier.tasks import _modelling, text_to_text
from luthier.tasks._tokens import IGNORED, TokenTargets
from luthier.text.normalize import Form
from luthier.text.said import Said

if TYPE_CHECKING:
    import torch

TITLE = "Masked language modelling"
PROBLEMS = ("masked_language_modelling",)
ANSWER = Filled
FILLS = True
"""Whether its answers stand at masks, which a backend is asked for place by place."""
OFFSETS = False
WINDOWS = False
METRICS = ("accuracy", "loss", "perplexity")
"""What ``metrics`` gives; less is better of ``loss`` and of ``perplexity``, its exponential."""
LEAST_STEPS = 300
"""Optimiser steps below which an encoder has hardly taken on a field."""
LEARNING_RATES = {"full": 1e-4}
HEAD_LEARNING_RATE = None
GUESS = Said("knowing how common each token is", "只知道每个词元有多常见")
UNWEIGHED = "tokens of texts are no classes"
ANSWERING = ("top_k",)
"""Settings that only decide how it answers, and may be changed where a bundle is used."""
BEST_METRIC = "loss"


class Settings(recipe.Settings):
    """The task's own settings."""

    mlm_probability: float = Field(0.15, gt=0, lt=1)
    """Share of the tokens, or of the words, that are hidden."""
    whole_word_masking: bool = False
    """Hide all pieces of a word together; a Chinese character is a word."""
    pack: bool = True
    """Learn from blocks that go on with the next document where one ends; else each document has its own blocks."""
    top_k: int = Field(5, ge=1, le=1000)
    """Tokens that are told for each mask when it serves."""


def outputs(labels: LabelSet) -> LabelSet:
    """Return what is told, as ``config.json`` and the probes call it."""
    return labels


def weighed(_labels: LabelSet) -> tuple[str, ...]:
    """Return nothing: a token is no class."""
    return ()


def encoder(directory: Path, settings: Settings, *, max_length: int | None, normalize: Form,
            stored: bool = False) -> BlockEncoder:  # noqa: ARG001 - as other tasks are asked
    """Open the tokenizer of a model or bundle, which lays documents out.

    Raises:
        ModelError: see ``BlockEncoder.load``.
    """
    return BlockEncoder.load(directory, max_length=max_length, normalize=normalize,
                             mlm_probability=settings.mlm_probability, whole_words=settings.whole_word_masking)


def learned_rows(examples: Sequence[Example], max_length: int | None, settings: Settings) -> int:
    """Return about how many rows are learned from: blocks, and not documents."""
    return _modelling.blocks_of(examples, max_length or USUAL[True], together=settings.pack)


def build(
    files: ModelFiles | Path,
    labels: LabelSet,
    *,
    dropout: float | None = None,
    attention_dropout: float | None = None,
    seed: int = 0,
    attention: Attention = "sdpa",
) -> Built:
    """Open an encoder with its head for hidden tokens, or with a new one where it has none.

    Raises:
        ModelError: it cannot be opened, or is no encoder; the message names what is.
    """
    from luthier.models.masked import build_masked

    return build_masked(files, labels, dropout=dropout, attention_dropout=attention_dropout, seed=seed,
                        attention=attention)


def finish(_model: torch.nn.Module, _labels: LabelSet) -> None:
    """Leave a tuned model as it is."""


def targets(examples: Sequence[Example], _labels: LabelSet, ragged: Ragged) -> TokenTargets:  # noqa: ARG001 - the seam's
    """Return all tokens of blocks but special ones: what may be hidden; see ``hidden``.

    Args:
        examples: not read: blocks are of several.
        ragged: the blocks; ``sequence`` tells the words.
    """
    words = ragged.sequence or [np.zeros(len(ids), np.int64) for ids in ragged.ids]
    return TokenTargets([np.where(own == SPECIAL, IGNORED, np.asarray(ids, np.int64))
                         for ids, own in zip(ragged.ids, words, strict=True)])


def hidden(ragged: Ragged, encoder: BlockEncoder, *, seed: int | None) -> TokenTargets:
    """Return the targets of blocks whose tokens are hidden, other ones in each epoch.

    Args:
        ragged: the blocks.
        encoder: of the model.
        seed: of the draws; ``None`` hides the same tokens always.
    """
    assert encoder.masking is not None  # noqa: S101 - this task's has it
    return TokenTargets(HiddenRows(encoder.masking, ragged.ids, ragged.sequence or [], seed=seed))


def loss(
    logits: torch.Tensor,
    targets: torch.Tensor,
    *,
    class_weights: torch.Tensor | None = None,  # noqa: ARG001 - the seam's signature: tokens are no classes
    label_smoothing: float = 0.0,
) -> torch.Tensor:
    """Return the cross entropy of each row, summed over its hidden tokens.

    Args:
        logits: (M, V) of the M hidden tokens, row after row; or (B, T, V) of all.
        targets: (B, T) int64, ``IGNORED`` where nothing is hidden.
        class_weights: not used.
        label_smoothing: share in [0, 1), spread evenly over the vocabulary.

    Returns:
        (B,) float32.
    """
    from torch.nn.functional import cross_entropy

    asked = targets != IGNORED
    if logits.ndim == 3:
        logits = logits[asked]
    each = cross_entropy(logits.float(), targets[asked], reduction="none", label_smoothing=label_smoothing)
    return each.new_zeros(targets.shape).masked_scatter(asked, each).sum(1)


def condensed(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return what ``metrics`` needs of the logits.

    Args:
        logits: (M, V) of the M hidden tokens, float32.
        targets: (B, T) int64, ``IGNORED`` where nothing is hidden.

    Returns:
        (B, T, 2) float32: the log probability of the target, and 1 where it is the likeliest token; 0 elsewhere.
    """
    asked = targets != IGNORED
    found = logits.new_zeros((*targets.shape, 2))
    found[asked] = text_to_text.condensed(logits, targets[asked])
    return found


def decode(found: Sequence[Sequence[Sequence[Fill]]], ragged: Ragged, _texts: Sequence[TextInput], _labels: LabelSet,
           _settings: Settings) -> list[Filled]:
    """Turn what was found for the masks of N texts into answers.

    Args:
        found: for each text and each of its masks what may stand there, the likeliest first.
        ragged: the texts, as the model saw them.
    """
    return [Filled(tuple(map(tuple, masks)), bool(cut))
            for masks, cut in zip(found, ragged.truncated.tolist(), strict=True)]


def metrics(found: Sequence[Float32], targets: TokenTargets, labels: LabelSet,
            _settings: Settings | None = None) -> dict[str, float]:
    """Score N blocks for validation, with the same tokens hidden each time; see ``condensed``.

    Returns:
        A number for each of ``METRICS``: ``accuracy`` is the share of hidden tokens that were the likeliest, ``loss``
        the mean over them in nats, ``perplexity`` its exponential.
    """
    return _modelling.metrics(found, targets, labels)


def guessed(train: TokenTargets, valid: TokenTargets, labels: LabelSet,
            _settings: Settings | None = None) -> dict[str, float]:
    """Return the metrics of a model that knows how common each hidden token is, and read nothing."""
    return _modelling.told(text_to_text.guessed(_modelling.learned(train), _modelling.learned(valid), labels))

