"""Conversations as people write them down, and their normal form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from luthier.schema import Conversation, Role, Turn
from luthier.text.normalize import Form, blank, normalize

ROLES: Mapping[str, Role] = {
    "system": "system", "developer": "system", "user": "user", "human": "user", "assistant": "assistant",
    "gpt": "assistant", "model": "assistant", "bot": "assistant", "chatgpt": "assistant",
    "customer": "user", "client": "user", "agent": "assistant",
    "系统": "system", "用户": "user", "客户": "user", "顾客": "user", "助手": "assistant", "客服": "assistant",
}
"""Names of roles in files -> ours; ShareGPT and its kin say ``human`` and ``gpt``."""
_WEIGHTS = {"": None, "0": 0, "0.0": 0, "1": 1, "1.0": 1}
_CALLS = ("tool_calls", "function_call")
_KEYS = (("role", "content"), ("from", "value"), ("role", "text"))


def parsed(messages: Any) -> Conversation:
    """Return the conversation in a list of messages.

    Args:
        messages: N objects ``{"role": …, "content": …}``, ``{"from": …, "value": …}`` or ``{"role": …, "text": …}``;
            the content is a text, or a list of ``{"type": "text", "text": …}``. An answer with ``"weight": 0`` is not
            learned from.

    Raises:
        ValueError: it is no such list, a role is not known, a turn is empty, or ``system`` does not come first.
    """
    if not isinstance(messages, Sequence) or isinstance(messages, str | bytes):
        raise ValueError(f"expected a list of messages, came {type(messages).__name__}")
    if not messages:
        raise ValueError("the list of messages is empty")
    turns = tuple(_turn(message, number) for number, message in enumerate(messages, 1))
    late = next((number for number, turn in enumerate(turns, 1) if turn.role == "system" and number > 1), None)
    if late is not None:
        raise ValueError(f"message {late} is of the system, which speaks first and once")
    return Conversation(turns)


def normal(conversation: Conversation, form: Form) -> Conversation:
    """Return the conversation in its normal form; what the assistant says keeps its width: NFC at most."""
    turns = tuple(replace(turn, content=normalize(turn.content, _form(turn.role, form))) for turn in conversation.turns)
    return conversation if turns == conversation.turns else Conversation(turns)


def _form(role: Role, form: Form) -> Form:
    return "nfc" if role == "assistant" and form == "nfkc" else form


def _turn(message: Any, number: int) -> Turn:
    if isinstance(message, Turn):
        return message
    if not isinstance(message, Mapping):
        raise ValueError(f"message {number} is {type(message).__name__}, expected an object with role and content")
    if any(message.get(key) for key in _CALLS) and "content" not in message:
        message = {**message, "content": None}
    named = next((keys for keys in _KEYS if keys[0] in message and keys[1] in message), None)
    if named is None:
        raise ValueError(f"message {number} has the keys {', '.join(map(str, message))[:80] or 'none'}; expected role "
                         "and content")
    role, content = str(message[named[0]]), _content(message[named[1]], number)
    if role.casefold() not in ROLES:
        raise ValueError(f"message {number} has the unknown role {role[:40]!r}; known: {', '.join(ROLES)}")
    if blank(content):
        calls = next((key for key in _CALLS if message.get(key)), None)
        raise ValueError(f"message {number} ({role}) is empty" if calls is None else
                         f"message {number} ({role}) calls tools ({calls}), which are not read")
    try:
        content.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(f"message {number}: character {error.start + 1} is half a surrogate pair, not text") from None
    speaker = ROLES[role.casefold()]
    return Turn(speaker, content, learned=speaker != "assistant" or _is_learned(message.get("weight"), number))


def _is_learned(weight: Any, number: int) -> bool:
    """Tell whether an answer counts: without a weight, or a number that is none, it does."""
    found = _WEIGHTS.get(weight.strip(), weight) if isinstance(weight, str) else weight
    if found is None or found != found:  # NaN, of a data frame
        return True
    if found not in (0, 1):
        raise ValueError(f"message {number} has the weight {weight!r:.40}; expected 0 or 1")
    return bool(found)


def _content(value: Any, number: int) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(isinstance(part, Mapping) and part.get("type") == "text"
                                                 and isinstance(part.get("text"), str) for part in value):
        return "".join(part["text"] for part in value)
    if value is None:
        return ""
    raise ValueError(f"message {number}: expected a text, came {type(value).__name__}")
