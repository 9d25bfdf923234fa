"""A text in which two stretches are marked, of which a relation is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, order=True)
class Argument:
    """One of the two stretches."""

    start: int
    """Its first character, counted in code points from 0."""
    end: int
    """The character behind its last."""
    type: str | None = None
    """What kind of thing it names, where that is known: ``person``, ``city``."""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form: start and end, and the type where there is one."""
        place: dict[str, Any] = {"start": self.start, "end": self.end}
        return place if self.type is None else {**place, "type": self.type}


@dataclass(frozen=True, slots=True)
class Marked:
    """A text and the two stretches in it. One may lie within the other."""

    text: str
    head: Argument
    """The first argument of the relation: ``e1``, the subject; it may stand behind the tail."""
    tail: Argument
    """The second one: ``e2``, the object."""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form that files, predictors and the server share."""
        return {"text": self.text, "head": self.head.to_dict(), "tail": self.tail.to_dict()}

