"""Right answers to questions, in the forms in which data sets write them, placed in their context."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from luthier.data.cells.labels import as_list, spelt
from luthier.data.cells.places import is_whole, whole
from luthier.data.names import plain
from luthier.schema import GoldAnswer

_TEXTS = ("text", "answer", "answertext", "span")
_STARTS = ("answerstart", "start", "startoffset", "begin")
"""Keys of an answer, as ``plain`` writes them, the likelier first."""
_TRUE = ("true", "1", "1.0", "yes")
"""How a row says that its question has no answer."""

FORMS = '[{"text": "…", "start": 17}, …] or {"text": ["…"], "answer_start": [17]}'


def form_of(cell: Any) -> str | None:
    """Return in words how a cell holds answers: empty when it holds none, ``None`` when it is no such cell."""
    value = spelt(cell)
    if isinstance(value, Mapping):
        texts = as_list(value[key]) if (key := _key(value, _TEXTS)) else None
        if texts is None or _key(value, _STARTS) is None:
            return None
        return "a list of texts and one of their places" if texts else ""
    if not isinstance(value, list):
        return None
    if not value:
        return ""
    placed = all(isinstance(one, Mapping) and _key(one, _TEXTS) and _key(one, _STARTS) for one in value)
    return "objects with text and start" if placed else None


def gold_answers(context: str, cell: Any, *, impossible: Any = False) -> tuple[GoldAnswer, ...]:
    """Return the answers in a cell, each once, in their order; empty ones are left out.

    Args:
        context: what they shall stand in; starts are counted in it, in code points from 0.
        cell: objects with ``text`` and ``start`` or ``answer_start``, one object of two lists, plain texts, or JSON of
            any of these.
        impossible: true where the row says that there is no answer, whatever stands in the cell.

    Returns:
        Each with its place. Where it is not at the place that came with it, but somewhere else and only there, it is
        moved; where it stands nowhere, or at several places, it has none.

    Raises:
        ValueError: another form.
    """
    if str(impossible).strip().casefold() in _TRUE:
        return ()
    found = (placed(context, text, start) for text, start in _pairs(cell) if text.strip())
    return tuple(dict.fromkeys(found))


def placed(context: str, text: str, start: int | None) -> GoldAnswer:
    """Return an answer at its place, at the only place where it stands, or without one."""
    if start is not None and start >= 0 and context.startswith(text, start):
        return GoldAnswer(text, start)
    first = context.find(text)
    if first < 0 or context.find(text, first + 1) >= 0:
        return GoldAnswer(text, None)
    return GoldAnswer(text, first, moved=start is not None and start >= 0)


def unplaced(answers: Sequence[GoldAnswer]) -> str | None:
    """Return why nothing can be learned from a row with these answers; ``None`` when something can."""
    if not answers or any(answer.start is not None for answer in answers):
        return None
    return (f"the answer {answers[0].text!r:.60} is not at its place in the context, and does not stand there exactly "
            "once")


def _pairs(cell: Any) -> Iterator[tuple[str, int | None]]:
    value = spelt(cell)
    if value is None:
        raise ValueError("the row has no answers: an empty list says that the context answers the question not")
    if isinstance(value, Mapping):
        yield from _of_object(value)
    elif isinstance(value, list):
        for one in value:
            yield from _of_object(one) if isinstance(one, Mapping) else [(_text(one), None)]
    else:
        yield _text(value), None


def _of_object(value: Mapping[str, Any]) -> Iterator[tuple[str, int | None]]:
    named, begins = _key(value, _TEXTS), _key(value, _STARTS)
    if named is None:
        raise ValueError(f"an answer has the keys {', '.join(map(str, value)) or '(none)'}: expected {FORMS}")
    texts, starts = as_list(value[named]), as_list(value[begins]) if begins else None
    if texts is None:
        yield _text(value[named]), _start(value[begins]) if begins else None
        return
    if starts is not None and len(starts) != len(texts):
        raise ValueError(f"{len(texts)} answers came with {len(starts)} places")
    for text, start in zip(texts, starts or [None] * len(texts), strict=True):
        yield _text(text), None if start is None else _start(start)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"an answer is {type(value).__name__}, expected {FORMS}")
    return value


def _start(value: Any) -> int | None:
    if value is None:
        return None
    if not is_whole(value):
        raise ValueError(f"the place of an answer is {value!r}, expected a whole number")
    return whole(value)


def _key(value: Mapping[str, Any], names: Sequence[str]) -> str | None:
    listed = {plain(str(key)): key for key in value}
    return next((listed[name] for name in names if name in listed), None)
