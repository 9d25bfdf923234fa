"""Recording probes when a bundle is written, and replaying them when it is opened."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from luthier.bundle import RESTORE, Probe, compare, read_probes
from luthier.bundle.probes import allowed
from luthier.errors import ProbeError
from luthier.inference.following import asks_again, follow_ups
from luthier.inference.inputs import prompt
from luthier.inference.modelling import weigh
from luthier.inference.predictor import Predictor
from luthier.inference.writing import target_logprobs, writes
from luthier.models.encoding import Ragged
from luthier.schema import Argument, Conversation, Document, Float32, Logits, Marked, TextInput, parts

if TYPE_CHECKING:
    from luthier.models.blocks import BlockEncoder

DATA_PROBES = 16
"""Texts taken from the data, spread over their lengths."""

SLOW_PROBES = 4
"""As many where each token of a text is weighed, through every layer and the whole vocabulary: the bundle would not be
open for a while otherwise."""

TOKENS = 32
"""Tokens of a text whose logits are recorded, where each token has some."""

CHARACTERS = 600
"""Of a document whose likelihood is recorded, since each of its tokens has a number."""

FIXED = (
    "",
    "The quick brown fox jumps over the lazy dog.",
    "ALL CAPITALS, don't -- 50% off!!! (e.g. $9.99; a/b_c@d.com #1)",
    "Ünïcödé café naïve Ærøskøbing",
    "心情很好",
    "工作很忙，风景很美。",
    "中英 mixed 文本 with ASCII，数字 2024 年 3 月",
    "ＦＵＬＬ－ｗｉｄｔｈ　１２３！？",
    "繁體字與简体字",
    "👍 great 😀👩‍👩‍👧",
    "line one\nline two\ttabbed",
    "a" * 300,
    "word " * 1500,
    "很" * 1500,
)
"""Texts that every bundle answers: both languages, case, widths, emoji, white space, and more than any model reads."""


def make_probes(predictor: Predictor, texts: Sequence[TextInput]) -> list[Probe]:
    """Record what a model answers now.

    Args:
        predictor: the model as it will be written.
        texts: rows of the data; up to 16 are taken, or 4 where tokens are weighed, spread over their lengths. They are
            stored in the bundle as they are, so give none when no text of the data may leave with it.

    Returns:
        The probes, those from the data first.
    """
    fixed: list[TextInput] = list(FIXED)
    if predictor.labels.of_tokens:
        texts = [str(text)[:CHARACTERS] for text in texts]
        longer = (predictor.encoder.max_length // 9 + 2) * f"{FIXED[1]} "  # than a block: some 10 tokens a sentence
        fixed = [*(text[:CHARACTERS] for text in FIXED), longer]
    if predictor.labels.of_dialogues:
        fixed = [prompt(text) for text in FIXED]
    if predictor.pair:
        fixed = list(zip(FIXED, (*FIXED[1:], FIXED[0]), strict=True))
    if predictor.labels.of_relations:
        fixed = [_with_marks(text) for text in FIXED if text]
    slow = predictor.labels.of_tokens or writes(predictor.task)
    chosen = _spread(texts, SLOW_PROBES if slow else DATA_PROBES)
    if asks_again(predictor.task):  # both passes are proved: second questions of the data's, and such of any text
        ragged = predictor.encode(chosen)
        asked = follow_ups(predictor, predictor.decode(predictor.compute(ragged), ragged, chosen), chosen)
        fixed += [*_spread(asked, DATA_PROBES), *(_with_marks(text) for text in FIXED if text)]
    return answer(predictor, [*chosen, *fixed])


def answer(predictor: Predictor, rows: Sequence[TextInput], recorded: Sequence[Probe] = ()) -> list[Probe]:
    """Return what the predictor makes of the rows, as probes.

    Args:
        predictor: the model.
        rows: N texts or pairs.
        recorded: what was answered before. Where texts are written, those texts are weighed and none is written again:
            another processor may choose otherwise at a near tie.
    """
    if predictor.labels.of_tokens:
        return _likely(predictor, rows)
    ragged = predictor.encode(rows)
    if writes(predictor.task):
        return _weighed(predictor, ragged, rows, [probe.label or "" for probe in recorded])
    logits = standard(predictor, predictor.compute(ragged))
    names = predictor.task.outputs(predictor.labels).names
    labels = _firm_labels(predictor, logits, ragged, rows)
    every = zip(rows, ids_of(ragged, len(rows)), _recorded(logits, ragged, len(rows)), labels, strict=True)
    return [_probe(row, ids=ids, names=names, logits=scores, label=label) for row, ids, scores, label in every]


def _probe(row: TextInput, **said: Any) -> Probe:
    if isinstance(row, Marked):
        return Probe(row.text, None, arguments=(row.head, row.tail), **said)
    text, *more = parts(row)
    return Probe(text, more[0] if more else None, **said)


def _with_marks(text: str) -> Marked:
    """Mark the first and the last character that is no space: nothing else of a text is sure to be there."""
    end = len(text.rstrip())
    return Marked(text, Argument(end - 1, end), Argument(0, 1))


def _weighed(predictor: Predictor, ragged: Ragged, rows: Sequence[TextInput], known: Sequence[str]) -> list[Probe]:
    """Return the log probability of each token of what is written, or was, for N texts."""
    texts = known or [one.label for one in predictor.answers(ragged, rows)]
    logs = target_logprobs(predictor.backend, predictor.encoder, ragged, texts)
    return [Probe(row.text if isinstance(row, Conversation) else str(row), None, ids, predictor.labels.names,
                  tuple(map(float, scores)), text, conversation=row if isinstance(row, Conversation) else None)
            for row, ids, scores, text in zip(rows, ids_of(ragged, len(rows)), logs, texts, strict=True)]


def _likely(predictor: Predictor, rows: Sequence[TextInput]) -> list[Probe]:
    """Return the log probability of each token that is asked for in N documents."""
    ragged = predictor.encode(as_documents(rows))
    found = weigh(predictor.backend, cast("BlockEncoder", predictor.encoder), ragged)
    return [Probe(str(row), None, ids, predictor.labels.names, tuple(map(float, logs)), None)
            for row, ids, (logs, _) in zip(rows, ids_of(ragged, len(rows)), found, strict=True)]


def as_documents(rows: Sequence[TextInput]) -> list[TextInput]:
    """Return texts as what a language model is asked the likelihood of."""
    return [Document(row) for row in rows]


def standard(predictor: Predictor, logits: Logits) -> Logits:
    """Return logits as they are compared: numbers as deviations from their mean, whatever their unit, and the D numbers
    of a vector of length 1 as if their mean square were 1, whatever its width.

    Args:
        predictor: tells what they mean.
        logits: (N, C) float32, or N arrays (T, C), which stay as they are.
    """
    if predictor.labels.of_embeddings and not isinstance(logits, list):
        return np.asarray(logits * np.float32(np.sqrt(logits.shape[1])), np.float32)
    scale = predictor.labels.scale
    return logits if scale is None or isinstance(logits, list) else scale.standard(logits).astype(np.float32)


def ids_of(ragged: Ragged, rows: int) -> list[tuple[int, ...]]:
    """Return the token ids of each text, those of its windows one after the other."""
    if ragged.owners is None:
        return [tuple(ids) for ids in ragged.ids]
    found: list[list[int]] = [[] for _ in range(rows)]
    for owner, ids in zip(ragged.owners.tolist(), ragged.ids, strict=True):
        found[owner].extend(ids)
    return [tuple(ids) for ids in found]


def _recorded(logits: Logits, ragged: Ragged, rows: int) -> list[tuple[float, ...]]:
    """Return each text's logits, window after window; where each token has some, those of up to ``TOKENS`` of them."""
    if not isinstance(logits, list):
        logits = [scores[None] for scores in logits]
    owners = np.arange(rows) if ragged.owners is None else ragged.owners
    found: list[list[Float32]] = [[] for _ in range(rows)]
    for owner, scores in zip(owners.tolist(), logits, strict=True):
        found[owner].append(scores)
    return [tuple(map(float, _some(np.concatenate(own)).ravel())) for own in found]


def _some(scores: Float32) -> Float32:
    places = np.unique(np.linspace(0, len(scores) - 1, min(TOKENS, len(scores))).round().astype(int))
    found: Float32 = scores[places]
    return found


def rows_of(probes: Sequence[Probe]) -> list[TextInput]:
    """Return the texts of the probes as a predictor takes them."""
    return [probe.row for probe in probes]


def replay(predictor: Predictor, directory: Path) -> None:
    """Answer the bundle's probes again.

    Raises:
        ProbeError: an answer differs; says which probe, what was expected and what came.
        BundleError: the probes cannot be read.
    """
    expected = read_probes(directory)
    faults = differences(expected, answer(predictor, rows_of(expected), expected), predictor.backend.tolerance)
    if faults:
        raise ProbeError(f"the bundle at {directory} does not answer as on the day it was written: {faults[0]}"
                         + (f" ({len(faults)} of {len(expected)} probes differ)" if len(faults) > 1 else ""),
                         f"do not use it: {RESTORE}")


def differences(expected: Sequence[Probe], got: Sequence[Probe], tolerance: float) -> list[str]:
    """Return one line for each probe that is answered differently, by more than a backend's tolerance."""
    pairs = enumerate(zip(expected, got, strict=True), 1)
    return [f"probe {number} {old.shown}: {'; '.join(faults)}"
            for number, (old, new) in pairs if (faults := compare(old, new, tolerance))]


def _spread(texts: Sequence[TextInput], most: int) -> list[TextInput]:
    order = sorted(range(len(texts)), key=lambda row: (sum(map(len, parts(texts[row]))), row))
    chosen = np.unique(np.linspace(0, len(order) - 1, min(most, len(order))).round().astype(int))
    return [texts[order[place]] for place in chosen]


def _firm_labels(predictor: Predictor, logits: Logits, ragged: Ragged, rows: Sequence[TextInput],
                 ) -> list[str | None]:
    """Decode each row; ``None`` where moving one output by more than a replay may differ by would decide otherwise."""
    scale = predictor.labels.scale

    def decode(scores: Logits) -> list[str]:
        if scale is not None and not isinstance(scores, list):
            scores = scale.natural(scores).astype(np.float32)
        return [answer.label for answer in predictor.decode(scores, ragged, rows)]

    def moved(column: int, step: float) -> Logits:
        if isinstance(logits, list):
            return [scores + np.float32(step) * (np.arange(scores.shape[1]) == column) for scores in logits]
        return np.asarray(logits + np.float32(step) * (np.arange(logits.shape[1]) == column), np.float32)

    labels = decode(logits)
    firm = np.ones(len(rows), dtype=np.bool_)
    every = logits if isinstance(logits, list) else [logits]
    most = max((float(np.abs(scores).max(initial=0.0)) for scores in every), default=0.0)
    own = getattr(predictor.task, "firm", None)
    # Two outputs may move apart; of a path through many tokens, more than one token's.
    step = (4 if isinstance(logits, list) else 2) * allowed(most, predictor.backend.tolerance)
    if own is not None:
        firm &= np.asarray(own(logits, ragged, rows, predictor.labels, predictor.task_settings, step), dtype=np.bool_)
    for column in range(every[0].shape[-1] if every and own is None else 0):
        for sign in (step, -step):
            again = decode(moved(column, sign))
            firm &= np.asarray([old == new for old, new in zip(labels, again, strict=True)], dtype=np.bool_)
    return [label if sure else None for label, sure in zip(labels, firm, strict=True)]
