"""Between bytes and texts: check a request body, write an answer. No web framework, no model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn

from luthier.errors import LuthierError
from luthier.plugins import did_you_mean
from luthier.schema import Answer, TextInput
from luthier.serving.limits import Limits
from luthier.serving.refusal import Refusal
from luthier.serving.rows import (
    EITHER_FORMS,
    FORMS,
    LIST_FORMS,
    MARKED_FORM,
    MESSAGE_FORMS,
    PAIR_FORMS,
    check_passages,
    kind_of,
    read_candidates,
    read_conversation,
    read_marked,
    read_row,
    shown,
)


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
    forms = (MARKED_FORM if relations else LIST_FORMS if candidates else EITHER_FORMS if pair is None else
             PAIR_FORMS if pair else FORMS)
    inputs = _inputs(read_json(body), MESSAGE_FORMS if conversations else forms)
    single = not isinstance(inputs, list) or (conversations and bool(inputs) and _is_message(inputs[0]))
    rows = [inputs] if single else inputs
    if not rows:
        raise Refusal("validation", "inputs is an empty list", "send at least one text")
    if len(rows) > limits.max_inputs:
        raise Refusal("too_large", f"{len(rows)} inputs; this server takes {limits.max_inputs} a request",
                      f"send lists of {limits.max_inputs} or fewer, or use `luthier predict` for files")
    places = ["inputs"] if single else [f"inputs[{n}]" for n in range(len(rows))]
    own = read_conversation if conversations else read_marked if relations else read_candidates if candidates else None
    read = partial(read_row, limits=limits, pair=pair) if own is None else partial(own, limits=limits)
    texts = [read(row, place) for row, place in zip(rows, places, strict=True)]
    check_passages(texts, limits)
    return Asked(texts, single)


def answer(model: str, predictions: Sequence[Answer], *, single: bool) -> bytes:
    """Return the JSON answer, UTF-8: ``predictions`` has the form that ``inputs`` had, one object or a list."""
    bodies = [prediction.to_dict() for prediction in predictions]
    value = {"model": model, "predictions": bodies[0] if single else bodies}
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def unreadable(error: LuthierError, *, single: bool) -> Refusal:
    """Return how a model's complaint about a row is told to the caller, who knows it as ``inputs[n]``."""
    place = "" if error.row is None else "inputs: " if single else f"inputs[{error.row}]: "
    return Refusal("validation", place + error.said, error.fix)


def read_json(body: bytes, form: str = FORMS) -> Any:
    """Return what a request body holds.

    Args:
        body: UTF-8 JSON.
        form: what to send instead, for messages.

    Raises:
        Refusal: it is not UTF-8 JSON.
    """
    if not body.strip():
        raise Refusal("malformed", "the body is empty", form)
    try:
        return json.loads(body.decode("utf-8-sig"), parse_constant=partial(_not_json, form))
    except UnicodeDecodeError as error:
        raise Refusal("malformed", f"the body is not UTF-8: byte {error.start} is 0x{body[error.start]:02x}",
                      "encode the JSON as UTF-8") from None
    except json.JSONDecodeError as error:
        raise Refusal("malformed", f"the body is not JSON: {error.msg} at line {error.lineno} column {error.colno}",
                      form) from None
    except RecursionError:
        raise Refusal("malformed", "the body is JSON nested too deeply", form) from None
    except ValueError:
        # Python refuses to read whole numbers of more than 4,300 digits.
        raise Refusal("malformed", "the body holds a number with too many digits", form) from None


def _not_json(form: str, name: str) -> NoReturn:
    raise Refusal("malformed", f"{name} is not JSON", form)


def _inputs(value: Any, forms: str) -> Any:
    if not isinstance(value, dict):
        raise Refusal("validation", f"the body is {kind_of(value)}, not an object", forms)
    if unknown := [key for key in value if key != "inputs"]:
        key = shown(unknown[0])
        raise Refusal("validation", f"unknown key {key}", did_you_mean(key.strip('"'), ["inputs"])
                      if "inputs" not in value else "the body takes the key \"inputs\" alone")
    if "inputs" not in value:
        raise Refusal("validation", 'the key "inputs" is missing', forms)
    return value["inputs"]


def _is_message(value: Any) -> bool:
    return isinstance(value, dict) and ("role" in value or "from" in value)
