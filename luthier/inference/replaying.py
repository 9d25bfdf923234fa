"""Recording probes when a bundle is written, and replaying them when it is opened."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from luthier.bundle import RESTORE, Probe, compare, read_probes
from luthier.bundle.probes import allowed
from luthier.errors import ProbeError
from luthier.inference.predictor import Predictor
from luthier.schema import Float32, TextInput

DATA_PROBES = 16
"""Texts taken from the data, spread over their lengths."""

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
        texts: rows of the data; up to 16 are taken, spread over their lengths. They are stored in the bundle as they
            are, so give none when no text of the data may leave with it.

    Returns:
        The probes, those from the data first.
    """
    fixed: list[TextInput] = list(FIXED)
    if predictor.pair:
        fixed = list(zip(FIXED, (*FIXED[1:], FIXED[0]), strict=True))
    return answer(predictor, [*_spread(texts), *fixed])


def answer(predictor: Predictor, rows: Sequence[TextInput]) -> list[Probe]:
    """Return what the predictor makes of the rows, as probes."""
    ragged = predictor.encoder.encode_ragged(rows)
    logits, _ = predictor.compute(ragged)  # (N, C)
    labels = _firm_labels(predictor, logits)
    return [
        Probe(text=row if isinstance(row, str) else row[0], text_b=None if isinstance(row, str) else row[1],
              ids=tuple(ids), names=predictor.labels.names, logits=tuple(map(float, scores)), label=label)
        for row, ids, scores, label in zip(rows, ragged.ids, logits, labels, strict=True)
    ]


def rows_of(probes: Sequence[Probe]) -> list[TextInput]:
    """Return the texts of the probes as a predictor takes them."""
    return [probe.text if probe.text_b is None else (probe.text, probe.text_b) for probe in probes]


def replay(predictor: Predictor, directory: Path) -> None:
    """Answer the bundle's probes again.

    Raises:
        ProbeError: an answer differs; says which probe, what was expected and what came.
        BundleError: the probes cannot be read.
    """
    expected = read_probes(directory)
    faults = differences(expected, answer(predictor, rows_of(expected)), predictor.backend.tolerance)
    if faults:
        raise ProbeError(f"the bundle at {directory} does not answer as on the day it was written: {faults[0]}"
                         + (f" ({len(faults)} of {len(expected)} probes differ)" if len(faults) > 1 else ""),
                         f"do not use it: {RESTORE}")


def differences(expected: Sequence[Probe], got: Sequence[Probe], tolerance: float) -> list[str]:
    """Return one line for each probe that is answered differently, by more than a backend's tolerance."""
    pairs = enumerate(zip(expected, got, strict=True), 1)
    return [f"probe {number} {old.shown}: {'; '.join(faults)}"
            for number, (old, new) in pairs if (faults := compare(old, new, tolerance))]


def _spread(texts: Sequence[TextInput]) -> list[TextInput]:
    order = sorted(range(len(texts)), key=lambda row: (sum(map(len, _parts(texts[row]))), row))
    chosen = np.unique(np.linspace(0, len(order) - 1, min(DATA_PROBES, len(order))).round().astype(int))
    return [texts[order[place]] for place in chosen]


def _parts(row: TextInput) -> Sequence[str]:
    return (row,) if isinstance(row, str) else row


def _firm_labels(predictor: Predictor, logits: Float32) -> list[str | None]:
    """Decode each row; ``None`` where moving one logit by twice what a replay may differ by would decide otherwise.

    Args:
        predictor: holds the task and its settings.
        logits: (N, C) float32.
    """
    def decode(scores: Float32) -> list[str]:
        untouched = np.zeros(len(scores), dtype=np.bool_)
        decoded = predictor.task.decode(scores, predictor.labels, untouched, predictor.task_settings)
        return [prediction.label for prediction in decoded]

    labels = decode(logits)
    firm = np.ones(len(logits), dtype=np.bool_)
    step = 2 * allowed(float(np.abs(logits).max(initial=0.0)), predictor.backend.tolerance)
    for column in range(logits.shape[1]):
        for sign in (step, -step):
            moved = logits.copy()
            moved[:, column] += sign
            firm &= np.asarray([old == new for old, new in zip(labels, decode(moved), strict=True)], dtype=np.bool_)
    return [label if sure else None for label, sure in zip(labels, firm, strict=True)]
