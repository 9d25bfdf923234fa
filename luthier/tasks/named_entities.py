"""Named entities: labelled spans of a text that do not overlap, found by tagging tokens.

Every token has a tag, not only the first of each word, because Chinese has no words to take the first token of. What
is decoded are the likeliest tags that make sense, and a word of letters is never cut: see ``_tags``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from luthier import recipe
from luthier.errors import DataError
from luthier.models.building import Attention, Built, build_classifier
from luthier.models.encoding import Ragged, Reach
from luthier.models.files import ModelFiles
from luthier.schema import Bool, Entities, Entity, Example, Float32, Int64, LabelSet, TextInput, parts
from luthier.tasks._marks import check_marked
from luthier.tasks._reach import reach_of, settled
from luthier.tasks._scores import averages
from luthier.tasks._tags import Float64, best_tags, joined_scores, log_softmax, names_of, spans_in, tags_of
from luthier.tasks._tokens import IGNORED, TokenTargets
from luthier.tasks._windows import cut_texts, once, owners_of, places_of, some_texts, whole_texts
from luthier.tasks._words import within_word
from luthier.text.said import Said

if TYPE_CHECKING:
    import torch

TITLE = "Named entities"
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
"""Optimiser steps below which it has hardly begun to learn: 282 gave CLUENER2020 2 points less than 564."""
LEARNING_RATES = {"full": 1.5e-4}
"""Method -> peak learning rate, where the method's own is not the best for this task."""
HEAD_LEARNING_RATE = 1e-2
"""Peak learning rate of the new head: with that of the rest, three epochs teach it far less (docs/log.md)."""
GUESS = Said("always giving the commonest answer", "总是给出最常见的答案")
"""What ``guessed`` scores, in words."""
UNWEIGHED = "tags are left as they are: nearly all tokens stand in no span"
"""Why its classes are not weighed unasked; empty where they are."""
BEST_METRIC = "f1_micro"
"""The one by which the best step is chosen when the recipe leaves it open."""


class Settings(recipe.Settings):
    """The task's own settings."""

    whole_words: bool = True
    """Never cut a word: letters and digits that stand together, but in scripts that are written without spaces."""
    window_characters: int | None = Field(None, ge=1)
    """Most characters that are read together; when left out, what 99 of 100 training rows keep to."""
    window_sentences: int | None = Field(None, ge=1)
    """Most sentences that are read together; when left out, what 99 of 100 training rows keep to."""


def settle(settings: Settings, examples: Sequence[Example], _model: str) -> tuple[Settings, list[str]]:
    """Fill in what the training rows decide, and say it."""
    windows, told = settled(examples, settings.window_characters, settings.window_sentences)
    return settings.model_copy(update=windows), told


def reach(settings: Settings) -> Reach | None:
    """Return how much of a text a window holds."""
    return reach_of(settings.window_characters, settings.window_sentences)


def outputs(labels: LabelSet) -> LabelSet:
    """Return what the head's outputs are called: the tags of K types."""
    return LabelSet(names_of(labels.names), "token_classification")


def weighed(labels: LabelSet) -> tuple[str, ...]:
    """Return the type whose weight each tag takes; that of tokens outside takes none."""
    return ("", *(name for name in labels.names for _ in range(2)))  # O, then B and I of each


def build(
    files: ModelFiles | Path,
    labels: LabelSet,
    *,
    dropout: float | None = None,
    attention_dropout: float | None = None,
    seed: int = 0,
    attention: Attention = "sdpa",
) -> Built:
    """Put a new head with 2 K + 1 outputs for each token on a pretrained model; see ``models.building``."""
    return build_classifier(files, outputs(labels), dropout=dropout, attention_dropout=attention_dropout, seed=seed,
                            attention=attention)


def finish(_model: torch.nn.Module, _labels: LabelSet) -> None:
    """Leave a tuned model as it is."""


def targets(examples: Sequence[Example], labels: LabelSet, ragged: Ragged) -> TokenTargets:
    """Return the tags of the tokens of N examples, a row for each of their windows.

    Raises:
        DataError: an example has no spans, one of a type that is not in the set, or two that overlap.
    """
    numbers = {name: number for number, name in enumerate(labels.names)}
    for example in examples:
        _check(example, numbers)
    rows = [np.full(len(ids), IGNORED, np.int64) for ids in ragged.ids]
    for owner, places, windows in whole_texts(ragged):
        tags = np.where(places[:, 1] > places[:, 0], tags_of(examples[owner].spans or (), places, numbers), IGNORED)
        for row, own, part in windows:
            rows[row][own] = tags[part]
    return TokenTargets(rows, once(ragged), owners_of(ragged))


def loss(
    logits: torch.Tensor,
    targets: torch.Tensor,
    *,
    class_weights: torch.Tensor | None = None,
    label_smoothing: float = 0.0,
) -> torch.Tensor:
    """Return the cross entropy of each row, summed over its tokens: divide by the tokens of all rows together.

    Args:
        logits: (B, T, S) of any float type; computed in float32.
        targets: (B, T) int64, ``IGNORED`` where a token has none.
        class_weights: (S,) float32.
        label_smoothing: share in [0, 1), spread evenly over the S tags.

    Returns:
        (B,) float32.
    """
    from torch.nn import functional

    each = functional.cross_entropy(logits.float().flatten(0, 1), targets.flatten(), reduction="none",
                                    weight=class_weights, ignore_index=IGNORED, label_smoothing=label_smoothing)
    return each.view(targets.shape).sum(-1)


def decode(logits: Sequence[Float32], ragged: Ragged, texts: Sequence[TextInput], labels: LabelSet,
           settings: Settings) -> list[Entities]:
    """Read the entities of N texts off the logits of their W windows.

    Args:
        logits: W arrays (T, S) float32.
        ragged: the W windows, with offsets.
        texts: the N texts as they came.
        labels: K types.
        settings: whether words are kept whole.
    """
    if not texts:
        return []
    names = [parts(text)[0] for text in texts]
    tokens = _Tokens.of(logits, ragged)
    first, scores, tags = _tagged(tokens, names, whole_words=settings.whole_words)
    text = tokens.text[first]
    behind_words = np.append(first, len(tokens.text))[1:]
    sure = np.exp(scores[np.arange(len(tags)), tags] / (behind_words - first))  # a word's tokens' geometric mean
    ends = np.maximum.reduceat(tokens.ends, first) if len(first) else tokens.ends
    found: list[list[Entity]] = [[] for _ in names]
    for begin, behind, kind in spans_in(tags, text):
        owner, start, end = int(text[begin]), int(tokens.starts[first[begin]]), int(ends[behind - 1])
        found[owner].append(Entity(labels.names[kind], float(sure[begin:behind].mean()), names[owner][start:end],
                                   start, end))
    return [Entities(tuple(entities), bool(cut))
            for entities, cut in zip(found, cut_texts(ragged, len(names)), strict=True)]


def firm(logits: Sequence[Float32], ragged: Ragged, texts: Sequence[TextInput], _labels: LabelSet,
         settings: Settings, step: float) -> Bool:
    """Return which of N texts are no close call, (N,) bool: moving outputs by ``step`` decides no token otherwise.

    Every token's tag must lead by more, and be the one that was decoded for its word and its neighbours.
    """
    tokens = _Tokens.of(logits, ragged)
    names = [parts(text)[0] for text in texts]
    first, _, tags = _tagged(tokens, names, whole_words=settings.whole_words)
    decoded = np.repeat(tags, np.append(first, len(tokens.text))[1:] - first)
    goes = np.ones(len(decoded), np.bool_)
    goes[first] = False
    decoded[goes & (decoded % 2 == 1)] += 1  # B at a word's first token, I at its others
    best, second = np.sort(tokens.logits, axis=1)[:, :-3:-1].T
    sure = np.ones(len(texts), np.bool_)
    np.logical_and.at(sure, tokens.text, (best - second > step) & (tokens.logits.argmax(axis=1) == decoded))
    return sure


def metrics(logits: Sequence[Float32], targets: TokenTargets, labels: LabelSet,
            _settings: Settings | None = None) -> dict[str, float]:
    """Score W arrays of logits (T, K) for validation: spans that agree in ends and type, as ``seqeval`` counts them.

    Returns:
        A number for each of ``METRICS``; ``accuracy`` is that of tags, ``loss`` the mean over tokens in nats.
    """
    right, text = targets.of_texts()
    if not len(right):
        return dict.fromkeys(METRICS, 0.0)
    scores = log_softmax(np.concatenate([one[keep] for one, keep in zip(logits, targets.once(), strict=True)]))
    found = best_tags(scores, np.bincount(text))
    values = _span_scores(right, found, text, len(labels))
    return {**{name: values[name] for name in METRICS[:4]}, "accuracy": float((right == found).mean()),
            "loss": float(-scores[np.arange(len(right)), right].mean())}


def guessed(train: TokenTargets, valid: TokenTargets, labels: LabelSet,
            _settings: Settings | None = None) -> dict[str, float]:
    """Return the metrics of knowing the tags of the training rows and no text: what is commonest, at each token."""
    share = np.bincount(train.of_texts()[0], minlength=2 * len(labels) + 1)
    logits = np.log(np.maximum(share, 0.5) / max(share.sum(), 1)).astype(np.float32)
    return metrics([np.tile(logits, (len(row), 1)) for row in valid.rows], valid, labels)


def _check(example: Example, numbers: dict[str, int]) -> None:
    check_marked(example, numbers)
    for one, other in pairwise(sorted(example.spans or ())):
        if other.start < one.end:
            raise DataError(f"{example.id}: {one.label} {one.start}-{one.end} and {other.label} {other.start}-"
                            f"{other.end} overlap, which one tag a token cannot say",
                            "take --task nested-entities, or leave the task out; or keep the outer or the inner ones "
                            "only")


@dataclass(frozen=True, slots=True)
class _Tokens:
    """The M real tokens of N texts, text after text, each once."""

    logits: Float32
    """(M, S)."""
    starts: Int64
    """(M,), in characters of the text."""
    ends: Int64
    text: Int64
    """(M,), the number of the text."""

    @classmethod
    def of(cls, logits: Sequence[Float32], ragged: Ragged) -> _Tokens:
        keep, empty = once(ragged), np.empty((0, 2), np.int64)
        places = np.concatenate([*(one[real] for one, real in zip(places_of(ragged), keep, strict=True)), empty])
        counts = [int(real.sum()) for real in keep]
        return cls(np.concatenate([one[real] for one, real in zip(logits, keep, strict=True)]),
                   places[:, 0], places[:, 1], np.repeat(owners_of(ragged), counts))


def _tagged(tokens: _Tokens, texts: Sequence[str], *, whole_words: bool) -> tuple[Int64, Float64, Int64]:
    """Return where units begin, (U,), the log probabilities of their tags, (U, S), and the likeliest tags, (U,)."""
    first = _unit_starts(tokens, texts, whole_words=whole_words)
    scores = joined_scores(log_softmax(tokens.logits), first)
    return first, scores, best_tags(scores, np.bincount(tokens.text[first], minlength=len(texts)))


def _unit_starts(tokens: _Tokens, texts: Sequence[str], *, whole_words: bool) -> Int64:
    """Return where units begin that are never cut, (U,) int64: tokens of one character, and of one word if asked."""
    same = tokens.text[1:] == tokens.text[:-1]
    begins = np.ones(len(tokens.text), np.bool_)
    begins[1:] = ~same | (tokens.starts[1:] >= tokens.ends[:-1])
    near = np.flatnonzero(same & (tokens.starts[1:] == tokens.ends[:-1])) if whole_words else np.empty(0, np.int64)
    for place in (near + 1).tolist():
        text, at = texts[tokens.text[place]], int(tokens.starts[place])
        begins[place] = not within_word(text, at)
    return np.flatnonzero(begins)


def remarks(examples: Sequence[Example], ragged: Ragged, targets: TokenTargets, labels: LabelSet,
            settings: Settings) -> list[str]:
    """Say how many of the examples' entities no answer can give: their ends stand within a word or a token."""
    sure = 9 * np.eye(2 * len(labels) + 1, dtype=np.float32)
    found = [answer for part, rows, own in some_texts(ragged, range(len(examples)))
             for answer in decode([sure[np.maximum(targets.rows[row], 0)] for row in rows], own,
                                  [examples[number].text for number in part], labels, settings)]
    lost = [(row, span) for row, answer in zip(examples, found, strict=True)
            for span in set(row.spans or ()) - {one.span for one in answer.entities}]
    if not lost:
        return []
    row, span = lost[0]
    count = sum(len(one.spans or ()) for one in examples)
    way = " (task.whole_words=false cuts words)" if settings.whole_words else ""
    return [f"{len(lost):,} of {count:,} entities begin or end within a word or a token and cannot be found as marked"
            f"{way}: {row.text[span.start:span.end]!r} at {row.id}, for one"]


def _span_scores(right: Int64, found: Int64, text: Int64, types: int) -> dict[str, float]:
    """Compare tags as spans and return averages over types."""
    gold, given = (set(spans_in(tags, text)) for tags in (right, found))
    counted = [np.bincount([kind for *_, kind in spans], minlength=types)
               for spans in (gold & given, given - gold, gold - given)]
    return {name: float(value) for name, value in averages(*counted, multi_label=False).items()}


