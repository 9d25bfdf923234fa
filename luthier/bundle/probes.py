"""Probes: texts with the ids, logits and label they gave on the day the bundle was written.

They travel with the model and are replayed whenever it is opened. A head that came back at random, label names in
another order or another tokenizer give other answers, whatever the hashes say.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from luthier.errors import BundleError
from luthier.schema import Argument, Conversation, Marked, TextInput, Turn
from luthier.text.conversations import ROLES

PROBES = "probes.jsonl"
"""The file name: one header line, then one probe a line."""

EXACT = 1e-3
"""A replayed logit may differ by this share of ``1 + |expected|``. Different processors, thread counts and batch shapes
move fp32 logits of such encoders by about 1e-5; a changed head moves them by far more. A backend of lower precision
states its own."""

RESTORE = "restore the bundle from where it was written, or train it again"
"""The fix for every bundle that is not what it was."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One text and what the model made of it."""

    text: str
    text_b: str | None
    ids: tuple[int, ...]
    """Token ids, T of them, without padding; those of all windows where the text has several."""
    names: tuple[str, ...]
    """The head's outputs, C names in order."""
    logits: tuple[float, ...]
    """C numbers, before softmax or sigmoid; where a number is learned, its distance from the mean in deviations; or C
    for each of some tokens, one token after the other; or the vectors of its texts, times the root of their width."""
    label: str | None
    """What is decoded from them; ``None`` when it is so close a call that another processor may decide otherwise."""
    conversation: Conversation | None = None
    """The turns that ``text`` tells of, where the model answers conversations."""
    arguments: tuple[Argument, Argument] | None = None
    """Head and tail, where two stretches of the text are marked."""

    @property
    def row(self) -> TextInput:
        """Return what a predictor takes."""
        if self.arguments is not None:
            return Marked(self.text, *self.arguments)
        if self.conversation is not None:
            return self.conversation
        return self.text if self.text_b is None else (self.text, self.text_b)

    @property
    def shown(self) -> str:
        """Return the text cut to a length that fits a message."""
        return repr(self.text if len(self.text) <= 40 else self.text[:39] + "…")


def allowed(expected: float, tolerance: float = EXACT) -> float:
    """Return how far a replayed logit may be from the expected one."""
    return tolerance * (1 + abs(expected))


def compare(expected: Probe, got: Probe, tolerance: float = EXACT) -> list[str]:
    """Return what differs, a sentence each; nothing when the answer is the same.

    Ids, label names and label must be equal, logits equal within ``allowed``.
    """
    faults: list[str] = []
    if expected.ids != got.ids:
        faults.append(f"token ids differ ({_first_difference(expected.ids, got.ids)}): the tokenizer was changed")
    if expected.names != got.names:
        faults.append(f"label names differ ({_first_difference(expected.names, got.names)})")
    if len(expected.logits) != len(got.logits):
        return [*faults, f"expected {len(expected.logits)} logits, got {len(got.logits)}"]
    # `not <=`, so that a NaN is a fault.
    far = [c for c, (a, b) in enumerate(zip(expected.logits, got.logits, strict=True))
           if not abs(a - b) <= allowed(a, tolerance)]
    if far:
        c = max(far, key=lambda c: abs(expected.logits[c] - got.logits[c]))
        name = expected.names[c % len(expected.names)]
        faults.append(f"{len(far)} of {len(expected.logits)} logits differ, most for {name!r}: expected "
                      f"{expected.logits[c]:.4f}, got {got.logits[c]:.4f}: the weights were changed or not loaded")
    if expected.label is not None and got.label is not None and expected.label != got.label:
        faults.append(f"expected label {expected.label!r}, got {got.label!r}")
    return faults


def write_probes(directory: Path, probes: Iterable[Probe]) -> None:
    """Write ``probes.jsonl`` beside the ``tokenizer.json`` that gave the ids.

    Floats are written in full, so that what was recorded can be compared to the bit.
    """
    header = {"format": 1, "tokenizer_sha256": file_sha256(directory / "tokenizer.json")}
    lines = [json.dumps(row, ensure_ascii=False) for row in [header, *map(_to_json, probes)]]
    (directory / PROBES).write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_probes(directory: Path) -> list[Probe]:
    """Read ``probes.jsonl``.

    Raises:
        BundleError: it is missing, unreadable or holds no probe.
    """
    rows = _rows(directory)[1:]
    if not rows:
        raise BundleError(f"{directory / PROBES} holds no probe, so nothing proves what this bundle answers", RESTORE)
    try:
        return [_from_json(row) for row in rows]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BundleError(f"{directory / PROBES} holds a line that is not a probe ({error!r})", RESTORE) from error


def tokenizer_digest(directory: Path) -> str:
    """Return the sha256 of the tokenizer that the probes were recorded with.

    Raises:
        BundleError: the probes' file is missing or has no header.
    """
    rows = _rows(directory)
    recorded = rows[0].get("tokenizer_sha256") if rows and isinstance(rows[0], dict) else None
    if not isinstance(recorded, str):
        raise BundleError(f"the first line of {directory / PROBES} is not its header", RESTORE)
    return recorded


def _rows(directory: Path) -> list[Any]:
    try:
        text = (directory / PROBES).read_text(encoding="utf-8")
        # Not splitlines(): texts may hold U+2028 and the like, which JSON leaves as they are.
        return [json.loads(line) for line in text.split("\n") if line]
    except OSError as error:
        raise BundleError(f"cannot read {directory / PROBES}: {error.strerror or error}", RESTORE) from error
    except ValueError as error:
        raise BundleError(f"{directory / PROBES} is not readable JSON lines ({error})", RESTORE) from error


def _to_json(probe: Probe) -> dict[str, Any]:
    size, scores = len(probe.names), probe.logits
    of_text = {"logits": dict(zip(probe.names, scores, strict=True))} if len(scores) == size else {
        "names": list(probe.names), "logits": [scores[start : start + size] for start in range(0, len(scores), size)]}
    marks = {} if probe.arguments is None else dict(zip(("head", "tail"), (one.to_dict() for one in probe.arguments),
                                                        strict=True))
    turns = {} if probe.conversation is None else {"messages": probe.conversation.messages}
    return {"text": probe.text, "text_b": probe.text_b, **marks, **turns, "ids": list(probe.ids), **of_text,
            "label": probe.label}


def _from_json(row: dict[str, Any]) -> Probe:
    given = row["logits"]
    if isinstance(given, dict):
        names, logits = tuple(map(str, given)), tuple(map(float, given.values()))
    else:
        names, logits = tuple(map(str, row["names"])), tuple(float(score) for token in given for score in token)
    return Probe(text=str(row["text"]), text_b=row["text_b"], ids=tuple(int(i) for i in row["ids"]),
                 names=names, logits=logits, label=row["label"],
                 arguments=(Argument(**row["head"]), Argument(**row["tail"])) if "head" in row else None,
                 conversation=None if "messages" not in row else Conversation(tuple(
                     Turn(ROLES[one["role"]], str(one["content"])) for one in row["messages"])))


def file_sha256(file: Path) -> str:
    """Return the sha256 of a file's bytes, in hex."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _first_difference(expected: tuple[Any, ...], got: tuple[Any, ...]) -> str:
    for position, (a, b) in enumerate(zip(expected, got, strict=False)):
        if a != b:
            return f"at {position} expected {a!r}, got {b!r}"
    return f"expected {len(expected)}, got {len(got)}"
