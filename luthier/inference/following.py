"""Second questions: what a task asks its model once more, after the first answers are known."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

from luthier.schema import Logits, TextInput

if TYPE_CHECKING:
    from luthier.inference.generation import Stop
    from luthier.models.encoding import Ragged

ROWS = 4096
"""Rows that are encoded at once: a text may ask about hundreds of pairs."""

LOOKED = 128
"""The same where a caller may give answers up, who is asked between them: about a second of a small model on a CPU."""


class Asked(Protocol):
    """What is needed of a predictor; a predictor's ``answers`` would ask again and again."""

    task: ModuleType
    task_settings: Any

    def encode(self, texts: Sequence[TextInput]) -> Ragged:
        """Return the token ids of N rows."""

    def compute(self, ragged: Ragged) -> Logits:
        """Return the logits of W encoded rows: (W, C) float32, or W arrays (T, C)."""

    def decode(self, logits: Logits, ragged: Ragged, texts: Sequence[TextInput]) -> list[Any]:
        """Return what N rows say by themselves; see ``Predictor.decode``."""


def follow_ups(predictor: Asked, answers: Sequence[Any], texts: Sequence[TextInput]) -> list[TextInput]:
    """Return the rows that the task asks about after N first answers; none where it asks only once."""
    task = predictor.task
    rows: list[TextInput] = task.follow_up(answers, texts, predictor.task_settings) if asks_again(task) else []
    return rows


def followed(predictor: Asked, answers: list[Any], texts: Sequence[TextInput], stop: Stop | None = None) -> list[Any]:
    """Return the answers to N texts: the first ones, or what they become with the replies to the second questions.

    The second rows of all texts are computed together, ``ROWS`` at a time, so that memory does not grow with them.

    Args:
        predictor: computes.
        answers: the N first ones.
        texts: the N texts.
        stop: asked of each text, by its number, before more of its rows are computed; where it says so, the text keeps
            its first answer.
    """
    task, settings = predictor.task, predictor.task_settings
    if not asks_again(task):
        return answers
    rows = [(number, row) for number, (answer, text) in enumerate(zip(answers, texts, strict=True))
            for row in task.follow_up([answer], [text], settings)]
    ended, replies = set[int](), dict[int, list[Any]]()
    size = ROWS if stop is None else min(ROWS, LOOKED)
    for start in range(0, len(rows), size):
        part = rows[start : start + size]
        if stop is not None:
            ended |= {number for number in {owner for owner, _ in part} - ended if stop(number)}
            part = [(owner, row) for owner, row in part if owner not in ended]
        for (owner, _), reply in zip(part, _computed(predictor, [row for _, row in part]), strict=True):
            replies.setdefault(owner, []).append(reply)
    whole = [number for number in range(len(texts)) if number not in ended]
    found = task.combined([answers[number] for number in whole], [texts[number] for number in whole],
                          [reply for number in whole for reply in replies.get(number, ())], settings)
    told = dict(zip(whole, found, strict=True))
    return [told.get(number, answer) for number, answer in enumerate(answers)]


def _computed(predictor: Asked, rows: list[TextInput]) -> list[Any]:
    if not rows:
        return []
    ragged = predictor.encode(rows)
    return predictor.decode(predictor.compute(ragged), ragged, rows)


def asks_again(task: ModuleType) -> bool:
    """Return whether a task asks its model a second time."""
    return hasattr(task, "follow_up")
