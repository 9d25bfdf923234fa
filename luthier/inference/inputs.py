"""What a predictor takes: texts, pairs, conversations or texts with marks, and a refusal that names the row else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import ModuleType
from typing import TYPE_CHECKING, Any

from luthier.errors import DataError
from luthier.schema import Candidates, Conversation, Marked, TextInput, Turn
from luthier.text import check_marked, marked
from luthier.text.candidates import listed
from luthier.text.conversations import parsed
from luthier.text.marks import FORM

if TYPE_CHECKING:
    from luthier.models.encoding import Encoder, Ragged, Reach


def encoded(encoder: Encoder, task: ModuleType, settings: Any, rows: Sequence[TextInput]) -> Ragged:
    """Return the token ids of N rows as a task's model reads them: whole, or each text of a row by itself."""
    if not hasattr(task, "sequences"):
        reach = reach_of(task, settings)
        own = {} if reach is None else {"reach": reach}  # which only the encoder of windows knows
        return encoder.encode_ragged(rows, offsets=task.OFFSETS, **own)
    texts, owners = task.sequences(rows, settings)
    try:
        return replace(encoder.encode_ragged(texts, offsets=task.OFFSETS), owners=owners)
    except DataError as error:
        raise (error if error.row is None else error.at(int(owners[error.row]))) from None


def reach_of(task: ModuleType, settings: Any) -> Reach | None:
    """Return how much of a text a window of a task holds; ``None`` where only the model's length bounds it."""
    found: Reach | None = task.reach(settings) if hasattr(task, "reach") else None
    return found


def checked(
    rows: Sequence[Any], *, pair: bool | None, relations: bool = False, conversations: bool = False,
    candidates: bool = False, first: int = 0,
) -> Sequence[TextInput]:
    """Return the rows when each is what the bundle reads.

    Args:
        rows: N values from the caller.
        pair: whether one row must be two texts; ``None`` where it may be one or two.
        relations: whether one row must be a text with two marked stretches: a ``Marked``, or its JSON form.
        conversations: whether one row is a conversation; a text is what a user says then.
        candidates: whether one row is a query with passages: a pair with one, or ``Candidates`` or their JSON form.
        first: number of the first row, for messages of a stream.

    Raises:
        DataError: the rows are one row instead of a list, or a row is something else than the bundle reads.
    """
    if isinstance(rows, str | bytes | Mapping | Marked | Candidates | Conversation):
        wanted = ("texts with what is marked in them" if relations else "conversations" if conversations else
                  "pairs of texts" if pair else "texts")
        raise DataError(f"expected a list of {wanted}, got one {type(rows).__name__}",
                        "put it into a list: predict([text])")
    if not isinstance(rows, Sequence):  # a generator or a column
        try:
            rows = list(rows)
        except TypeError:
            raise DataError(f"expected a list of texts, got {type(rows).__name__}",
                            "put them into a list: predict([text])") from None
    if relations:
        return [_marked(row, number) for number, row in enumerate(rows, first)]
    if conversations:
        return [_conversation(row, number) for number, row in enumerate(rows, first)]
    if candidates:
        return [_candidates(row, number) for number, row in enumerate(rows, first)]
    fits = _is_either if pair is None else _is_pair if pair else _is_text
    for number, row in enumerate(rows, first):
        if not fits(row):
            raise _refusal(row, number, pair)
    return rows


def prompt(messages: Any) -> Conversation:
    """Return the conversation in what a caller sends: a text, messages, or an object with ``messages``.

    Raises:
        ValueError: it is none, or its last turn is not the user's.
    """
    if isinstance(messages, str):
        return Conversation((Turn("user", messages),))
    found = messages if isinstance(messages, Conversation) else parsed(
        messages["messages"] if isinstance(messages, dict) and "messages" in messages else messages)
    if not found.turns or found.turns[-1].role != "user":
        raise ValueError("the last message is not the user's, so there is nothing to answer")
    return found


def _conversation(row: Any, number: int) -> Conversation:
    try:
        return prompt(row)
    except ValueError as error:
        raise DataError(str(error), 'give a text, or a list of messages such as [{"role": "user", "content": "…"}]',
                        row=number) from None


def _candidates(row: Any, number: int) -> TextInput:
    if _is_pair(row):
        found: TextInput = row
        return found
    fix = 'give (query, passage) to have one scored, or {"query": …, "passages": [...]} to have several ordered'
    if not isinstance(row, Candidates | Mapping):
        raise DataError(f"expected a query with passages, got {type(row).__name__} {row!r:.60}", fix, row=number)
    try:
        return listed(row)
    except ValueError as error:
        raise DataError(str(error), fix, row=number) from None


def _is_text(row: object) -> bool:
    return isinstance(row, str)


def _is_pair(row: object) -> bool:
    return isinstance(row, tuple | list) and len(row) == 2 and isinstance(row[0], str) and isinstance(row[1], str)


def _is_either(row: object) -> bool:
    return _is_text(row) or _is_pair(row)


def _marked(row: object, number: int) -> Marked:
    fix = f"this bundle tells relations: give {FORM}, or luthier.schema.Marked"
    try:
        if isinstance(row, Marked):
            check_marked(row)
            return row
        if isinstance(row, Mapping):
            return marked(row)
    except ValueError as error:
        raise DataError(str(error), fix, row=number) from None
    raise DataError(f"expected a text with two marked stretches, got {type(row).__name__} {row!r:.60}", fix, row=number)


def _refusal(row: object, number: int, pair: bool | None) -> DataError:
    came = f"{type(row).__name__} {row!r:.60}"
    if pair is None:
        return DataError(f"expected a text or a pair of texts, got {came}",
                         "give one str to have it embedded, or (text, text_b) to have the two compared", row=number)
    if pair:
        return DataError(f"expected a pair of texts, got {came}",
                         "this bundle was tuned on pairs: give (text, text_b) for each row", row=number)
    if isinstance(row, tuple | list):
        return DataError(f"expected one text, got {came}",
                         "this bundle was tuned on single texts: give one str for each row", row=number)
    return DataError(f"expected a text, got {came}", "give each row as a str; leave empty cells out", row=number)
