"""Dialogue: a causal language model that learns what an assistant answers, from conversations or instructions.

Each answer and its end token are learned after all that stands before them; what others say is read and not learned
(Ouyang et al., "Training language models to follow instructions with human feedback", 2022, their first step).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from luthier import recipe
from luthier.models.building import Attention, Built
from luthier.models.encoding import Ragged
from luthier.models.files import ModelFiles
from luthier.recipe import Decoding
from luthier.schema import Example, Float32, Generated, LabelSet, TextInput
from luthier.tasks import text_to_text
from luthier.tasks._modelling import told
from luthier.tasks._texts import first_targets, following
from luthier.tasks._tokens import TokenTargets
from luthier.tasks.text_to_text import GUESS, UNWEIGHED, Written, condensed, finish, loss, outputs, weighed
from luthier.text.normalize import Form

if TYPE_CHECKING:
    from luthier.models.chat import ChatEncoder

__all__ = ["ANSWER", "BEST_METRIC", "GENERATES", "GUESS", "HEAD_LEARNING_RATE", "LEARNING_RATES", "LEAST_STEPS",
           "METRICS", "OFFSETS", "PROBLEMS", "TITLE", "UNWEIGHED", "WINDOWS", "Settings", "build", "condensed",
           "decode", "encoder", "finish", "guessed", "loss", "metrics", "outputs", "targets", "weighed"]

TITLE = "Dialogue"
PROBLEMS = ("dialogue",)
ANSWER = Generated
GENERATES = True
OFFSETS = False
WINDOWS = False
METRICS = ("accuracy", "loss", "perplexity")
"""What ``metrics`` gives; less is better of ``loss`` and of ``perplexity``, its exponential."""
LEAST_STEPS = 100
"""Optimiser steps below which a pretrained model has hardly taken on a new manner."""
LEARNING_RATES = {"full": 5e-5}
HEAD_LEARNING_RATE = None
ANSWERING = ("decoding",)
"""Settings that only decide how it answers, and may be changed where a bundle is used."""
BEST_METRIC = "loss"


class Settings(recipe.Settings):
    """The task's own settings."""

    chat_template: Literal["model", "plain"] = "model"
    """How conversations are written down: as the model's own template has it, where it brings one, or as
    ``User: …`` and ``Assistant: …``."""
    decoding: Decoding = Decoding()
    """How answers are written when the model is evaluated and when it serves."""


def encoder(directory: Path, settings: Settings, *, max_length: int | None, normalize: Form,
            stored: bool = False) -> ChatEncoder:
    """Open the tokenizer of a model or bundle, which writes conversations down.

    Args:
        directory: of the model or bundle.
        settings: of the task.
        max_length: most tokens of a conversation with its answer.
        normalize: Unicode form given to what is said first.
        stored: whether it is a bundle, whose template is the one that was chosen.

    Raises:
        ModelError: the model is no causal language model; or see ``ChatEncoder.load``.
    """
    from luthier.models.causal import check_kind
    from luthier.models.chat import ChatEncoder

    if not stored:
        check_kind(directory)
    return ChatEncoder.load(directory, max_length=max_length, normalize=normalize,
                            new_tokens=settings.decoding.max_new_tokens,
                            source="model" if stored else settings.chat_template)


def build(
    files: ModelFiles | Path,
    labels: LabelSet,
    *,
    dropout: float | None = None,
    attention_dropout: float | None = None,
    seed: int = 0,  # noqa: ARG001 - the seam's signature: no part of the model is new
    attention: Attention = "sdpa",
) -> Built:
    """Open a pretrained causal language model.

    Raises:
        ModelError: it cannot be opened, or is of another kind; the message names what can.
    """
    from luthier.models.causal import build_causal

    return build_causal(files, labels, dropout=dropout, attention_dropout=attention_dropout, attention=attention)


def targets(examples: Sequence[Example], _labels: LabelSet, ragged: Ragged) -> TokenTargets:
    """Return the token that shall follow each token of N conversations.

    Args:
        examples: N rows.
        ragged: the whole conversations as token ids; ``sequence`` is 1 at tokens of answers and their ends.

    Returns:
        N rows (T,): at each token's place the next one, where that is of an answer, else ``IGNORED``.

    Raises:
        DataError: an example has no answer.
    """
    first_targets(examples)
    return following(ragged)


def decode(written: Sequence[Written], ragged: Ragged, texts: Sequence[TextInput], labels: LabelSet,
           settings: Settings) -> list[Generated]:
    """Turn what a backend wrote for N conversations into answers, without white space around them."""
    return text_to_text.decode(written, ragged, texts, labels, text_to_text.Settings(
        chat_template=settings.chat_template, decoding=settings.decoding))


def metrics(found: Sequence[Float32], targets: TokenTargets, labels: LabelSet,
            settings: Settings | None = None) -> dict[str, float]:  # noqa: ARG001 - the seam's signature
    """Score N rows for validation, each token of an answer after the right ones before it.

    Args:
        found: N arrays (T, 2) float32, as ``condensed`` gives them.
        targets: as ``targets`` gives them.

    Returns:
        A number for each of ``METRICS``: ``accuracy`` is the share of tokens that were the likeliest, ``loss`` the mean
        over tokens in nats, ``perplexity`` its exponential.
    """
    return told(text_to_text.metrics(found, targets, labels))


def guessed(train: TokenTargets, valid: TokenTargets, labels: LabelSet,
            _settings: Settings | None = None) -> dict[str, float]:
    """Return the metrics of a model that knows how common each token of an answer is, and read nothing."""
    return told(text_to_text.guessed(train, valid, labels))
