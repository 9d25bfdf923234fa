"""Between bytes and texts: check a request body, write an answer. No web framework, no model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn

from luthier.errors import LuthierError
from luthier.inference.inputs import prompt
from luthier.plugins import did_you_mean
from luthier.schema import Answer, Candidates, Marked, Passage, TextInput
from luthier.serving.limits import Limits
from luthier.serving.refusal import Refusal
from luthier.text import blank
from luthier.text.marks import FORM, marked

_FORMS = 'send {"inputs": "a text"} or {"inputs": ["a text", "another"]}'
_MESSAGE_FORMS = 'send {"inputs": {"messages": [{"role": "user", "content": "a text"}]}} or {"inputs": "a text"}'
_PAIR_FORMS = 'send {"inputs": [["first", "second"]]} or {"inputs": {"text": "first", "text_b": "second"}}'

_EITHER_FORMS = ('send {"inputs": "a text"} to have it embedded, {"inputs": [["first", "second"]]} to have two '
                 'compared, or {"inputs": {"query": "…", "passage": "…"}} with either key or both')
_MARKED_FORM = f'send {{"inputs": {FORM}}}, or a list of these; "type" beside "end" says what the stretch names'

_LIST_FORMS = ('send {"inputs": {"query": "…", "passages": ["…", "…"]}} to have passages ordered, or '
               '{"inputs": {"query": "…", "passage": "…"}} to have one scored, or lists of these')

_QUESTION = ("question", "context")
"""Keys of a pair whose second text answers the first."""
_SEARCH = ("query", "passage")
"""Keys of a text that is looked for, of one that looks, or of both."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks for."""

    texts: list[TextInput]
    """N texts, N pairs or N texts with two marked stretches."""
    single: bool
    """True when the caller sent one input and not a list: the answer takes the same form."""


def parse(
    body: bytes, limits: Limits, *, pair: bool | None, relations: bool = False, conversations: bool = False,
    candidates: bool = False,
) -> Asked:
    """Check a request body and return its texts.

    Args:
        body: UTF-8 JSON: ``{"inputs": one or a list}``, where one is a text, a ``[text, text]`` pair inside a list, or
            ``{"text": …, "text_b": …}``; of a question ``{"question": …, "context": …}``; of a relation ``{"text": …,
            "head": {"start": …, "end": …}, "tail": …}``; where texts are compared ``{"query": …}``, ``{"passage": …}``
            or both; of a conversation a text, a list of messages or ``{"messages": […]}``; where passages are ordered
            ``{"query": …, "passages": […]}``, or with one ``passage``.
        limits: most inputs and most characters.
        pair: whether the model takes pairs; ``None`` where it takes single texts, too.
        relations: whether it takes texts with two marked stretches.
        conversations: whether it takes conversations.
        candidates: whether it takes a query with passages.

    Raises:
        Refusal: not JSON, not of this form, or over a limit; the message names the place.
    """
    forms = (_MARKED_FORM if relations else _LIST_FORMS if candidates else _EITHER_FORMS if pair is None else
             _PAIR_FORMS if pair else _FORMS)
    inputs = _inputs(read_json(body), _MESSAGE_FORMS if conversations else forms)
    single = not isinstance(inputs, list) or (conversations and bool(inputs) and _is_message(inputs[0]))
    rows = [inputs] if single else inputs
    if not rows:
        raise Refusal("validation", "inputs is an empty list", "send at least one text")
    if len(rows) > limits.max_inputs:
        raise Refusal("too_large", f"{len(rows)} inputs; this server takes {limits.max_inputs} a request",
                      f"send lists of {limits.max_inputs} or fewer, or use `luthier predict` for files")
    places = ["inputs"] if single else [f"inputs[{n}]" for n in range(len(rows))]
    own = _conversation if conversations else _marked if relations else _candidates if candidates else None
    read = partial(_row, limits=limits, pair=pair) if own is None else partial(own, limits=limits)
    texts = [read(row, place) for row, place in zip(rows, places, strict=True)]
    check_passages(texts, limits)
    return Asked(texts, single)


def check_passages(rows: Sequence[TextInput], limits: Limits) -> None:
    """Refuse queries with more passages together than a request may have inputs.

    Raises:
        Refusal: there are more.
    """
    passages = sum(len(row.passages) for row in rows if isinstance(row, Candidates))
    if passages > limits.max_inputs:
        raise Refusal("too_large", f"{passages} passages; this server takes {limits.max_inputs} a request",
                      "send fewer, those that the first search ranks highest")


def answer(model: str, predictions: Sequence[Answer], *, single: bool) -> bytes:
    """Return the JSON answer, UTF-8: ``predictions`` has the form that ``inputs`` had, one object or a list."""
    bodies = [prediction.to_dict() for prediction in predictions]
    value = {"model": model, "predictions": bodies[0] if single else bodies}
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def unreadable(error: LuthierError, *, single: bool) -> Refusal:
    """Return how a model's complaint about a row is told to the caller, who knows it as ``inputs[n]``."""
    place = "" if error.row is None else "inputs: " if single else f"inputs[{error.row}]: "
    return Refusal("validation", place + error.said, error.fix)


def read_json(body: bytes) -> Any:
    """Return what a request body holds.

    Raises:
        Refusal: it is not UTF-8 JSON.
    """
    if not body.strip():
        raise Refusal("malformed", "the body is empty", _FORMS)
    try:
        return json.loads(body.decode("utf-8-sig"), parse_constant=_not_json)
    except UnicodeDecodeError as error:
        raise Refusal("malformed", f"the body is not UTF-8: byte {error.start} is 0x{body[error.start]:02x}",
                      "encode the JSON as UTF-8") from None
    except json.JSONDecodeError as error:
        raise Refusal("malformed", f"the body is not JSON: {error.msg} at line {error.lineno} column {error.colno}",
                      _FORMS) from None
    except RecursionError:
        raise Refusal("malformed", "the body is JSON nested too deeply", _FORMS) from None
    except ValueError:
        # Python refuses to read whole numbers of more than 4,300 digits.
        raise Refusal("malformed", "the body holds a number with too many digits", _FORMS) from None


def _not_json(name: str) -> NoReturn:
    raise Refusal("malformed", f"{name} is not JSON", _FORMS)


def _inputs(value: Any, forms: str) -> Any:
    if not isinstance(value, dict):
        raise Refusal("validation", f"the body is {_kind(value)}, not an object", forms)
    if unknown := [key for key in value if key != "inputs"]:
        shown = _shown(unknown[0])
        raise Refusal("validation", f"unknown key {shown}", did_you_mean(shown.strip('"'), ["inputs"])
                      if "inputs" not in value else "the body takes the key \"inputs\" alone")
    if "inputs" not in value:
        raise Refusal("validation", 'the key "inputs" is missing', forms)
    return value["inputs"]


def _is_message(value: Any) -> bool:
    return isinstance(value, dict) and ("role" in value or "from" in value)


def _conversation(row: Any, where: str, limits: Limits) -> TextInput:
    if isinstance(row, dict) and not isinstance(row.get("messages"), list):
        raise Refusal("validation", f"{where} has no list of messages", _MESSAGE_FORMS)
    if isinstance(row, dict) and (unknown := [key for key in row if key != "messages"]):
        raise Refusal("validation", f"{where} has the unknown key {_shown(unknown[0])}", _MESSAGE_FORMS)
    try:
        found = prompt(read_text(row, where, limits) if isinstance(row, str) else row)
    except ValueError as error:
        raise Refusal("validation", f"{where}: {_sendable(str(error))}", _MESSAGE_FORMS) from None
    if (size := sum(map(len, found))) > limits.max_text_chars:
        raise Refusal("too_large", f"{where} has {size} characters; this server takes {limits.max_text_chars}",
                      "leave the first turns out, or shorten them")
    return found


def _marked(row: Any, where: str, limits: Limits) -> Marked:
    if not isinstance(row, dict):
        raise Refusal("validation", f"{where} is {_kind(row)}, and this model takes texts with two marked stretches",
                      _MARKED_FORM)
    try:
        found = marked(row)
    except ValueError as error:
        raise Refusal("validation", f"{where}: {_sendable(str(error))}", _MARKED_FORM) from None
    read_text(found.text, f"{where}.text", limits)
    for name, one in (("head", found.head), ("tail", found.tail)):
        if one.type is not None:
            _encodable(one.type, f"{where}.{name}.type")
    return found


def _candidates(row: Any, where: str, limits: Limits) -> TextInput:
    if not isinstance(row, dict) or not {*row} & {"query", "passage", "passages"}:
        return _row(row, where, limits, pair=True)
    several = "passages" in row
    keys = ("query", "passages") if several else _SEARCH
    if unknown := [key for key in row if key not in keys]:
        raise Refusal("validation", f"{where} has the unknown key {_shown(unknown[0])}", _LIST_FORMS)
    if missing := [key for key in keys if key not in row]:
        raise Refusal("validation", f'{where} has no key "{missing[0]}"', _LIST_FORMS)
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
        raise Refusal("validation", f"{where} is {_kind(value)}, not a list of texts", "put the texts into a list")
    if not value:
        raise Refusal("validation", f"{where} is an empty list", "send at least one text")
    return tuple(read_text(one, f"{where}[{number}]", limits) for number, one in enumerate(value))


def _row(row: Any, where: str, limits: Limits, pair: bool | None) -> TextInput:
    searched = pair is None and isinstance(row, dict) and {*row} & {*_SEARCH}
    parts = _searched(row, where) if searched else _parts(row, where)
    if len(parts) == 1 and pair:
        raise Refusal("validation", f"{where} is one text, and this model takes pairs", _PAIR_FORMS)
    if len(parts) == 2 and pair is False:
        raise Refusal("validation", f"{where} is a pair, and this model takes single texts", _FORMS)
    texts = [read_text(part, place, limits) for part, place in parts]
    if len(texts) == 2:
        return texts[0], texts[1]
    return Passage(texts[0]) if parts[0][1].endswith(".passage") else texts[0]


def _parts(row: Any, where: str) -> list[tuple[Any, str]]:
    """Return the one or two texts of a row, unchecked, each with the name of its place."""
    if isinstance(row, str):
        return [(row, where)]
    if isinstance(row, list):
        if len(row) != 2:
            raise Refusal("validation", f"{where} is a list of {len(row)}; a pair has two texts", _PAIR_FORMS)
        return [(row[0], f"{where}[0]"), (row[1], f"{where}[1]")]
    if isinstance(row, dict):
        if {*row} & {*_QUESTION} and not {*row} & {"text", "text_b"}:
            return _question(row, where)
        if unknown := [key for key in row if key not in ("text", "text_b")]:
            raise Refusal("validation", f"{where} has the unknown key {_shown(unknown[0])}",
                          'the keys are "text" and, for pairs, "text_b"')
        if "text" not in row:
            raise Refusal("validation", f'{where} has no key "text"', 'the keys are "text" and, for pairs, "text_b"')
        return [(row[key], f"{where}.{key}") for key in ("text", "text_b") if key in row]
    raise Refusal("validation", f"{where} is {_kind(row)}, not a text", _FORMS)


def _question(row: dict[str, Any], where: str) -> list[tuple[Any, str]]:
    """Return a question and its context, unchecked, each with the name of its place."""
    fix = f'send {{"question": …, "context": …}}; {_PAIR_FORMS}'
    if unknown := [key for key in row if key not in _QUESTION]:
        raise Refusal("validation", f"{where} has the unknown key {_shown(unknown[0])}", fix)
    if missing := [key for key in _QUESTION if key not in row]:
        raise Refusal("validation", f'{where} has no key "{missing[0]}"', fix)
    return [(row[key], f"{where}.{key}") for key in _QUESTION]


def _searched(row: dict[str, Any], where: str) -> list[tuple[Any, str]]:
    """Return a query, a passage or both, unchecked, each with the name of its place."""
    if unknown := [key for key in row if key not in _SEARCH]:
        raise Refusal("validation", f"{where} has the unknown key {_shown(unknown[0])}", _EITHER_FORMS)
    return [(row[key], f"{where}.{key}") for key in _SEARCH if key in row]


def read_text(value: Any, where: str, limits: Limits) -> str:
    """Return a text of a request when it is one that a model can read.

    Raises:
        Refusal: it is no text, empty, too long or not to be written as UTF-8; the message names the place.
    """
    if not isinstance(value, str):
        raise Refusal("validation", f"{where} is {_kind(value)}, not a text", "put the text in quotes")
    if blank(value):
        raise Refusal("validation", f"{where} is empty", "leave empty texts out")
    if len(value) > limits.max_text_chars:
        raise Refusal("too_large", f"{where} has {len(value)} characters; this server takes {limits.max_text_chars}",
                      "shorten or split the text")
    _encodable(value, where)
    return value


def _encodable(value: str, where: str) -> None:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise Refusal("validation", f"{where} holds half a surrogate pair at character {error.start}",
                      "write characters beyond U+FFFF as two \\u escapes, or as they are") from None


def _sendable(message: str) -> str:
    """Return a message that may name a key of the caller's as UTF-8 can carry it."""
    return message.encode("utf-8", "backslashreplace").decode()


def _kind(value: Any) -> str:
    names = {
        bool: "true or false", int: "a number", float: "a number", str: "a text", list: "a list", dict: "an object",
    }
    return names.get(type(value), "null")


def _shown(key: str) -> str:
    """Return a key for a message: short, and ASCII where it cannot be written as UTF-8."""
    return json.dumps(key if len(key) <= 40 else key[:40] + "…")
