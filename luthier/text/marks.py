"""Marks around two stretches of a text, so that a model sees which two it is asked of.

Marks of punctuation (Zhou and Chen, "An Improved Baseline for Sentence-level Relation Extraction", 2022) stand in every
vocabulary, so no token has to be added: ``… @ head @ … # tail # …``, and where the caller says what the two are
``@ * person * head @`` and ``# ^ city ^ tail #``. Spaces keep each mark a token of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from luthier.schema import Argument, Marked

HEAD, TAIL = ("@", "*"), ("#", "^")
"""What stands around an argument, and around its type."""
LONGEST_TYPE = 100
"""Characters of a type at most: it stands beside each argument in what the model reads."""
FORM = '{"text": "…", "head": {"start": 0, "end": 4}, "tail": {"start": 9, "end": 12}}'


@dataclass(frozen=True, slots=True)
class Written:
    """A text with its marks."""

    text: str
    head: int
    """Where the mark before the head stands, in code points of ``text``."""
    tail: int
    """Where the mark before the tail stands."""
    end: int
    """Behind the last of the four marks."""


def written(row: Marked) -> Written:
    """Put the marks into a text. Of two stretches that begin at one place the longer one is marked first."""
    marks = []  # place, whether it opens, an order for one place, the mark, which argument
    for which, (one, (mark, inner)) in enumerate(((row.head, HEAD), (row.tail, TAIL))):
        kind = _words(one.type)
        marks.append((one.start, True, -one.end, f"{mark} {inner} {kind} {inner}" if kind else mark, which))
        marks.append((one.end, False, -one.start, mark, which))
    marks.sort()
    parts, size, done, opened, end = list[str](), 0, 0, [0, 0], 0
    for place, opening, _, mark, which in marks:
        between = row.text[done:place]
        before = _apart(between, starts=bool(parts))
        if (parts or before) and before[-1:] != " ":
            before += " "
        parts += [before, mark]
        if opening:
            opened[which] = size + len(before)
        size += len(before) + len(mark)
        done, end = place, size
    parts.append(_apart(row.text[done:], starts=True))
    return Written("".join(parts), opened[0], opened[1], end)


def marked(value: Mapping[str, Any]) -> Marked:
    """Read a text with two marked stretches from its JSON form; see ``FORM``.

    Raises:
        ValueError: a key is missing or unknown, or a stretch does not lie in the text; the message begins with the key.
    """
    if unknown := [key for key in value if key not in ("text", "head", "tail")]:
        raise ValueError(f"unknown key {str(unknown[0])[:40]!r}: the keys are text, head and tail")
    if missing := [key for key in ("text", "head", "tail") if key not in value]:
        raise ValueError(f"has no {missing[0]!r}: the keys are text, head and tail")
    if not isinstance(value["text"], str):
        raise ValueError(f"text: expected a text, got {type(value['text']).__name__}")
    row = Marked(value["text"], _argument("head", value["head"]), _argument("tail", value["tail"]))
    check_marked(row)
    return row


def check_marked(row: Marked) -> None:
    """Refuse stretches that cannot be marked. One may lie within the other or overlap it.

    Raises:
        ValueError: a stretch is empty, blank or outside the text, both are the same, or a type is no short text.
    """
    if not isinstance(row.text, str):
        raise ValueError(f"text: expected a text, got {type(row.text).__name__}")
    for name, one in (("head", row.head), ("tail", row.tail)):
        if not all(isinstance(place, int) for place in (one.start, one.end)):
            raise ValueError(f"{name}: expected whole numbers for start and end, counted in characters from 0")
        shown = f"{name}: {one.start}-{one.end}"[:60]  # numbers from outside may have thousands of digits
        if one.end <= one.start:
            raise ValueError(f"{shown} holds no character: its end must be behind its start")
        if one.start < 0 or one.end > len(row.text):
            raise ValueError(f"{shown} lies outside the text of {len(row.text)} characters")
        if row.text[one.start : one.end].isspace():
            raise ValueError(f"{shown} holds only white space")
        if len(one.type or "") > LONGEST_TYPE:
            raise ValueError(f"{name}.type has {len(one.type or '')} characters, and a type has at most {LONGEST_TYPE}")
    if (row.head.start, row.head.end) == (row.tail.start, row.tail.end):
        raise ValueError(f"head and tail are the same stretch, {row.head.start}-{row.head.end}: a relation holds "
                         "between two")


def _argument(name: str, value: Any) -> Argument:
    if not isinstance(value, Mapping):
        raise ValueError(f'{name}: expected {{"start": 0, "end": 4}}, got {type(value).__name__}')
    if unknown := [key for key in value if key not in ("start", "end", "type")]:
        raise ValueError(f"{name}: unknown key {str(unknown[0])[:40]!r}: the keys are start, end and, where it is "
                         "known, type")
    for key in ("start", "end"):
        if key not in value:
            raise ValueError(f"{name} has no {key!r}")
        if isinstance(value[key], bool) or not isinstance(value[key], int):
            raise ValueError(f"{name}.{key}: expected a whole number, counted in characters from 0")
    kind = value.get("type")
    if not isinstance(kind, str | None):
        raise ValueError(f"{name}.type: expected a text, got {type(kind).__name__}")
    return Argument(value["start"], value["end"], kind)


def _words(kind: str | None) -> str:
    """Return a type as words of a text: ``STATE_OR_PROVINCE`` becomes ``state or province``."""
    return " ".join((kind or "").replace("_", " ").lower().split())


def _apart(text: str, *, starts: bool) -> str:
    """Put a space before a text that follows a mark and begins with none."""
    return f" {text}" if starts and text and text[0] != " " else text
