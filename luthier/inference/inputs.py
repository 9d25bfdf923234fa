"""What a predictor takes: texts, pairs or conversations, and a refusal that names the row for anything else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from luthier.errors import DataError
from luthier.schema import Conversation, TextInput, Turn
from luthier.text.conversations import parsed


def checked(rows: Sequence[Any], *, pair: bool, conversations: bool = False, first: int = 0) -> Sequence[TextInput]:
    """Return the rows when each is what the bundle reads.

    Args:
        rows: N values from the caller.
        pair: whether one row must be two texts.
        conversations: whether one row is a conversation; a text is what a user says then.
        first: number of the first row, for messages of a stream.

    Raises:
        DataError: the rows are one text instead of a list, or a row is something else than a text or pair.
    """
    if isinstance(rows, str | bytes):
        raise DataError(f"expected a list of {'pairs of texts' if pair else 'texts'}, got one {type(rows).__name__}",
                        "put it into a list: predict([text])")
    if not isinstance(rows, Sequence):  # a generator or a column
        rows = list(rows)
    if conversations:
        return [_conversation(row, number) for number, row in enumerate(rows, first)]
    fits = _is_pair if pair else _is_text
    for number, row in enumerate(rows, first):
        if not fits(row):
            raise _refusal(row, number, pair)
    return rows


def prompt(messages: Any) -> Conversation:
    """Return the conversation in what a caller sends: a text, messages, or an object with ``messages``.

    Raises:
        ValueError: it is none, or its last turn is not the user's.
    """
    if isinstance(messages, Conversation):
        return messages
    if isinstance(messages, str):
        return Conversation((Turn("user", messages),))
    found = parsed(messages["messages"] if isinstance(messages, dict) and "messages" in messages else messages)
    if found.turns[-1].role != "user":
        raise ValueError("the last message is not the user's, so there is nothing to answer")
    return found


def _conversation(row: Any, number: int) -> Conversation:
    try:
        return prompt(row)
    except ValueError as error:
        raise DataError(f"row {number}: {error}", "give a text, or a list of messages such as "
                        '[{"role": "user", "content": "…"}]') from None


def _is_text(row: object) -> bool:
    return isinstance(row, str)


def _is_pair(row: object) -> bool:
    return isinstance(row, tuple | list) and len(row) == 2 and isinstance(row[0], str) and isinstance(row[1], str)


def _refusal(row: object, number: int, pair: bool) -> DataError:
    came = f"{type(row).__name__} {row!r:.60}"
    if pair:
        return DataError(f"row {number}: expected a pair of texts, got {came}",
                         "this bundle was tuned on pairs: give (text, text_b) for each row")
    if isinstance(row, tuple | list):
        return DataError(f"row {number}: expected one text, got {came}",
                         "this bundle was tuned on single texts: give one str for each row")
    return DataError(f"row {number}: expected a text, got {came}", "give each row as a str; leave empty cells out")
