"""Causal language modelling: a decoder goes on learning a language, or a field's way with it, from texts alone.

Each token is told from those before it (Radford et al., "Improving Language Understanding by Generative Pre-Training",
2018). What was learned so is where dialogue and other tasks start from.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from luthier import recipe
from luthier.models.blocks import USUAL, BlockEncoder
from luthier.models.encoding import Ragged
from luthier.recipe import Decoding
from luthier.schema import Example, Float32, Generated, LabelSet, TextInput
from luthier.tasks import _modelling, text_to_text
from luthier.tasks._tokens import IGNORED, TokenTargets
from luthier.tasks.dialogue import build
from luthier.tasks.text_to_text import GUESS, UNWEIGHED, Written, condensed, finish, loss, outputs, weighed
from luthier.text.normalize import Form

__all__ = ["ANSWER", "BEST_METRIC", "GENERATES", "GUESS", "HEAD_LEARNING_RATE", "LEARNING_RATES", "LEAST_STEPS",
           "METRICS", "OFFSETS", "PROBLEMS", "TITLE", "UNWEIGHED", "WINDOWS", "Settings", "build", "condensed",
           "decode", "encoder", "finish", "guessed", "learned_rows", "loss", "metrics", "outputs", "targets", "weighed"]

TITLE = "Causal language modelling"
PROBLEMS = ("causal_language_modelling",)
ANSWER = Generated
GENERATES = True
OFFSETS = False
WINDOWS = False
METRICS = ("accuracy", "loss", "perplexity")
"""What ``metrics`` gives; less is better of ``loss`` and of ``perplexity``, its exponential."""
LEAST_STEPS = 100
"""Optimiser steps below which a decoder has hardly taken on a field."""
LEARNING_RATES = {"full": 5e-5}
HEAD_LEARNING_RATE = None
ANSWERING = ("decoding",)
"""Settings that only decide how it answers, and may be changed where a bundle is used."""
BEST_METRIC = "loss"


class Settings(recipe.Settings):
    """The task's own settings."""

    pack: bool = True
    """Learn from blocks that go on with the next document where one ends; else each document has its own blocks."""
    decoding: Decoding = Decoding()
    """How texts are gone on with when it serves."""


def encoder(directory: Path, settings: Settings, *, max_length: int | None, normalize: Form,
            stored: bool = False) -> BlockEncoder:
    """Open the tokenizer of a model or bundle, which lays documents out.

    Raises:
        ModelError: the model is no causal language model; or see ``BlockEncoder.load``.
    """
    from luthier.models.causal import check_kind

    if not stored:
        check_kind(directory)
    return BlockEncoder.load(directory, max_length=max_length, normalize=normalize,
                             new_tokens=settings.decoding.max_new_tokens)


def learned_rows(examples: Sequence[Example], max_length: int | None, settings: Settings) -> int:
    """Return about how many rows are learned from: blocks, and not documents."""
    return _modelling.blocks_of(examples, max_length or USUAL[False], together=settings.pack)


def targets(examples: Sequence[Example], _labels: LabelSet, ragged: Ragged) -> TokenTargets:  # noqa: ARG001 - the seam's
    """Return for each token of blocks the one that follows it; the last one of a block is followed by none.

    Args:
        examples: not read: blocks are of several.
        ragged: the blocks, each of which begins with the last token of the one before it.
    """
    return TokenTargets([np.array([*ids[1:], IGNORED], np.int64) for ids in ragged.ids])


def decode(written: Sequence[Written], ragged: Ragged, texts: Sequence[TextInput], labels: LabelSet,
           settings: Settings) -> list[Generated]:
    """Turn what a backend wrote behind N texts into answers: what goes on, without the text before it."""
    return text_to_text.decode(written, ragged, texts, labels, text_to_text.Settings(decoding=settings.decoding))


def metrics(found: Sequence[Float32], targets: TokenTargets, labels: LabelSet,
            _settings: Settings | None = None) -> dict[str, float]:
    """Score N blocks for validation, each token after the right ones before it; see ``masked_language_modelling``."""
    return _modelling.metrics(found, targets, labels)


def guessed(train: TokenTargets, valid: TokenTargets, labels: LabelSet,
            _settings: Settings | None = None) -> dict[str, float]:
    """Return the metrics of a model that knows how common each token is, and read nothing."""
    return _modelling.told(text_to_text.guessed(_modelling.learned(train), _modelling.learned(valid), labels))
