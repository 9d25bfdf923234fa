"""Similarity: vectors of texts, near where texts mean the same or where a passage answers a query.

A row is two or more sequences, each embedded by itself: a pair of texts with a score, or a query with the passages that
belong to it and those that do not. The loss compares all vectors of a batch; docs/decisions/0013 has the reasons.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import Field, StringConstraints

from luthier import recipe
from luthier.errors import DataError
from luthier.models.building import Attention, Built, build_classifier
from luthier.models.encoding import Ragged
from luthier.models.files import ModelFiles
from luthier.schema import (
    EMBEDDING,
    Embedding,
    Example,
    Float32,
    Int64,
    LabelSet,
    Passage,
    Similarity,
    TextInput,
    parts,
)
from luthier.tasks import _sentence_transformers as companion_files
from luthier.tasks._contrastive import cosent_loss, in_batch_loss, mean_loss
from luthier.tasks._numbers import number_scores
from luthier.tasks._ranking import NEGATIVE, POSITIVE, QUERY, RANKINGS, Relevance, ranking_scores, ranks
from luthier.text.said import Said

if TYPE_CHECKING:
    import torch

TITLE = "Similarity and retrieval"
PROBLEMS = ("similarity", "retrieval")
"""The problem types of its label sets: pairs of texts with a score, and queries with passages."""
ANSWER = Embedding
"""What it says of a text."""
PAIR_ANSWER = Similarity
"""What it says of a pair of texts: its bundles take both."""
TOGETHER = True
"""Whether the sequences of a batch are compared with one another, so that its loss cannot be computed in parts."""
OFFSETS = False
"""Whether it needs to know where tokens stand in the text."""
WINDOWS = False
"""Whether long texts are read in windows: never, a text has one vector."""
METRICS = (*RANKINGS, "spearman", "pearson", "loss")
"""What ``metrics`` gives and ``validation.metric_for_best_model`` may name; more is better, but for ``loss``."""
LEAST_STEPS = 100
"""Optimiser steps below which it has hardly begun to learn."""
LEARNING_RATES = {"full": 5e-5}
"""Method -> peak learning rate, where the method's own is not the best for this task."""
HEAD_LEARNING_RATE = None
"""There is no head."""
GUESS = Said("a model that knows nothing", "一无所知的模型")
"""What ``guessed`` scores, in words."""
UNWEIGHED = "texts that are compared have no classes"
"""Why its classes are not weighed unasked; empty where they are."""
UNSMOOTHED = "texts that are compared have no classes"
"""Why ``train.label_smoothing_factor`` is refused."""
BEST_METRIC = "ndcg@10"
"""The one by which the best step is chosen when the recipe leaves it open; of pairs with a score ``spearman``."""

_UNKNOWING = 16
"""Width of the random vectors that stand for a model which knows nothing."""

Prefix = Annotated[str, StringConstraints(strip_whitespace=False)]


class Settings(recipe.Settings):
    """How texts are embedded and what is learned."""

    query_prefix: Prefix | None = None
    """Put before each query, and before each text that is not called a passage; the model's own when left out."""
    passage_prefix: Prefix | None = None
    """Put before each passage, and before the second text of a pair; the model's own when left out."""
    scale: float = Field(20.0, gt=0)
    """Cosines are multiplied by it in the loss: one over its temperature."""
    symmetric: bool = False
    """Learn from passages to queries, too: for pairs of equals, such as paraphrases."""
    max_negatives: int = Field(4, ge=0)
    """Given negatives of a row that are learned from: the first ones. Each is one more text to compute."""


def outputs(labels: LabelSet) -> LabelSet:
    """Return what the output is called: a vector has one name, whatever it is compared for."""
    return LabelSet((EMBEDDING,), labels.problem_type)


def weighed(_labels: LabelSet) -> tuple[str, ...]:
    """Return nothing: there are no classes."""
    return ()


def best_metric(labels: LabelSet) -> str:
    """Return the metric by which the best step is chosen when the recipe leaves it open."""
    return "spearman" if labels.problem_type == "similarity" else BEST_METRIC


def metrics_of(labels: LabelSet) -> tuple[str, ...]:
    """Return those of ``METRICS`` that say something of such rows; the others are 0."""
    return ("spearman", "pearson", "loss") if labels.problem_type == "similarity" else (*RANKINGS, "loss")


def settle(settings: Settings, train: Sequence[Example], model: str) -> tuple[Settings, list[str]]:
    """Choose the prefixes that the model was trained with; two texts with a score are both put as queries."""
    query, passage = companion_files.known_prefixes(model)
    if not any(row.passages for row in train):
        passage = query
    given = {"query_prefix": query, "passage_prefix": passage}
    chosen = {name: value for name, value in given.items() if getattr(settings, name) is None}
    told = [f"{name.replace('_', ' ')}: {value!r}, as {model} was trained" for name, value in chosen.items() if value]
    return settings.model_copy(update=chosen), told


def rows_of(examples: Sequence[Example], settings: Settings) -> list[TextInput]:
    """Return what is learned from: pairs of texts, or each query with each of its passages and then the negatives."""
    rows: list[TextInput] = []
    for row in examples:
        if row.passages is None:
            rows.append(row.text_input)
        else:
            wrong = row.passages.negative[: settings.max_negatives]
            rows.extend((row.text, right, *wrong) for right in row.passages.positive)
    return rows


def sequences(rows: Sequence[TextInput], settings: Settings) -> tuple[list[str], Int64]:
    """Return the S sequences of N rows, each with its prefix, and the row of each, (S,) int64.

    The first of a row is a query, the others are passages; so is a lone ``Passage``.
    """
    query, passage = settings.query_prefix or "", settings.passage_prefix or ""
    texts, owners = [], []
    for number, row in enumerate(rows):
        for place, text in enumerate(parts(row)):
            prefix = passage if place or isinstance(text, Passage) else query
            texts.append(prefix + text.lstrip() if prefix else text)
            owners.append(number)
    return texts, np.array(owners, np.int64)


def build(
    files: ModelFiles | Path,
    labels: LabelSet,
    *,
    dropout: float | None = None,
    attention_dropout: float | None = None,
    seed: int = 0,
    attention: Attention = "sdpa",
) -> Built:
    """Open a pretrained encoder without a head; what it gives is the mean over a text's tokens, at length 1.

    Raises:
        ModelError: the model cannot be opened, or is a decoder.
    """
    return build_classifier(files, outputs(labels), dropout=dropout, attention_dropout=attention_dropout, seed=seed,
                            attention=attention)


def finish(_model: torch.nn.Module, _labels: LabelSet) -> None:
    """Leave a tuned model as it is."""


def companions(settings: Settings, width: int, max_length: int) -> Mapping[str, Any]:
    """Return the files that let the sentence-transformers library open a bundle: path -> JSON."""
    prefixes = settings.query_prefix or "", settings.passage_prefix or ""
    return companion_files.companions(*prefixes, width=width, max_length=max_length)


def targets(examples: Sequence[Example], labels: LabelSet, ragged: Ragged | None = None) -> npt.NDArray[Any]:
    """Return what is known of each sequence of the rows of N examples.

    Args:
        examples: N rows.
        labels: tell whether they are pairs with a score or queries with passages.
        ragged: the S sequences of what ``rows_of`` made of them, as ``sequences`` gives them.

    Returns:
        Of scored pairs (S,) float32, the score of the pair; else (S, 3) int64: the row, what the sequence is in it
        (query, positive or negative), and a number that equal sequences share.

    Raises:
        DataError: an example has neither a score nor passages, or no sequences are given.
    """
    if ragged is None or ragged.owners is None:
        raise DataError("the sequences of the rows are not known", "encode what similarity.sequences gives")
    for row in examples:
        if (row.value if labels.problem_type == "similarity" else row.passages) is None:
            what = "a score" if labels.problem_type == "similarity" else "passages"
            raise DataError(f"{row.id}: expected {what}, got none", "give the row one or leave it out")
    if labels.problem_type == "similarity":
        return np.array([row.value for row in examples], np.float32)[ragged.owners]
    numbers: dict[tuple[int, ...], int] = {}
    texts = [numbers.setdefault(tuple(ids), len(numbers)) for ids in ragged.ids]
    place = np.arange(len(texts)) - np.searchsorted(ragged.owners, ragged.owners)
    kind = np.where(place == 0, QUERY, np.where(place == 1, POSITIVE, NEGATIVE))
    return np.stack([ragged.owners, kind, np.array(texts, np.int64)], axis=1)


def loss(
    logits: torch.Tensor,
    targets: torch.Tensor,
    *,
    class_weights: torch.Tensor | None = None,  # noqa: ARG001 - the seam's signature
    label_smoothing: float = 0.0,  # noqa: ARG001 - the seam's signature
    settings: Settings | None = None,
) -> torch.Tensor:
    """Return the loss of each of the B rows of a batch, which depends on the whole batch: use their mean.

    Args:
        logits: (S, D) vectors of all sequences of the rows, row after row.
        targets: as ``targets`` gives them, (S,) float32 or (S, 3) int64.
        class_weights: not used: there are no classes.
        label_smoothing: not used: refused before.
        settings: hold the scale, and whether passages look for queries, too.

    Returns:
        (B,) float32: CoSENT of scored pairs, else in-batch negatives.
    """
    settings = settings or Settings()
    if targets.dim() == 1:
        return cosent_loss(logits, targets, scale=settings.scale)
    return in_batch_loss(logits, targets, scale=settings.scale, symmetric=settings.symmetric)


def decode(logits: Float32, ragged: Ragged, texts: Sequence[TextInput], _labels: LabelSet,
           _settings: Settings) -> list[Embedding | Similarity]:
    """Return the vector of each of N texts, or the cosine of each pair.

    Args:
        logits: (S, D) float32 of length 1.
        ragged: the S sequences, as the model saw them.
        texts: the N rows.
    """
    found: list[Embedding | Similarity] = []
    at = 0
    for row in texts:
        if isinstance(row, str):
            found.append(Embedding(logits[at], bool(ragged.truncated[at])))
        else:
            cut = bool(ragged.truncated[at : at + 2].any())
            found.append(Similarity(float(logits[at] @ logits[at + 1]), cut))
        at += 1 if isinstance(row, str) else 2
    return found


def firm(_logits: Float32, _ragged: Ragged, rows: Sequence[TextInput], *_: Any) -> list[bool]:
    """Return that no answer's label can change: there are none."""
    return [True] * len(rows)


def metrics(
    logits: Float32, targets: npt.NDArray[Any], _labels: LabelSet, settings: Settings | None = None
) -> dict[str, float]:
    """Score N rows for validation: each query against the passages of all rows, or cosines against scores.

    Args:
        logits: (S, D) float32 of length 1.
        targets: as ``targets`` gives them.
        settings: hold the scale of the loss, and whether it goes both ways; the defaults when left out.

    Returns:
        A number for each of ``METRICS``; 0 for what such rows do not have.
    """
    found = dict.fromkeys(METRICS, 0.0)
    if targets.ndim == 1:
        cosines = (logits[::2].astype(np.float64) * logits[1::2]).sum(1)
        scores = number_scores(targets[::2], cosines)
        found |= {name: float(scores[name][0]) for name in ("spearman", "pearson")}
    else:
        known = Relevance.of(targets)
        queries, passages = logits[known.queries], logits[known.passages]
        own = ranks(lambda start, stop: queries[start:stop] @ passages.T, known.wanted, len(passages))
        found |= {name: float(value.mean()) for name, value in ranking_scores(own).items()}
    return found | {"loss": mean_loss(logits, targets, lambda *part: loss(*part, settings=settings))}


def guessed(train: npt.NDArray[Any], valid: npt.NDArray[Any], labels: LabelSet,  # noqa: ARG001 - the seam's signature
            settings: Settings | None = None) -> dict[str, float]:
    """Return the metrics of a model that knows nothing: all pairs alike, or vectors at random.

    Args:
        train: not used.
        valid: targets of the rows to be scored.
        labels: tell what the rows are.
        settings: as ``metrics`` takes them.
    """
    if valid.ndim == 1:
        return metrics(np.ones((len(valid), 1), np.float32), valid, labels, settings)
    vectors = np.random.default_rng(0).normal(size=(len(valid), _UNKNOWING)).astype(np.float32)
    return metrics(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), valid, labels, settings)
