"""Second questions: what a task asks its model once more, after the first answers are known."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

from luthier.schema import Logits, TextInput

if TYPE_CHECKING:
    from luthier.models.encoding import Ragged

ROWS = 4096
"""Rows that are encoded at once: a text may ask about hundreds of pairs."""


class Asked(Protocol):
    """What is needed of a predictor; a predictor's ``answers`` would ask again and again."""

    task: ModuleType
    task_settings: Any

    def encode(self, texts: Sequence[TextInput]) -> Ragged:
        """Return the token ids of N rows."""

    def compute(self, ragged: Ragged) -> Logits:
        """Return the logits of encoded rows."""

    def decode(self, logits: Logits, ragged: Ragged, texts: Sequence[TextInput]) -> list[Any]:
        """Return what N rows say by themselves."""


def follow_ups(predictor: Asked, answers: Sequence[Any], texts: Sequence[TextInput]) -> list[TextInput]:
    """Return the rows that the task asks about after N first answers; none where it asks only once."""
    task = predictor.task
    rows: list[TextInput] = task.follow_up(answers, texts, predictor.task_settings) if asks_again(task) else []
    return rows


def followed(predictor: Asked, answers: list[Any], texts: Sequence[TextInput]) -> list[Any]:
    """Return the answers to N texts: the first ones, or what they become with the replies to the second questions.

    The second rows of all texts are computed together, ``ROWS`` at a time, so that memory does not grow with them.
    """
    if not asks_again(predictor.task):
        return answers
    rows, replies = follow_ups(predictor, answers, texts), list[Any]()
    for start in range(0, len(rows), ROWS):
        part = rows[start : start + ROWS]
        ragged = predictor.encode(part)
        replies += predictor.decode(predictor.compute(ragged), ragged, part)
    found: list[Any] = predictor.task.combined(answers, replies, predictor.task_settings)
    return found


def asks_again(task: ModuleType) -> bool:
    """Return whether a task asks its model a second time."""
    return hasattr(task, "follow_up")
