"""Nested and overlapping named entities: labelled spans of a text, each scored by itself.

The head gives each token a query, a key, and for each type a logit to start a span and one to end it; ``_pairs`` says
how they make the scores of spans. To other tools it is a token classifier like any other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from luthier import recipe
from luthier.models.building import Attention, Built, build_classifier
from luthier.models.encoding import Ragged, Reach
from luthier.models.files import ModelFiles
from luthier.schema import Bool, Entities, Example, Float32, Int64, LabelSet, TextInput
from luthier.tasks._marks import check_marked
from luthier.tasks._pairs import Found, above, closest, mean_loss
from luthier.tasks._reach import reach_of, settled
from luthier.tasks._scores import averages
from luthier.tasks._span_targets import SpanTargets
from luthier.tasks._span_windows import joined
from luthier.tasks._windows import owners_of, places_of, whole_texts
from luthier.text.said import Said

if TYPE_CHECKING:
    import torch

TITLE = "Nested named entities"
PROBLEMS = ("token_classification",)
"""The problem types of its label sets."""
ANSWER = Entities
"""What it says of a text."""
OFFSETS = True
"""Whether it needs to know where tokens stand in the text."""
WINDOWS = True
"""Whether long texts are read in windows, when the recipe leaves that open."""
METRICS = ("f1_micro", "f1_macro", "precision_micro", "recall_micro", "accuracy", "loss")
"""What ``metrics`` gives and ``validation.metric_for_best_model`` may name; more is better, but for ``loss``."""
LEAST_STEPS = 500
"""Optimiser steps below which it has hardly begun to learn."""
LEARNING_RATES = {"full": 1.5e-4}
"""Method -> peak learning rate, where the method's own is not the best for this task."""
HEAD_LEARNING_RATE = 1e-2
"""Peak learning rate of the new head."""
GUESS = Said("finding nothing", "什么也不找")
"""What ``guessed`` scores, in words."""
UNWEIGHED = "types are left as they are: nearly all spans are of none"
"""Why its classes are not weighed unasked; empty where they are."""
UNSMOOTHED = "each span is scored by itself, and nearly all are of no type"
"""Why ``train.label_smoothing_factor`` is refused."""
BEST_METRIC = "f1_micro"
"""The one by which the best step is chosen when the recipe leaves it open."""

WIDTH = 32
"""Numbers of a query and of a key, d."""
NEAR, UNLIKELY = 1.5, -7.0
"""Biases of a new head's queries and keys, and of its logits to start and to end. Equal vectors match the less the
further they are turned apart, so it begins by holding long spans for less likely than short ones, all for unlikely."""


class Settings(recipe.Settings):
    """The task's own settings."""

    max_entity_characters: int | None = Field(None, ge=1)
    """Most characters of an entity; when left out, half as many again as the longest of the training rows has."""
    whole_words: bool = True
    """Never cut a word: letters and digits that stand together, but in scripts that are written without spaces."""
    window_characters: int | None = Field(None, ge=1)
    """Most characters that are read together; when left out, what 99 of 100 training rows keep to."""
    window_sentences: int | None = Field(None, ge=1)
    """Most sentences that are read together; when left out, what 99 of 100 training rows keep to."""


def settle(settings: Settings, examples: Sequence[Example], _model: str) -> tuple[Settings, list[str]]:
    """Fill in what the training rows decide, and say it."""
    windows, notes = settled(examples, settings.window_characters, settings.window_sentences)
    settings = settings.model_copy(update=windows)
    if settings.max_entity_characters is not None:
        return settings, notes
    longest = max((span.end - span.start for row in examples for span in row.spans or ()), default=1)
    most = longest + (longest + 1) // 2
    told = (f"entities have up to {most} characters: half as many again as the longest of the training rows "
            "(task.max_entity_characters)")
    return settings.model_copy(update={"max_entity_characters": most}), [*notes, told]


def reach(settings: Settings) -> Reach | None:
    """Return how much of a text a window holds."""
    return reach_of(settings.window_characters, settings.window_sentences)


def outputs(labels: LabelSet) -> LabelSet:
    """Return what the head's outputs are called: 2 d numbers of queries and keys, then 2 logits for each of K types."""
    vectors = (f"{part}:{number}" for part in ("query", "key") for number in range(WIDTH))
    ends = (f"{part}:{name}" for part in ("start", "end") for name in labels.names)
    return LabelSet((*vectors, *ends), "token_classification")


def weighed(labels: LabelSet) -> tuple[str, ...]:
    """Return the type whose weight each output takes; those that types share take none."""
    return (*[""] * (2 * WIDTH), *labels.names, *labels.names)


def build(
    files: ModelFiles | Path,
    labels: LabelSet,
    *,
    dropout: float | None = None,
    attention_dropout: float | None = None,
    seed: int = 0,
    attention: Attention = "sdpa",
) -> Built:
    """Put a new head with 2 d + 2 K outputs for each token on a pretrained model; see ``models.building``."""
    built = build_classifier(files, outputs(labels), dropout=dropout, attention_dropout=attention_dropout, seed=seed,
                             attention=attention)
    _begin_low(built, len(outputs(labels)))
    return built


def finish(_model: torch.nn.Module, _labels: LabelSet) -> None:
    """Leave a tuned model as it is."""


def targets(examples: Sequence[Example], labels: LabelSet, ragged: Ragged) -> SpanTargets:
    """Return the spans of N examples in tokens, for each of their windows those that it holds whole.

    Raises:
        DataError: an example has no spans, or one of a type that is not in the set.
    """
    numbers = {name: number for number, name in enumerate(labels.names)}
    for example in examples:
        check_marked(example, numbers)
    tokens = [places[:, 1] > places[:, 0] for places in places_of(ragged)]
    found = [np.empty((0, 3), np.int64)] * len(ragged)
    for owner, places, windows in whole_texts(ragged):
        spans = np.array(sorted(set(_in_tokens(examples[owner], places, numbers))), np.int64).reshape(-1, 3)
        for row, own, part in windows:
            held = spans[(spans[:, 0] >= part.start) & (spans[:, 1] < part.stop)]
            found[row] = np.stack([own[held[:, 0] - part.start], own[held[:, 1] - part.start], held[:, 2]], axis=1)
    return SpanTargets(tokens, found)


def loss(
    logits: torch.Tensor,
    targets: torch.Tensor,
    *,
    class_weights: torch.Tensor | None = None,
    label_smoothing: float = 0.0,  # noqa: ARG001 - the seam's signature
) -> torch.Tensor:
    """Return the loss of each window: the mean over types of the cross entropy for several labels (``_pair_loss``).

    Args:
        logits: (B, T, 2 d + 2 C) of any float type; computed in float32.
        targets: (B, T + 3 E) int64, see ``SpanTargets``.
        class_weights: (2 d + 2 C,) float32, of which those of the logits to start are read.
        label_smoothing: not used: what is no entity outnumbers the others a thousandfold.

    Returns:
        (B,) float32.
    """
    from luthier.tasks._pair_loss import pair_losses

    rows, length, size = logits.shape
    types = (size - 2 * WIDTH) // 2
    each = pair_losses(logits.float(), targets[:, :length] > 0, targets[:, length:].view(rows, -1, 3), types)
    return (each if class_weights is None else each * class_weights[2 * WIDTH:2 * WIDTH + types]).mean(1)


def decode(logits: Sequence[Float32], ragged: Ragged, texts: Sequence[TextInput], labels: LabelSet,
           settings: Settings) -> list[Entities]:
    """Read the entities of N texts off the logits of their W windows: all spans that score above 0.

    A span that several windows hold is judged by the one in which it stands furthest from the edge.

    Args:
        logits: W arrays (T, 2 d + 2 C) float32.
        ragged: the W windows, with offsets.
        texts: the N texts as they came.
        labels: K types.
        settings: the longest entity, and whether words are kept whole.

    Returns:
        Their entities by first character, the longest first, each with the probability by itself.
    """
    if not texts:
        return []
    found = [above(one, places[:, 1] > places[:, 0], len(labels), _most_tokens(len(one), settings))
             for one, places in zip(logits, places_of(ragged), strict=True)]
    return joined(found, ragged, texts, labels, most=settings.max_entity_characters, whole_words=settings.whole_words)


def firm(logits: Sequence[Float32], ragged: Ragged, texts: Sequence[TextInput], labels: LabelSet,
         settings: Settings, step: float) -> Bool:
    """Return which of N texts are no close call, (N,) bool: moving outputs by ``step`` moves no span's score over 0."""
    sure = np.ones(len(texts), np.bool_)
    for one, places, owner in zip(logits, places_of(ragged), owners_of(ragged).tolist(), strict=True):
        real = places[:, 1] > places[:, 0]
        sure[owner] &= closest(one, real, len(labels), _most_tokens(len(one), settings), step) > 0
    return sure


def metrics(logits: Sequence[Float32], targets: SpanTargets, labels: LabelSet,
            _settings: Settings | None = None) -> dict[str, float]:
    """Score W windows for validation, each by itself: spans of tokens that agree in both ends and type.

    Returns:
        A number for each of ``METRICS``; ``accuracy`` is the share of windows all right, ``loss`` their mean.
    """
    counts, right, losses = np.zeros((3, len(labels)), np.int64), 0, 0.0
    for one, real, spans in zip(logits, targets.tokens, targets.spans, strict=True):
        found = set(map(tuple, above(one, real, len(labels), len(real)).spans.tolist()))
        gold = set(map(tuple, spans.tolist()))
        for place, some in enumerate((gold & found, found - gold, gold - found)):
            counts[place] += np.bincount([kind for *_, kind in some], minlength=len(labels))
        right += found == gold
        losses += mean_loss(one, real, spans, len(labels))
    values = averages(*counts, multi_label=False)
    windows = max(len(targets), 1)
    return {**{name: float(values[name]) for name in METRICS[:4]},
            "accuracy": right / windows, "loss": losses / windows}


def guessed(train: SpanTargets, valid: SpanTargets, labels: LabelSet,
            _settings: Settings | None = None) -> dict[str, float]:
    """Return the metrics of knowing how rare each type is in the training rows, and no text: nothing is found."""
    seen = np.bincount(np.concatenate([spans[:, 2] for spans in train.spans]), minlength=len(labels))
    every = sum(count * (count + 1) // 2 for count in (int(real.sum()) for real in train.tokens))
    shares = np.clip(seen / max(every, 1), 1e-6, 0.4)
    output = np.zeros(2 * WIDTH + 2 * len(labels), np.float32)
    output[2 * WIDTH:2 * WIDTH + len(labels)] = np.log(shares / (1 - shares))
    return metrics([np.tile(output, (len(real), 1)) for real in valid.tokens], valid, labels)


def remarks(examples: Sequence[Example], ragged: Ragged, targets: SpanTargets, labels: LabelSet,
            settings: Settings) -> list[str]:
    """Say how many of the examples' entities no answer can give, and why."""
    right = [Found(spans, np.ones(len(spans), np.float32)) for spans in targets.spans]
    found = joined(right, ragged, [row.text for row in examples], labels, most=settings.max_entity_characters,
                   whole_words=settings.whole_words)
    lost = [(row, span) for row, answer in zip(examples, found, strict=True)
            for span in sorted(set(row.spans or ()) - {one.span for one in answer.entities})]
    if not lost:
        return []
    row, span = lost[0]
    count = sum(len(one.spans or ()) for one in examples)
    way = " (task.whole_words=false cuts words)" if settings.whole_words else ""
    return [f"{len(lost):,} of {count:,} entities cannot be found as marked: they begin or end within a word or a token"
            f"{way}, are longer than task.max_entity_characters={settings.max_entity_characters}, or than what windows "
            "share: "
            f"{row.text[span.start:span.end]!r:.80} at {row.id}, for one"]


def _begin_low(built: Built, size: int) -> None:
    """Set the biases of a new head with ``size`` outputs so that it finds next to nothing at first."""
    import torch

    for name, parameter in built.model.named_parameters():
        if name.startswith(tuple(f"{new}." for new in built.new_modules)) and parameter.shape == (size,):
            with torch.no_grad():
                parameter[:2 * WIDTH], parameter[2 * WIDTH:] = NEAR, UNLIKELY


def _most_tokens(tokens: int, settings: Settings) -> int:
    """Return the most tokens of an entity: a tokenizer of bytes makes up to four of a character."""
    most = settings.max_entity_characters
    return tokens if most is None else min(tokens, 4 * most)


def _in_tokens(example: Example, places: Int64, numbers: dict[str, int]) -> Iterator[tuple[int, int, int]]:
    """Yield first token, last token and type of each span that shows in any token of the whole text."""
    real = places[:, 1] > places[:, 0]
    for span in example.spans or ():
        inside = np.flatnonzero(real & (places[:, 0] < span.end) & (places[:, 1] > span.start))
        if len(inside):
            yield int(inside[0]), int(inside[-1]), numbers[span.label]
