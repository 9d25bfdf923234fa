"""Question answering: the stretch of a context that answers a question, or nothing where none does.

After Devlin et al., "BERT" (2018), sections 4.2 and 4.3: each token has a logit to start the answer and one to end it,
and the first token stands for no answer. A long context is read in windows; one that does not hold the whole answer
learns to say that there is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from luthier import recipe
from luthier.errors import DataError
from luthier.models.building import Attention, Built, build_classifier
from luthier.models.encoding import Ragged
from luthier.models.files import ModelFiles
from luthier.schema import Bool, Example, Float32, FoundAnswer, Int64, LabelSet, Span, TextInput, parts
from luthier.tasks._answers import Float64, best_spans, best_windows, log_probabilities
from luthier.tasks._tokens import IGNORED, TokenTargets
from luthier.tasks._words import widened
from luthier.text.said import Said

if TYPE_CHECKING:
    import torch

TITLE = "Question answering"
PROBLEMS = ("question_answering",)
"""The problem types of its label sets."""
ANSWER = FoundAnswer
"""What it says of a question and its context."""
OFFSETS = True
"""Whether it needs to know where tokens stand in the text."""
WINDOWS = True
"""Whether long texts are read in windows, when the recipe leaves that open."""
METRICS = ("f1", "accuracy", "loss")
"""What ``metrics`` gives and ``validation.metric_for_best_model`` may name; more is better, but for ``loss``."""
LEAST_STEPS = 500
"""Optimiser steps below which it has hardly begun to learn."""
LEARNING_RATES = {"full": 1e-4}
"""Method -> peak learning rate, where the method's own is not the best for this task."""
HEAD_LEARNING_RATE = 1e-3
"""Peak learning rate of the new head."""
GUESS = Said("always giving the commonest answer", "总是给出最常见的答案")
"""What ``guessed`` scores, in words."""
UNWEIGHED = "answers to questions have no classes"
"""Why its classes are not weighed unasked; empty where they are."""
ANSWERING = ("null_threshold",)
"""Settings that only decide how it answers, and may be changed where a bundle is used."""
BEST_METRIC = "f1"
"""The one by which the best step is chosen when the recipe leaves it open."""

START, END = 1, 2
"""Targets of the first and of the last token of the answer, 3 where they are one; 0 at others that could be."""


class Settings(recipe.Settings):
    """The task's own settings."""

    max_answer_tokens: int = Field(30, ge=1)
    """Most tokens of an answer."""
    unanswerable: bool | None = None
    """Whether it may say that the context holds no answer; when left out, whether training rows hold none."""
    null_threshold: float = 0.0
    """How far the log probability of no answer must lie above that of the best answer, so that there is none."""
    whole_words: bool = True
    """Never cut a word: letters and digits that stand together, but in scripts that are written without spaces."""


def settle(settings: Settings, examples: Sequence[Example], _model: str = "") -> tuple[Settings, list[str]]:
    """Fill in what the training rows decide, and say it."""
    if settings.unanswerable is not None:
        return settings, []
    empty = sum(not row.answers for row in examples)
    told = (f"no answer is an answer: {empty:,} training questions have none" if empty else
            "each question gets an answer: every training question has one (task.unanswerable=true allows none)")
    return settings.model_copy(update={"unanswerable": empty > 0}), [told]


def outputs(labels: LabelSet) -> LabelSet:
    """Return what the head's outputs are called: to start and to end an answer."""
    return LabelSet(("start", "end"), labels.problem_type)


def weighed(_labels: LabelSet) -> tuple[str, ...]:
    """Return nothing: places are no classes."""
    return ()


def build(
    files: ModelFiles | Path,
    labels: LabelSet,
    *,
    dropout: float | None = None,
    attention_dropout: float | None = None,
    seed: int = 0,
    attention: Attention = "sdpa",
) -> Built:
    """Put a new head with two outputs for each token on a pretrained model; see ``models.building``.

    A model that finds answers already keeps its head: every such model's outputs mean the same.
    """
    return build_classifier(files, outputs(labels), dropout=dropout, attention_dropout=attention_dropout, seed=seed,
                            attention=attention)


def finish(_model: torch.nn.Module, _labels: LabelSet) -> None:
    """Leave a tuned model as it is."""


def targets(examples: Sequence[Example], _labels: LabelSet, ragged: Ragged) -> TokenTargets:
    """Return where the answers of N examples stand, a row for each of their windows.

    The first of several answers is learned. A window without it, or with a part of it, has its first token as start and
    end. Tokens that no answer starts or ends with have no target, so that the loss passes them over.

    Raises:
        DataError: an example is no question with a context, or none of its answers stands in the context.
    """
    wanted = [_wanted(example) for example in examples]
    keep, owners = _places(ragged)
    rows = []
    for row, owner in enumerate(owners.tolist()):
        codes = np.where(keep[row], 0, IGNORED)
        codes[0] = 0
        first, last = _tokens_of(wanted[owner], ragged.offsets[row] if ragged.offsets else codes, keep[row])
        codes[first] += START
        codes[last] += END
        rows.append(codes)
    return TokenTargets(rows, of_rows=True)


def loss(
    logits: torch.Tensor,
    targets: torch.Tensor,
    *,
    class_weights: torch.Tensor | None = None,  # noqa: ARG001 - the two outputs are not classes
    label_smoothing: float = 0.0,
) -> torch.Tensor:
    """Return the loss of each window: the mean of the cross entropies of start and end.

    Args:
        logits: (B, T, 2) of any float type; computed in float32.
        targets: (B, T) int64, see ``targets``.
        class_weights: not used.
        label_smoothing: share in [0, 1), spread evenly over the tokens that could start or end an answer.

    Returns:
        (B,) float32.
    """
    import torch

    able = (targets != IGNORED)[..., None]
    low = torch.finfo(torch.float32).min
    shares = torch.log_softmax(logits.float().masked_fill(~able, low), dim=1).masked_fill(~able, 0.0)  # (B, T, 2)
    right = torch.stack([(targets > 0) & (targets & bit > 0) for bit in (START, END)], dim=-1)
    hit = (shares * right).sum(1)  # (B, 2)
    even = shares.sum(1) / able.sum(1)
    return -((1 - label_smoothing) * hit + label_smoothing * even).mean(-1)


def decode(logits: Sequence[Float32], ragged: Ragged, texts: Sequence[TextInput], _labels: LabelSet,
           settings: Settings) -> list[FoundAnswer]:
    """Read the answers to N questions off the logits of the W windows of their contexts.

    Args:
        logits: W arrays (T, 2) float32.
        ragged: the W windows, with offsets.
        texts: N pairs of a question and a context, as they came.
        settings: the longest answer, whether there may be none, and whether words are kept whole.
    """
    if not texts:
        return []
    keep, owners = _places(ragged)
    best = best_spans(logits, keep, settings.max_answer_tokens)
    windows, null = best_windows(best, owners, len(texts))
    cut = np.zeros(len(texts), np.bool_)
    np.logical_or.at(cut, owners, ragged.truncated)
    found = []
    for row, window, empty, lost in zip(texts, windows.tolist(), null.tolist(), cut.tolist(), strict=True):
        score = float(best.scores[window])
        if np.isneginf(score) or (settings.unanswerable and empty - score > settings.null_threshold):
            found.append(FoundAnswer("", float(np.exp(empty)), 0, 0, lost))
            continue
        offsets = ragged.offsets[window] if ragged.offsets else np.zeros((1, 2), np.int64)
        start, end = int(offsets[best.starts[window], 0]), int(offsets[best.ends[window], 1])
        context = parts(row)[1]
        if settings.whole_words:
            start, end = widened(context, start, end)
        found.append(FoundAnswer(context[start:end], float(np.exp(score)), start, end, lost))
    return found


def firm(logits: Sequence[Float32], ragged: Ragged, texts: Sequence[TextInput], labels: LabelSet,
         settings: Settings, step: float) -> list[bool]:
    """Return for each of N texts whether its answer stays when its own logits fall by ``step`` beside all others.

    Adding the same to every token, as is done to the logits of other tasks, would change no probability here.
    """
    if not texts:
        return []
    before = [answer.label for answer in decode(logits, ragged, texts, labels, settings)]
    keep, owners = _places(ragged)
    best = best_spans(logits, keep, settings.max_answer_tokens)
    windows, _ = best_windows(best, owners, len(texts))
    lower = [scores.copy() for scores in logits]
    for window, owner in enumerate(owners.tolist()):
        if not before[owner]:
            lower[window][0] -= step
    for text, window in enumerate(windows.tolist()):
        if before[text]:
            lower[window][best.starts[window], 0] -= step
            lower[window][best.ends[window], 1] -= step
    after = decode(lower, ragged, texts, labels, settings)
    return [old == new.label for old, new in zip(before, after, strict=True)]


def metrics(logits: Sequence[Float32], targets: TokenTargets, _labels: LabelSet,
            settings: Settings | None = None) -> dict[str, float]:
    """Score W arrays of logits (T, 2) for validation, by tokens, with no answer as one that may always be given.

    Returns:
        A number for each of ``METRICS``: ``f1`` is the mean overlap of stretches, 1 or 0 where either is empty;
        ``accuracy`` the share of stretches that agree in both ends; ``loss`` the mean over windows in nats.
    """
    keep = [_answerable(row) for row in targets.rows]
    best = best_spans(logits, keep, (settings or Settings()).max_answer_tokens)
    none = best.null > best.scores
    found = np.stack([np.where(none, 0, best.starts), np.where(none, 0, best.ends)], axis=1)
    right = np.array([[int(((row > 0) & (row & bit > 0)).argmax()) for bit in (START, END)] for row in targets.rows])
    losses = [-shares[right[row], [0, 1]].mean() for row, shares in enumerate(_shares(logits, keep))]
    return {"f1": float(_overlap(found, right).mean()), "accuracy": float((found == right).all(axis=1).mean()),
            "loss": float(np.mean(losses))}


def guessed(train: TokenTargets, valid: TokenTargets, labels: LabelSet,
            settings: Settings | None = None) -> dict[str, float]:
    """Return the metrics of knowing the places of the training answers and no text: the commonest places."""
    width = max(map(len, (*train.rows, *valid.rows)))
    counts = np.zeros((width, 2))
    for row in train.rows:
        for side, bit in enumerate((START, END)):
            counts[((row > 0) & (row & bit > 0)).argmax(), side] += 1
    logits = np.log(np.maximum(counts, 0.5) / len(train.rows)).astype(np.float32)
    return metrics([logits[: len(row)] for row in valid.rows], valid, labels, settings)


def remarks(examples: Sequence[Example], ragged: Ragged, targets: TokenTargets, _labels: LabelSet,
            settings: Settings) -> list[str]:
    """Say how many answers are too long to be found whole, counting each in the window where it is whole."""
    longest = np.zeros(len(examples), np.int64)
    for owner, row in zip(_places(ragged)[1].tolist(), targets.rows, strict=True):
        start, end = (int(np.argmax((row > 0) & (row & bit > 0))) for bit in (START, END))
        longest[owner] = max(longest[owner], end - start + 1 if start else 0)
    cut = int((longest > settings.max_answer_tokens).sum())
    return [f"{cut:,} of {len(examples):,} train answers have more than {settings.max_answer_tokens} tokens, and none "
            f"so long is ever given: task.max_answer_tokens={longest.max()} allows all of them"] if cut else []


def _wanted(example: Example) -> Span | None:
    """Return the stretch that shall be found; ``None`` where there is none."""
    if example.answers is None or example.text_b is None:
        raise DataError(f"{example.id}: expected a question with a context and its answers, got none",
                        "give each row a question, a context and a list of answers, empty where there is none")
    span = next((answer.span for answer in example.answers if answer.start is not None), None)
    if example.answers and span is None:
        raise DataError(f"{example.id}: the answer {example.answers[0].text!r:.60} stands nowhere in its context",
                        "nothing can be learned from it: leave the row out")
    return span


def _places(ragged: Ragged) -> tuple[list[Bool], Int64]:
    """Return which tokens of each window may be in an answer, and the text that each belongs to."""
    if ragged.offsets is None or ragged.sequence is None:
        raise ValueError("question answering needs texts encoded with offsets")
    keep = [(part == 1) & (places[:, 1] > places[:, 0])
            for part, places in zip(ragged.sequence, ragged.offsets, strict=True)]
    return keep, np.arange(len(ragged)) if ragged.owners is None else ragged.owners


def _tokens_of(span: Span | None, offsets: Int64, keep: Bool) -> tuple[int, int]:
    """Return the first and the last token of a stretch; the window's first where it does not hold all of it."""
    real = np.flatnonzero(keep)
    if span is None or not len(real):
        return 0, 0
    inside = real[(offsets[real, 1] > span.start) & (offsets[real, 0] < span.end)]
    whole = offsets[real[0], 0] <= span.start and offsets[real[-1], 1] >= span.end
    return (int(inside[0]), int(inside[-1])) if whole and len(inside) else (0, 0)


def _answerable(codes: Int64) -> Bool:
    keep: Bool = codes != IGNORED
    keep[:1] = False
    return keep


def _shares(logits: Sequence[Float32], keep: Sequence[Bool]) -> list[Float64]:
    """Return the log probabilities of each window, (T, 2), one by one: padded they could take much room."""
    return [log_probabilities([one], [real])[0] for one, real in zip(logits, keep, strict=True)]


def _overlap(found: Int64, right: Int64) -> Float64:
    """Return the F1 of (W, 2) stretches against the right ones, in tokens; (0, 0) is none, and none meets none."""
    shared = np.maximum(np.minimum(found[:, 1], right[:, 1]) - np.maximum(found[:, 0], right[:, 0]) + 1, 0)
    sizes = (found[:, 1] - found[:, 0] + 1) + (right[:, 1] - right[:, 0] + 1)
    empty_found, empty_right = found[:, 1] == 0, right[:, 1] == 0
    neither = (empty_found & empty_right).astype(np.float64)
    found_f1: Float64 = np.where(empty_found | empty_right, neither, 2 * shared / sizes)
    return found_f1
