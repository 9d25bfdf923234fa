"""Re-ranking: a model that reads a query and a passage together says how well the one answers the other.

A cross-encoder (Nogueira and Cho, "Passage Re-ranking with BERT", 2019): a classifier of pairs with one output, whose
sigmoid is the score. It is slower than comparing vectors, and tells more: another search finds candidates, and they are
ordered anew. A row is a query with one passage that belongs to it and some that do not; docs/decisions/0019.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from luthier import recipe
from luthier.errors import DataError
from luthier.models.building import Attention, Built, build_classifier
from luthier.models.encoding import Ragged
from luthier.models.files import ModelFiles
from luthier.schema import (
    Candidates,
    Example,
    Float32,
    Int64,
    LabelSet,
    Relevance,
    Reranked,
    TextInput,
    parts,
)
from luthier.tasks._candidates import ORDERINGS, Wrong, ordering_scores, places_of, with_lists, with_negatives
from luthier.tasks._pointwise import binary_loss, softmax_loss
from luthier.text.said import Said

if TYPE_CHECKING:
    import torch

TITLE = "Re-ranking"
PROBLEMS = ("re_ranking",)
"""The problem types of its label sets."""
ANSWER = Reranked
"""What it says of a query with its candidates."""
PAIR_ANSWER = Relevance
"""What it says of a query with one passage: its bundles take both."""
GROUPED = True
"""Whether a row has several sequences whose loss is one, so that a batch is made of whole rows."""
OFFSETS = False
"""Whether it needs to know where tokens stand in the text."""
WINDOWS = False
"""Whether long texts are read in windows: never, a pair is read once."""
METRICS = (*ORDERINGS, "loss")
"""What ``metrics`` gives and ``validation.metric_for_best_model`` may name; more is better, but for ``loss``."""
LEAST_STEPS = 100
"""Optimiser steps below which it has hardly begun to learn."""
LEARNING_RATES: dict[str, float] = {}
"""Method -> peak learning rate, where the method's own is not the best for this task."""
HEAD_LEARNING_RATE = None
"""Peak learning rate of the new head; ``None``: as the rest."""
GUESS = Said("an order at random", "随机排序")
"""What ``guessed`` scores, in words."""
UNWEIGHED = "passages that are ordered have no classes"
"""Why its classes are not weighed unasked; empty where they are."""
UNSMOOTHED = "passages that are ordered have no classes"
"""Why label smoothing changes nothing here."""
BEST_METRIC = "ndcg@10"
"""The one by which the best step is chosen when the recipe leaves it open."""
SEARCHED = 50
"""Passages that a search finds for each query to learn from."""


class Settings(recipe.Settings):
    """What is learned, and from which passages."""

    loss: Literal["listwise", "binary"] = "listwise"
    """Whether the right passage is told from the wrong ones of its row, or each pair is judged by itself."""
    negatives: int = Field(4, ge=1)
    """Wrong passages that are learned with each right one, given ones first. Each is one more pair to compute."""
    hard_negatives: int = Field(2, ge=0)
    """Of these, where too few are given, so many drawn from the 50 that TF-IDF finds; the rest is drawn from all."""
    validation_candidates: int = Field(20, ge=1)
    """Wrong passages of each validation query: given ones, then the likeliest for TF-IDF."""


def outputs(labels: LabelSet) -> LabelSet:
    """Return what the head's one output is called."""
    return labels


def weighed(_labels: LabelSet) -> tuple[str, ...]:
    """Return nothing: there are no classes."""
    return ()


def learned(rows: Sequence[Example], wrong: Wrong, settings: Settings, seed: int) -> list[Example]:
    """Return what training rows are learned as: each right passage with some that are wrong; see ``_candidates``."""
    return with_negatives(rows, wrong, count=settings.negatives, hard=settings.hard_negatives, seed=seed)


def validated(rows: Sequence[Example], wrong: Wrong, settings: Settings) -> list[Example]:
    """Return what validation rows are scored as: all right passages with some that are wrong."""
    return with_lists(rows, wrong, count=settings.validation_candidates)


def rows_of(examples: Sequence[Example], _settings: Settings) -> list[TextInput]:
    """Return each query with its right passages and then the wrong ones.

    Raises:
        DataError: a row has no passages.
    """
    for row in examples:
        if row.passages is None:
            raise DataError(f"{row.id}: expected passages, got none", "give the row some or leave it out")
    return [Candidates(row.text, (*row.passages.positive, *row.passages.negative))
            for row in examples if row.passages is not None]


def sequences(rows: Sequence[TextInput], _settings: Settings) -> tuple[list[TextInput], Int64]:
    """Return the S pairs of N rows, each a query with its passages, and the row of each, (S,) int64."""
    pairs = [_pairs(row) for row in rows]
    owners = np.repeat(np.arange(len(rows)), [len(own) for own in pairs])
    return [pair for own in pairs for pair in own], owners.astype(np.int64)


def build(
    files: ModelFiles | Path,
    labels: LabelSet,
    *,
    dropout: float | None = None,
    attention_dropout: float | None = None,
    seed: int = 0,
    attention: Attention = "sdpa",
) -> Built:
    """Put a new head with one output on a pretrained model; one that scores pairs already keeps its head."""
    return build_classifier(files, labels, dropout=dropout, attention_dropout=attention_dropout, seed=seed,
                            attention=attention)


def finish(_model: torch.nn.Module, _labels: LabelSet) -> None:
    """Leave a tuned model as it is."""


def targets(examples: Sequence[Example], _labels: LabelSet, ragged: Ragged | None = None) -> Float32:
    """Return what is known of each pair of N examples.

    Args:
        examples: N rows, as ``learned`` or ``validated`` gives them.
        ragged: the S pairs of what ``rows_of`` made of them, as ``sequences`` gives them.

    Returns:
        (S, 2) float32: the row, and how relevant the passage is, as a share of the highest grade of all rows.

    Raises:
        DataError: an example has no passages, or no pairs are given.
    """
    if ragged is None or ragged.owners is None:
        raise DataError("the pairs of the rows are not known", "encode what re_ranking.sequences gives")
    known = [row.passages for row in examples if row.passages is not None]
    if len(known) != len(examples):
        bare = next(row.id for row in examples if row.passages is None)
        raise DataError(f"{bare}: expected passages, got none", "give the row some or leave it out")
    grades = [grade for own in known for grade in (*own.relevance, *(0.0,) * len(own.negative))]
    return np.stack([ragged.owners, np.array(grades) / max(grades, default=1.0)], axis=1).astype(np.float32)


def loss(
    logits: torch.Tensor,
    targets: torch.Tensor,
    *,
    class_weights: torch.Tensor | None = None,  # noqa: ARG001 - the seam's signature
    label_smoothing: float = 0.0,  # noqa: ARG001 - the seam's signature
    settings: Settings | None = None,
) -> torch.Tensor:
    """Return the loss of each of the B rows of a batch.

    Args:
        logits: (S, 1) of any float type, of all pairs of the rows, row after row; computed in float32.
        targets: (S, 2) float32, as ``targets`` gives them.
        class_weights: not used: there are no classes.
        label_smoothing: not used.
        settings: hold which loss.

    Returns:
        (B,) float32: the mean over a row's pairs, or over its right passages.
    """
    listwise = (settings or Settings()).loss == "listwise"
    scores = logits.float().squeeze(-1)
    return softmax_loss(scores, targets) if listwise else binary_loss(scores, targets)


def decode(logits: Float32, ragged: Ragged, texts: Sequence[TextInput], _labels: LabelSet,
           _settings: Settings) -> list[Reranked | Relevance]:
    """Return the score of each pair, and the order of the passages of each query that came with several.

    Args:
        logits: (S, 1) float32.
        ragged: the S pairs, as the model saw them.
        texts: the N rows.
    """
    scores = 1 / (1 + np.exp(-np.clip(logits[:, 0].astype(np.float64), -700, 700)))
    every = [Relevance(score, cut) for score, cut in zip(scores.tolist(), ragged.truncated.tolist(), strict=True)]
    found: list[Reranked | Relevance] = []
    at = 0
    for row in texts:
        size = len(_pairs(row))
        found.append(Reranked.of(every[at : at + size]) if isinstance(row, Candidates) else every[at])
        at += size
    return found


def firm(_logits: Float32, _ragged: Ragged, rows: Sequence[TextInput], *_: object) -> list[bool]:
    """Return that no answer's label can change: a score has none."""
    return [True] * len(rows)


def metrics(logits: Float32, targets: npt.NDArray[np.float32], _labels: LabelSet,
            settings: Settings | None = None) -> dict[str, float]:
    """Score N rows for validation: each query's own passages among those that are wrong for it.

    Args:
        logits: (S, 1) float32.
        targets: as ``targets`` gives them.
        settings: hold which loss; the default when left out.

    Returns:
        A number for each of ``METRICS``.
    """
    import torch

    starts = np.flatnonzero(np.diff(targets[:, 0], prepend=-1))[1:]
    scores, relevance = np.split(logits[:, 0], starts), np.split(targets[:, 1].astype(np.float64), starts)
    ranks = [places_of(own, known) for own, known in zip(scores, relevance, strict=True)]
    table = ordering_scores(ranks, [known[known > 0] for known in relevance])
    losses = loss(torch.from_numpy(logits), torch.from_numpy(targets), settings=settings)
    return {**{name: float(value.mean()) for name, value in table.items()}, "loss": float(losses.mean())}


def guessed(train: Float32, valid: Float32, labels: LabelSet,  # noqa: ARG001 - the seam's signature
            settings: Settings | None = None) -> dict[str, float]:
    """Return the metrics of scores at random.

    Args:
        train: not used.
        valid: targets of the rows to be scored.
        labels: not used.
        settings: hold which loss; the default when left out.
    """
    scores = np.random.default_rng(0).normal(size=(len(valid), 1)).astype(np.float32)
    return metrics(scores, valid, labels, settings)


def _pairs(row: TextInput) -> list[tuple[str, str]]:
    """Return the pairs that are read for a row."""
    if isinstance(row, Candidates):
        return row.pairs
    query, passage = parts(row)
    return [(query, passage)]
