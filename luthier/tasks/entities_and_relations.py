"""Entities and the relations between them: two passes of one model, a classifier of tokens.

The first pass tags the tokens of a text, as named entities do. The second marks each pair of entities that were found
between which a relation may hold (see ``text.marks``; the marks name the types) and asks what holds: Zhong and Chen,
"A Frustratingly Easy Approach for Entity and Relation Extraction" (2021), who use two encoders where this has one. The
outputs are the tags, then, for the mark before the subject, none and each relation, then the same for that before the
object. All are learned by the cross entropy of tokens; a pair is told by the mean of what its two marks say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from luthier import recipe
from luthier.models.building import Attention, Built, build_classifier
from luthier.models.encoding import Ragged, Reach
from luthier.models.files import ModelFiles
from luthier.schema import (
    Bool,
    Example,
    Extraction,
    Float32,
    FoundRelation,
    Int64,
    LabelSet,
    Marked,
    Prediction,
    TextInput,
    parts,
)
from luthier.tasks import named_entities
from luthier.tasks._entity_pairs import (
    Bounds,
    farthest,
    learned_pairs,
    losses_told,
    marked_pairs,
    most_between,
    pairs_of,
    patterns_in,
    without_overlaps,
)
from luthier.tasks._mark_bits import mark_bits
from luthier.tasks._reach import reach_of, settled
from luthier.tasks._scores import precision_recall_f1
from luthier.tasks._tags import log_softmax, names_of
from luthier.tasks._tokens import IGNORED, TokenTargets
from luthier.tasks._two_passes import (
    MARKED,
    entities_of,
    kinds,
    pair_logits,
    pairs_told,
    relation_number,
    tag_count,
    tags_of_texts,
    told_at,
)
from luthier.tasks._windows import chosen_rows, chosen_texts, once, owners_of, some_texts
from luthier.text.said import Said

if TYPE_CHECKING:
    import torch

TITLE = "Entities and relations"
PROBLEMS = ("joint_extraction",)
"""The problem types of its label sets."""
ANSWER = Extraction
"""What it says of a text."""
OFFSETS = True
"""Whether it needs to know where tokens stand in the text."""
WINDOWS = True
"""Whether long texts are read in windows, when the recipe leaves that open."""
NEEDS_WINDOWS = True
"""Whether a text must not be cut: the marks of a pair may stand anywhere."""
METRICS = ("joint_f1", "entity_f1", "relation_f1", "accuracy", "loss")
"""What ``metrics`` gives and ``validation.metric_for_best_model`` may name; more is better, but for ``loss``."""
LEAST_STEPS = 300
"""Optimiser steps below which it has hardly begun to learn, counted in texts alone: pairs come on top."""
LEARNING_RATES = {"full": 1e-4}
"""Method -> peak learning rate, where the method's own is not the best for this task."""
HEAD_LEARNING_RATE = 1e-2
"""Peak learning rate of the new head."""
GUESS = Said("always giving the commonest tag and the commonest relation", "总是给出最常见的标签和最常见的关系")
"""What ``guessed`` scores, in words."""
UNWEIGHED = "tags and relations are left as they are: nearly all tokens and pairs carry none"
"""Why its classes are not weighed unasked; empty where they are."""
ANSWERING = ("max_pairs",)
"""Settings that only decide how it answers, and may be changed where a bundle is used."""
BEST_METRIC = "joint_f1"
"""The one by which the best step is chosen when the recipe leaves it open."""

WEIGHT = 5.0
"""How much more: a text has some thirty tokens with tags, a pair two marks."""


class Settings(recipe.Settings):
    """The task's own settings."""

    whole_words: bool = True
    """Never cut a word: letters and digits that stand together, but in scripts that are written without spaces."""
    patterns: tuple[tuple[str, str, str], ...] | None = None
    """Type of the subject, relation and type of the object of what may be told; those of the training rows when left
    out."""
    max_distance: int | None = Field(None, ge=0)
    """Most characters between subject and object; when left out, half as many again as in the training rows."""
    max_sentence_ends: int | None = Field(None, ge=0)
    """Most ends of sentences between the two; when left out, as many as in the training rows."""
    max_pairs: int = Field(1000, ge=1)
    """Most pairs of entities looked at in one text: the nearest. An answer says ``truncated`` where there were more."""
    negatives: int = Field(20, ge=0)
    """Most pairs without a relation that are learned of one text."""
    window_characters: int | None = Field(None, ge=1)
    """Most characters that are read together; when left out, what 99 of 100 training rows keep to."""
    window_sentences: int | None = Field(None, ge=1)
    """Most sentences that are read together; when left out, what 99 of 100 training rows keep to."""


def settle(settings: Settings, examples: Sequence[Example], _model: str) -> tuple[Settings, list[str]]:
    """Fill in what the training rows decide, and say it."""
    told, found = list[str](), dict[str, object]()
    if settings.patterns is None:
        patterns = tuple(patterns_in(examples))
        found["patterns"] = patterns
        told.append(f"triples may have {len(patterns)} patterns, those of the training rows (task.patterns): "
                    + ", ".join(map(" ".join, patterns[:5])) + (" …" if len(patterns) > 5 else ""))
    if settings.max_distance is None:
        longest = farthest(examples)
        most = longest + (longest + 1) // 2
        found["max_distance"] = most
        told.append(f"up to {most} characters stand between subject and object: half as many again as in the training "
                    "rows (task.max_distance)")
    if settings.max_sentence_ends is None:
        found["max_sentence_ends"] = ends = most_between(examples)
        told.append((f"up to {ends} ends of sentences stand between them" if ends else
                     "subject and object stand in one sentence") + ", as in the training rows (task.max_sentence_ends)")
    windows, said = settled(examples, settings.window_characters, settings.window_sentences)
    return settings.model_copy(update=found | windows), told + said


def reach(settings: Settings) -> Reach | None:
    """Return how much of a text a window holds, and what is read around a pair."""
    return reach_of(settings.window_characters, settings.window_sentences)


def taught(examples: Sequence[Example], settings: Settings) -> list[Example]:
    """Return the rows that a model learns from: the examples, then the pairs of their entities."""
    pairs = [pair for row in examples
             for pair in learned_pairs(row, _bounds(settings), settings.negatives, reach(settings))]
    return [*examples, *pairs]


def outputs(labels: LabelSet) -> LabelSet:
    """Return what the head's outputs are called: the tags of K types, then none and R relations for each mark."""
    relations = (name for side in ("subject", "object")
                 for name in (f"no-{side}", *(f"{side}:{label}" for label in labels.names)))
    return LabelSet((*names_of(labels.types), *relations), "token_classification")


def weighed(labels: LabelSet) -> tuple[str, ...]:
    """Return the relation whose weight each output takes; tags and none take none."""
    return (*[""] * tag_count(labels), *("", *labels.names) * 2)


def build(
    files: ModelFiles | Path,
    labels: LabelSet,
    *,
    dropout: float | None = None,
    attention_dropout: float | None = None,
    seed: int = 0,
    attention: Attention = "sdpa",
) -> Built:
    """Put a new head with 2 K + 1 + 2 (R + 1) outputs for each token on a model; see ``models.building``."""
    return build_classifier(files, outputs(labels), dropout=dropout, attention_dropout=attention_dropout, seed=seed,
                            attention=attention)


def finish(_model: torch.nn.Module, _labels: LabelSet) -> None:
    """Leave a tuned model as it is."""


def targets(examples: Sequence[Example], labels: LabelSet, ragged: Ragged) -> TokenTargets:
    """Return what N rows shall be labelled with: tags of texts, and at the marks of pairs the outputs that are right.

    Of entities that overlap the first and longest is tagged.

    Raises:
        DataError: a text has no spans, or one of a type that is not in the set, or a pair another relation.
    """
    plain, pairs = kinds([row.text_input for row in examples])
    texts = [replace(row, spans=None if row.spans is None else without_overlaps(row.spans))
             for row in (examples[number] for number in plain)]
    tags = iter(named_entities.targets(texts, entities_of(labels), chosen_texts(ragged, plain)).rows)
    bits = iter(mark_bits(chosen_texts(ragged, pairs), [examples[number].text_input for number in pairs]))
    rows = list[Int64]()
    for owner in owners_of(ragged).tolist():
        row = examples[owner]
        rows.append(next(tags) if row.arguments is None else told_at(next(bits), relation_number(row, labels), labels))
    counted = [row >= MARKED if (row >= MARKED).any() else keep for row, keep in zip(rows, once(ragged), strict=True)]
    return TokenTargets(rows, counted, owners_of(ragged))


def loss(
    logits: torch.Tensor,
    targets: torch.Tensor,
    *,
    class_weights: torch.Tensor | None = None,
    label_smoothing: float = 0.0,
) -> torch.Tensor:
    """Return the cross entropy of each row, summed over its tokens, marks ``WEIGHT`` times as much.

    Args:
        logits: (B, T, S) of any float type; computed in float32.
        targets: (B, T) int64, ``IGNORED`` where a token has none, plus ``MARKED`` at marks.
        class_weights: (S,) float32.
        label_smoothing: share in [0, 1), spread evenly over the S outputs.

    Returns:
        (B,) float32.
    """
    import torch
    from torch.nn import functional

    marks = targets >= MARKED
    right = torch.where(marks, targets - MARKED, targets)
    each = functional.cross_entropy(logits.float().flatten(0, 1), right.flatten(), reduction="none",
                                    weight=class_weights, ignore_index=IGNORED, label_smoothing=label_smoothing)
    return (each.view(targets.shape) * torch.where(marks, WEIGHT, 1.0)).sum(-1)


def decode(logits: Sequence[Float32], ragged: Ragged, texts: Sequence[TextInput], labels: LabelSet,
           settings: Settings) -> list[Extraction | Prediction]:
    """Read what N rows say off the logits of their W windows.

    Args:
        logits: W arrays (T, S) float32.
        ragged: the W windows, with offsets.
        texts: the N texts as they came, and texts in which a pair of entities is marked.
        labels: R relations and K types.
        settings: whether words are kept whole, and which relations may hold between which types.

    Returns:
        Of a text an ``Extraction`` without relations; of a pair a ``Prediction`` over the relations, which has no
        label where none holds.
    """
    plain, pairs = kinds(texts)
    found: dict[int, Extraction | Prediction] = {}
    tagged = named_entities.decode(*_plain(logits, ragged, texts, labels), entities_of(labels), _words(settings))
    for number, one in zip(plain, tagged, strict=True):
        found[number] = Extraction(one.entities, (), one.truncated)
    scores = _allowed(pair_logits(logits, ragged, texts, labels), texts, labels, settings)
    shares = np.exp(log_softmax(scores)).astype(np.float32)
    for number, row, best in zip(pairs, shares, scores.argmax(axis=1).tolist(), strict=True):
        found[number] = Prediction((labels.names[best - 1],) if best else (), labels.names, row[1:])
    return [found[number] for number in range(len(texts))]


def follow_up(answers: Sequence[Extraction], texts: Sequence[TextInput], settings: Settings) -> list[TextInput]:
    """Return what is asked after the entities of N texts are known: each pair between which a relation may hold."""
    return [pair for answer, whole in zip(answers, texts, strict=True)
            for text, spans in [(parts(whole)[0], [entity.span for entity in answer.entities])]
            for pair in marked_pairs(text, spans, pairs_of(text, spans, _bounds(settings))[0], reach(settings))]


def combined(answers: Sequence[Extraction], texts: Sequence[TextInput], replies: Sequence[Prediction],
             settings: Settings) -> list[Extraction]:
    """Return the entities of N texts with their relations, from the replies to what ``follow_up`` asked."""
    told, found = iter(replies), []
    for answer, text in zip(answers, texts, strict=True):
        pairs, cut = pairs_of(parts(text)[0], [entity.span for entity in answer.entities], _bounds(settings))
        every = [(next(told), *pair) for pair in pairs]
        relations = tuple(FoundRelation(reply.label, reply.score, one, other) for reply, one, other in every
                          if reply.labels)
        found.append(Extraction(answer.entities, relations, answer.truncated or cut))
    return found


def firm(logits: Sequence[Float32], ragged: Ragged, texts: Sequence[TextInput], labels: LabelSet,
         settings: Settings, step: float) -> Bool:
    """Return which of N rows are no close call, (N,) bool: moving outputs by ``step`` decides nothing otherwise."""
    plain, pairs = kinds(texts)
    sure = np.ones(len(texts), np.bool_)
    if plain:
        sure[plain] = named_entities.firm(*_plain(logits, ragged, texts, labels), entities_of(labels),
                                          _words(settings), step)
    best = np.sort(_allowed(pair_logits(logits, ragged, texts, labels), texts, labels, settings), axis=1)
    sure[pairs] = best[:, -1] - best[:, -2] > step
    return sure


def metrics(logits: Sequence[Float32], targets: TokenTargets, labels: LabelSet,
            _settings: Settings | None = None) -> dict[str, float]:
    """Score rows for validation: entities by themselves, and relations of the right entities.

    Returns:
        A number for each of ``METRICS``. ``joint_f1`` is ``entity_f1`` times ``relation_f1``, for a triple needs
        both; ``accuracy`` is that of tags and ``loss`` the sum of the means over tokens and over marks in nats.
    """
    tags, own = tags_of_texts(targets)
    size = tag_count(labels)
    of_tags = named_entities.metrics([logits[number][:, :size] for number in own], tags, entities_of(labels))
    right, found, at_marks = pairs_told(logits, targets, labels)
    hits = int(((right == found) & (right > 0)).sum())
    _, _, f1 = precision_recall_f1(*(np.array([count]) for count in (
        hits, int((found > 0).sum()) - hits, int((right > 0).sum()) - hits)))
    entity, relation = of_tags["f1_micro"], float(f1[0])
    return {"joint_f1": entity * relation, "entity_f1": entity, "relation_f1": relation,
            "accuracy": of_tags["accuracy"], "loss": of_tags["loss"] + at_marks}


def guessed(train: TokenTargets, valid: TokenTargets, labels: LabelSet,
            _settings: Settings | None = None) -> dict[str, float]:
    """Return the metrics of knowing how common each output is in the training rows, and no text."""
    every = np.concatenate([*(row[row != IGNORED] for row in train.rows), np.empty(0, np.int64)])
    share = np.bincount(np.where(every >= MARKED, every - MARKED, every), minlength=len(outputs(labels)))
    logits = np.log(np.maximum(share, 0.5) / max(share.sum(), 1)).astype(np.float32)
    return metrics([np.tile(logits, (len(row), 1)) for row in valid.rows], valid, labels)


def remarks(examples: Sequence[Example], ragged: Ragged, targets: TokenTargets, labels: LabelSet,
            settings: Settings) -> list[str]:
    """Say how many pairs are learned, and how many of the examples' entities and triples no answer can give."""
    rows = [row for row in examples if row.arguments is None]
    pairs = [row for row in examples if row.arguments is not None]
    told = [f"{len(pairs):,} pairs of entities are learned beside {len(rows):,} texts, "
            f"{sum(not row.labels for row in pairs):,} of them without a relation (task.negatives)"]
    sure = 9 * np.eye(len(outputs(labels)), dtype=np.float32)
    texts = [number for number, row in enumerate(examples) if row.arguments is None]
    found = [answer for part, own, windows in some_texts(ragged, texts)
             for answer in decode([sure[np.maximum(targets.rows[row], 0)] for row in own], windows,
                                  [examples[number].text for number in part], labels, settings)]
    return told + list(losses_told(rows, [answer for answer in found if isinstance(answer, Extraction)]))


def _plain(logits: Sequence[Float32], ragged: Ragged, texts: Sequence[TextInput],
           labels: LabelSet) -> tuple[list[Float32], Ragged, list[TextInput]]:
    """Return the tags' logits, the windows and the texts of the rows in which no pair is marked."""
    plain, _ = kinds(texts)
    own = [logits[row][:, :tag_count(labels)] for row in chosen_rows(ragged, plain)]
    return own, chosen_texts(ragged, plain), [texts[number] for number in plain]


def _allowed(scores: Float32, texts: Sequence[TextInput], labels: LabelSet, settings: Settings) -> Float32:
    """Leave out, of P pairs' logits (P, R + 1), the relations that never hold between such types."""
    if settings.patterns is None:
        return scores
    known = {(one, other) for one, _, other in settings.patterns}
    told = set(settings.patterns)
    for row, pair in zip(scores, (text for text in texts if isinstance(text, Marked)), strict=True):
        one, other = pair.head.type or "", pair.tail.type or ""
        if (one, other) in known:  # of stretches without types nothing is known
            row[[number for number, name in enumerate(labels.names, 1) if (one, name, other) not in told]] = -np.inf
    return scores


def _words(settings: Settings) -> named_entities.Settings:
    return named_entities.Settings(whole_words=settings.whole_words)


def _bounds(settings: Settings) -> Bounds:
    types = None if settings.patterns is None else {(one, other) for one, _, other in settings.patterns}
    return Bounds(types, settings.max_distance, settings.max_pairs, settings.max_sentence_ends)
