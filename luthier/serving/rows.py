"""One input of a request: a text, a pair, a conversation, a text with marks or a query with passages, each checked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from luthier.inference.inputs import prompt
from luthier.schema import Candidates, Marked, Passage, TextInput
from luthier.serving.limits import Limits
from luthier.serving.refusal import Refusal
from luthier.text import blank
from luthier.text.marks import FORM, marked

FORMS = 'send {"inputs": "a text"} or {"inputs": ["a text", "another"]}'
MESSAGE_FORMS = 'send {"inputs": {"messages": [{"role": "user", "content": "a text"}]}} or {"inputs": "a text"}'
PAIR_FORMS = 'send {"inputs": [["first", "second"]]} or {"inputs": {"text": "first", "text_b": "second"}}'
EITHER_FORMS = ('send {"inputs": "a text"} to have it embedded, {"inputs": [["first", "second"]]} to have two '
                'compared, or {"inputs": {"query": "…", "passage": "…"}} with either key or both')
MARKED_FORM = f'send {{"inputs": {FORM}}}, or a list of these; "type" beside "end" says what the stretch names'
LIST_FORMS = ('send {"inputs": {"query": "…", "passages": ["…", "…"]}} to have passages ordered, or '
              '{"inputs": {"query": "…", "passage": "…"}} to have one scored, or lists of these')

_QUESTION = ("question", "context")
"""Keys of a pair whose second text answers the first."""
_SEARCH = ("query", "passage")
"""Keys of a text that is looked for, of one that looks, or of both."""


def read_row(row: Any, where: str, limits: Limits, pair: bool | None) -> TextInput:
    """Return a text or a pair of a request, checked.

    Raises:
        Refusal: it is of another form, or over a limit; the message names the place.
    """
    searched = pair is None and isinstance(row, dict) and {*row} & {*_SEARCH}
    parts = _searched(row, where) if searched else _parts(row, where)
    if len(parts) == 1 and pair:
        raise Refusal("validation", f"{where} is one text, and this model takes pairs", PAIR_FORMS)
    if len(parts) == 2 and pair is False:
        raise Refusal("validation", f"{where} is a pair, and this model takes single texts", FORMS)
    texts = [read_text(part, place, limits) for part, place in parts]
    if len(texts) == 2:
        return texts[0], texts[1]
    return Passage(texts[0]) if parts[0][1].endswith(".passage") else texts[0]


def read_conversation(row: Any, where: str, limits: Limits) -> TextInput:
    """Return a conversation of a request, checked.

    Raises:
        Refusal: it is of another form, or over a limit; the message names the place.
    """
    if isinstance(row, dict) and not isinstance(row.get("messages"), list):
        raise Refusal("validation", f"{where} has no list of messages", MESSAGE_FORMS)
    if isinstance(row, dict) and (unknown := [key for key in row if key != "messages"]):
        raise Refusal("validation", f"{where} has the unknown key {shown(unknown[0])}", MESSAGE_FORMS)
    try:
        found = prompt(read_text(row, where, limits) if isinstance(row, str) else row)
    except ValueError as error:
        raise Refusal("validation", f"{where}: {_sendable(str(error))}", MESSAGE_FORMS) from None
    if (size := sum(map(len, found))) > limits.max_text_chars:
        raise Refusal("too_large", f"{where} has {size} characters; this server takes {limits.max_text_chars}",
                      "leave the first turns out, or shorten them")
    return found


def read_marked(row: Any, where: str, limits: Limits) -> Marked:
    """Return a text with two marked stretches of a request, checked.

    Raises:
        Refusal: it is of another form, or over a limit; the message names the place.
    """
    if not isinstance(row, dict):
        raise Refusal("validation", f"{where} is {kind_of(row)}, and this model takes texts with two marked stretches",
                      MARKED_FORM)
    try:
        found = marked(row)
    except ValueError as error:
        raise Refusal("validation", f"{where}: {_sendable(str(error))}", MARKED_FORM) from None
    read_text(found.text, f"{where}.text", limits)
    for name, one in (("head", found.head), ("tail", found.tail)):
        if one.type is not None:
            _encodable(one.type, f"{where}.{name}.type")
    return found


def read_candidates(row: Any, where: str, limits: Limits) -> TextInput:
    """Return a query with passages of a request, or with one, checked.

    Raises:
        Refusal: it is of another form, or over a limit; the message names the place.
    """
    if not isinstance(row, dict) or not {*row} & {"query", "passage", "passages"}:
        return read_row(row, where, limits, pair=True)
    several = "passages" in row
    keys = ("query", "passages") if several else _SEARCH
    if unknown := [key for key in row if key not in keys]:
        raise Refusal("validation", f"{where} has the unknown key {shown(unknown[0])}", LIST_FORMS)
    if missing := [key for key in keys if key not in row]:
        raise Refusal("validation", f'{where} has no key "{missing[0]}"', LIST_FORMS)
    query = read_text(row["query"], f"{where}.query", limits)
    if not several:
        return query, read_text(row["passage"], f"{where}.passage", limits)
    return Candidates(query, read_passages(row["passages"], f"{where}.passages", limits))


def read_passages(value: Any, where: str, limits: Limits) -> tuple[str, ...]:
    """Return a list of texts of a request.

    Raises:
        Refusal: it is none, it is empty, or a text in it cannot be read; the message names the place.
    """
    if not isinstance(value, list):
        raise Refusal("validation", f"{where} is {kind_of(value)}, not a list of texts", "put the texts into a list")
    if not value:
        raise Refusal("validation", f"{where} is an empty list", "send at least one text")
    return tuple(read_text(one, f"{where}[{number}]", limits) for number, one in enumerate(value))


def check_passages(rows: Sequence[TextInput], limits: Limits) -> None:
    """Refuse queries with more passages together than a request may have inputs.

    Raises:
        Refusal: there are more.
    """
    passages = sum(len(row.passages) for row in rows if isinstance(row, Candidates))
    if passages > limits.max_inputs:
        raise Refusal("too_large", f"{passages} passages; this server takes {limits.max_inputs} a request",
                      "send fewer, those that the first search ranks highest")


def read_text(value: Any, where: str, limits: Limits) -> str:
    """Return a text of a request when it is one that a model can read.

    Raises:
        Refusal: it is no text, empty, too long or not to be written as UTF-8; the message names the place.
    """
    if not isinstance(value, str):
        raise Refusal("validation", f"{where} is {kind_of(value)}, not a text", "put the text in quotes")
    if blank(value):
        raise Refusal("validation", f"{where} is empty", "leave empty texts out")
    if len(value) > limits.max_text_chars:
        raise Refusal("too_large", f"{where} has {len(value)} characters; this server takes {limits.max_text_chars}",
                      "shorten or split the text")
    _encodable(value, where)
    return value


def kind_of(value: Any) -> str:
    """Return what a JSON value is, in words."""
    names = {
        bool: "true or false", int: "a number", float: "a number", str: "a text", list: "a list", dict: "an object",
    }
    return names.get(type(value), "null")


def shown(key: str) -> str:
    """Return a key for a message: short, and ASCII where it cannot be written as UTF-8."""
    return json.dumps(key if len(key) <= 40 else key[:40] + "…")


def _parts(row: Any, where: str) -> list[tuple[Any, str]]:
    """Return the one or two texts of a row, unchecked, each with the name of its place."""
    if isinstance(row, str):
        return [(row, where)]
    if isinstance(row, list):
        if len(row) != 2:
            raise Refusal("validation", f"{where} is a list of {len(row)}; a pair has two texts", PAIR_FORMS)
        return [(row[0], f"{where}[0]"), (row[1], f"{where}[1]")]
    if isinstance(row, dict):
        if {*row} & {*_QUESTION} and not {*row} & {"text", "text_b"}:
            return _question(row, where)
        if unknown := [key for key in row if key not in ("text", "text_b")]:
            raise Refusal("validation", f"{where} has the unknown key {shown(unknown[0])}",
                          'the keys are "text" and, for pairs, "text_b"')
        if "text" not in row:
            raise Refusal("validation", f'{where} has no key "text"', 'the keys are "text" and, for pairs, "text_b"')
        return [(row[key], f"{where}.{key}") for key in ("text", "text_b") if key in row]
    raise Refusal("validation", f"{where} is {kind_of(row)}, not a text", FORMS)


def _question(row: dict[str, Any], where: str) -> list[tuple[Any, str]]:
    """Return a question and its context, unchecked, each with the name of its place."""
    fix = f'send {{"question": …, "context": …}}; {PAIR_FORMS}'
    if unknown := [key for key in row if key not in _QUESTION]:
        raise Refusal("validation", f"{where} has the unknown key {shown(unknown[0])}", fix)
    if missing := [key for key in _QUESTION if key not in row]:
        raise Refusal("validation", f'{where} has no key "{missing[0]}"', fix)
    return [(row[key], f"{where}.{key}") for key in _QUESTION]


def _searched(row: dict[str, Any], where: str) -> list[tuple[Any, str]]:
    """Return a query, a passage or both, unchecked, each with the name of its place."""
    if unknown := [key for key in row if key not in _SEARCH]:
        raise Refusal("validation", f"{where} has the unknown key {shown(unknown[0])}", EITHER_FORMS)
    return [(row[key], f"{where}.{key}") for key in _SEARCH if key in row]


def _encodable(value: str, where: str) -> None:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise Refusal("validation", f"{where} holds half a surrogate pair at character {error.start}",
                      "write characters beyond U+FFFF as two \\u escapes, or as they are") from None


def _sendable(message: str) -> str:
    """Return a message that may name a key of the caller's as UTF-8 can carry it."""
    return message.encode("utf-8", "backslashreplace").decode()
