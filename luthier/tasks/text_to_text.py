"""Text to text: translation, summarisation, correction, any text that is to be written for another.

An encoder-decoder learns the next token of each target from the source and the right tokens before it (Sutskever et
al., "Sequence to Sequence Learning", 2014). A decoder alone learns the same of targets that stand behind a prompt with
the source; the prompt teaches nothing. What either writes is decoded token by token, by the rules in the settings.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Protocol

import numpy as np
from pydantic import Field, StringConstraints, field_validator

from luthier import recipe
from luthier.models.building import Attention, Built
from luthier.models.encoding import Ragged
from luthier.models.files import ModelFiles
from luthier.recipe import Decoding
from luthier.schema import Example, Float32, Generated, Int64, LabelSet, TextInput
from luthier.tasks._prompts import Known, Shot, settled_prompt
from luthier.tasks._texts import first_targets, following
from luthier.tasks._tokens import IGNORED, TokenTargets
from luthier.text.normalize import Form
from luthier.text.prompts import Prompt
from luthier.text.said import Said

if TYPE_CHECKING:
    import torch

    from luthier.models.encoding import Encoder
    from luthier.models.prompted import ContinuedEncoder, PromptedEncoder
    from luthier.models.targets import TargetEncoder

TITLE = "Text to text"
PROBLEMS = ("text_generation",)
"""The problem types of its label sets."""
ANSWER = Generated
"""What it says of a text."""
GENERATES = True
"""Whether its answers are written token by token, and not read off logits."""
OFFSETS = False
"""Whether it needs to know where tokens stand in the text."""
WINDOWS = False
"""Whether long texts are read in windows, when the recipe leaves that open."""
METRICS = ("accuracy", "loss")
"""What ``metrics`` gives and ``validation.metric_for_best_model`` may name; less is better of ``loss``."""
LEAST_STEPS = 500
"""Optimiser steps below which it has hardly begun to learn."""
LEARNING_RATES = {"full": 3e-4}
"""Method -> peak learning rate, where the method's own is not the best for this task."""
CONTINUED = ({"full": 5e-5}, 100)
"""The same two of a decoder, which can write already."""
HEAD_LEARNING_RATE = None
"""Peak learning rate of the new head; there is none."""
GUESS = Said("knowing how common each token is", "只知道每个词元有多常见")
"""What ``guessed`` scores, in words."""
UNWEIGHED = "tokens of texts are no classes"
"""Why its classes are not weighed unasked; empty where they are."""
ANSWERING = ("decoding",)
"""Settings that only decide how it answers, and may be changed where a bundle is used."""
BEST_METRIC = "loss"
"""The one by which the best step is chosen when the recipe leaves it open."""


class Settings(recipe.Settings):
    """The task's own settings."""

    max_target_length: int | None = Field(None, ge=4)
    """Most tokens of a target that are learned, special ones included; when left out 128, or as many as the model has
    places for, and of a decoder as many as fit behind the prompt."""
    source_language: str | None = None
    """Code of the language of the sources, such as ``en_XX``; models of many languages alone have such."""
    target_language: str | None = None
    """Code of the language of the targets."""
    prompt: Annotated[str, StringConstraints(strip_whitespace=False, min_length=1)] | None = None
    """What stands around each source, which goes where it says ``{source}``. When left out an encoder-decoder has none,
    and a decoder one that the names of the columns suggest."""
    chat_template: Literal["model", "plain"] | None = None
    """Of a decoder: whether its prompt is what a user says in its chat template, or stands as it is; when left out the
    former, where it brings a template. An encoder-decoder has none."""
    examples: int = Field(0, ge=0, le=32)
    """Training rows that stand before each prompt of a decoder, with their targets."""
    shots: tuple[Shot, ...] | None = None
    """Those rows; drawn when left out."""
    decoding: Decoding = Decoding()
    """How texts are written when the model is evaluated and when it serves."""

    @field_validator("prompt")
    @classmethod
    def _has_its_place(cls, prompt: str | None) -> str | None:
        if prompt is not None:
            Prompt.of(prompt)
        return prompt


class Written(Protocol):
    """What a backend wrote for one row; ``inference.generation`` has the loop."""

    @property
    def text(self) -> str:
        """The text."""

    @property
    def score(self) -> float:
        """Mean log probability of a token, natural."""

    @property
    def finish(self) -> str:
        """``stop`` or ``length``."""


def settle_model(settings: Settings, examples: Sequence[Example], known: Known) -> tuple[Settings, list[str]]:
    """Choose the prompt of a decoder, and the examples in it.

    Args:
        settings: as asked.
        examples: the training rows.
        known: of the model and the files.

    Raises:
        RecipeError: settings that models of the other kind have.
    """
    update, told = settled_prompt(settings, examples, known)
    return settings.model_copy(update=update), told


def pace(settings: Settings) -> tuple[Mapping[str, float], int]:
    """Return what ``LEARNING_RATES`` and ``LEAST_STEPS`` are for the model at hand."""
    return CONTINUED if settings.chat_template else (LEARNING_RATES, LEAST_STEPS)


def encoder(directory: Path, settings: Settings, *, max_length: int | None, normalize: Form,
            stored: bool = False) -> Encoder | PromptedEncoder | ContinuedEncoder:
    """Open the tokenizer of a model or bundle, which puts texts into the prompt.

    Args:
        directory: of the model or bundle.
        settings: of the task, settled.
        max_length: most tokens of a source with its prompt; of a decoder also with what is written.
        normalize: Unicode form given to sources first.
        stored: whether it is a bundle, whose languages and template are those that were chosen.

    Raises:
        ModelError: the prompt leaves no room for a text; or see ``Encoder.load``.
    """
    from luthier.models.encoding import Encoder
    from luthier.models.prompted import PromptedEncoder, continued_encoder
    from luthier.models.seq2seq import check_languages

    prompt = None if settings.prompt is None else Prompt.of(settings.prompt)
    if settings.chat_template is not None and prompt is not None:
        new_tokens = max(settings.decoding.max_new_tokens, settings.max_target_length or 0)
        return continued_encoder(directory, prompt, [(shot.source, shot.target) for shot in settings.shots or ()],
                                 max_length=max_length, normalize=normalize, new_tokens=new_tokens,
                                 longest_target=settings.max_target_length,
                                 source="model" if stored else settings.chat_template)
    if not stored:
        check_languages(directory, settings.source_language, settings.target_language)
    plain = Encoder.load(directory, max_length=max_length, normalize=normalize,
                         language=None if stored else settings.source_language)
    plain.targets = _target_ids(directory, normalize, settings.target_language)
    return plain if prompt is None else PromptedEncoder(plain, prompt)


def _target_ids(directory: Path, normalize: Form, language: str | None) -> Callable[[Sequence[str]], list[list[int]]]:
    """Return what gives the token ids of targets; it opens their tokenizer once it is needed, which is seldom."""
    @cache
    def opened() -> TargetEncoder:
        from luthier.models.targets import TargetEncoder

        return TargetEncoder.load(directory, normalize=normalize, language=language)

    return lambda texts: opened().ids(texts)


def outputs(labels: LabelSet) -> LabelSet:
    """Return what is written, as ``config.json`` and the probes call it."""
    return labels


def weighed(_labels: LabelSet) -> tuple[str, ...]:
    """Return nothing: a text is no class."""
    return ()


def build(
    files: ModelFiles | Path,
    labels: LabelSet,
    *,
    dropout: float | None = None,
    attention_dropout: float | None = None,
    seed: int = 0,  # noqa: ARG001 - the seam's signature: no part of the model is new
    attention: Attention = "sdpa",
) -> Built:
    """Open a pretrained encoder-decoder, or a decoder.

    Raises:
        ModelError: it cannot be opened, or is of another kind; the message names what can.
    """
    from luthier.models.causal import build_causal
    from luthier.models.seq2seq import build_seq2seq, continues

    open_it = build_causal if continues(files.path if isinstance(files, ModelFiles) else files) else build_seq2seq
    return open_it(files, labels, dropout=dropout, attention_dropout=attention_dropout, attention=attention)


def finish(_model: torch.nn.Module, _labels: LabelSet) -> None:
    """Leave a tuned model as it is."""


def targets(examples: Sequence[Example], _labels: LabelSet, ragged: Ragged) -> TokenTargets:
    """Return the tokens that shall be written for N examples.

    Args:
        examples: N rows.
        ragged: of an encoder-decoder their first targets as token ids, with the special tokens that the tokenizer gives
            every text. What was cut loses its end token, so that nothing learns to end there. Of a decoder the whole
            rows, prompts and targets; ``sequence`` is 1 at tokens of targets and their ends.

    Raises:
        DataError: an example has no target.
    """
    first_targets(examples)
    if ragged.sequence is not None:
        return following(ragged)
    return TokenTargets([np.array(ids[:-1] if cut and len(ids) > 1 else ids, np.int64)
                         for ids, cut in zip(ragged.ids, ragged.truncated.tolist(), strict=True)], written=True)


def loss(
    logits: torch.Tensor,
    targets: torch.Tensor,
    *,
    class_weights: torch.Tensor | None = None,  # noqa: ARG001 - the seam's signature: tokens are no classes
    label_smoothing: float = 0.0,
) -> torch.Tensor:
    """Return the cross entropy of each row, summed over its tokens.

    Args:
        logits: (B, T, V) of any float type; computed in float32.
        targets: (B, T) int64, ``IGNORED`` at padding.
        class_weights: not used.
        label_smoothing: share in [0, 1), spread evenly over the vocabulary.

    Returns:
        (B,) float32.
    """
    from torch.nn.functional import cross_entropy

    each = cross_entropy(logits.float().flatten(0, 1), targets.flatten(), ignore_index=IGNORED, reduction="none",
                         label_smoothing=label_smoothing)
    return each.view(targets.shape).sum(1)


def condensed(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return what ``metrics`` needs of the logits, which for a whole split would fill the memory.

    Args:
        logits: (B, T, V) float32.
        targets: (B, T) int64, ``IGNORED`` at padding.

    Returns:
        (B, T, 2) float32: the log probability of the target, and 1 where it is the likeliest token, else 0.
    """
    import torch

    places = targets.clamp(min=0)[..., None]
    sure = torch.log_softmax(logits, -1).gather(-1, places)
    return torch.cat((sure, (logits.argmax(-1, keepdim=True) == places).float()), dim=-1)


def decode(written: Sequence[Written], ragged: Ragged, _texts: Sequence[TextInput], _labels: LabelSet,
           settings: Settings) -> list[Generated]:
    """Turn what a backend wrote for N texts into answers; of a decoder without white space around them.

    Args:
        written: N texts, with their scores and how they ended.
        ragged: the N sources, as the model saw them.
        settings: of the task.
    """
    found = [Generated(one.text, "stop" if one.finish == "stop" else "length", math.exp(min(one.score, 0.0)), bool(cut))
             for one, cut in zip(written, ragged.truncated.tolist(), strict=True)]
    if settings.chat_template is None:
        return found
    return [replace(one, generated_text=one.generated_text.strip()) for one in found]


def metrics(found: Sequence[Float32], targets: TokenTargets, _labels: LabelSet,
            _settings: Settings | None = None) -> dict[str, float]:
    """Score N rows for validation, each token after the right ones before it.

    Args:
        found: N arrays (T, 2) float32, as ``condensed`` gives them.
        targets: as ``targets`` gives them.

    Returns:
        A number for each of ``METRICS``: ``accuracy`` is the share of tokens that were the likeliest, ``loss`` the mean
        over tokens in nats.
    """
    kept = [one[: len(row)][learned] for one, row, learned in zip(found, targets.rows, targets.once(), strict=True)]
    every = np.concatenate(kept).astype(np.float64)
    return {"accuracy": float(every[:, 1].mean()), "loss": float(-every[:, 0].mean())}


def guessed(train: TokenTargets, valid: TokenTargets, labels: LabelSet,
            _settings: Settings | None = None) -> dict[str, float]:
    """Return the metrics of a model that knows how common each token is, and saw no text."""
    seen, counts = np.unique(train.of_texts()[0], return_counts=True)
    shares = np.append(counts, 1) / (counts.sum() + 1)  # the last stands for all that is new
    common = seen[counts.argmax()] if len(seen) else -1

    def say(row: Int64) -> Float32:
        places = np.searchsorted(seen, row)
        known = np.append(seen, -1)[places] == row
        return np.stack([np.log(np.where(known, shares[places], shares[-1])), row == common], axis=1).astype(np.float32)

    return metrics([say(row) for row in valid.rows], valid, labels)
