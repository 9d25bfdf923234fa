"""Which columns hold conversations, or an instruction and its answer: by names that only such files have."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

from luthier.data import names as roles
from luthier.data.cells.flags import are_flags
from luthier.data.cells.labels import as_list
from luthier.data.columns.targets import alike, are_texts, labels_beside
from luthier.data.columns.texts import asked_column
from luthier.data.layout_values import Seen
from luthier.data.names import shown
from luthier.errors import DataError
from luthier.text.conversations import ROLES

DIALOGUE = "dialogue"
"""Name of the task."""

MESSAGES = ("messages", "conversations", "conversation", "dialog", "dialogue", "turns", "chat", "对话", "会话",
            "prompt", "chosen")
"""Names of a column of messages, as ``plain`` writes them, the likelier first; TRL calls what comes before an answer
``prompt``, and of two conversations the better one ``chosen``."""
TURNS = MESSAGES[:-2]
"""Those of what two people say in turn."""
PROMPT = "prompt"
CONTINUED = ("completion", "chosen", "response", "answer", "output", "回答", "答案")
"""Names of a column with what follows the messages; of two answers it is the better one."""
_JUDGED = ("label", "ktotag")
"""Names of a column that tells good answers from bad ones."""
PAIRS = (("instruction", "output"), ("instruction", "response"), ("prompt", "completion"), ("prompt", "response"),
         ("instruction", "completion"), ("prompt", "chosen"), ("instruction", "chosen"), ("指令", "输出"))
"""Names of a prompt and its answer."""
ASKED_PAIRS = (("query", "response"), ("question", "answer"), ("question", "response"), ("input", "output"),
               ("user", "assistant"), ("text", "target"), ("问题", "回答"), ("问题", "答案"))
"""Names that other tasks have as well: only where the task was asked for."""
PROMPTS = tuple(dict.fromkeys([prompt for prompt, _ in (*PAIRS, *ASKED_PAIRS)] + ["text", "message", "文本"]))
ANSWERS = tuple(dict.fromkeys(answer for _, answer in (*PAIRS, *ASKED_PAIRS)))
_BESIDE = ("input", "context", "system", "systemprompt", "systemmessage", "history", "chathistory", "rejected", "id",
           "输入")
"""Names of columns that stand beside a prompt and its answer, and label nothing."""
_NAMED = re.compile(r"\s*\w{1,20}\s*[:：]")
"""How a turn begins that says who speaks; then they need not take turns."""
_INSTRUCTIONS = ("instruction", "指令")
_DOLLY = {"instruction", "context", "response", "category"}
"""The columns of Dolly, whose category says what kind of question a row asks."""


def messages_column(seen: Seen) -> str | None:
    """Return the column whose cells are lists of messages."""
    named = roles.matching(seen.present, MESSAGES)
    return next((column for column in named if _are_messages(seen.rows, column)), None)


def turns_column(seen: Seen, *, asked: bool) -> str | None:
    """Return the column that lists what two people say in turn: texts alone (DailyDialog, LCCC), or with who says them
    (MultiWOZ).

    Args:
        seen: the first rows.
        asked: whether the task was asked for; else nothing but numbers of rows and lists may stand beside it, since all
            else could be what is learned.
    """
    for column in roles.matching(seen.present, TURNS):
        beside = [one for one in seen.present if one != column and not roles.numbers_rows(one)
                  and roles.plain(one) not in CONTINUED]
        lists = [found for row in seen.rows if (found := as_list(row.get(column)))]
        if lists and 2 * sum(map(_are_turns, lists)) >= len(lists) and (
                asked or not any(_says_more(row, one, column) for row in seen.rows for one in beside)):
            return column
    return None


def turns_of(cell: Any, *, answered: bool) -> Any:
    """Return what is said in turn as messages.

    Args:
        cell: N texts, or objects with ``speaker`` and what is said, in ``utterance`` or ``text``.
        answered: whether an answer stands elsewhere or is wanted, so that the last text is the user's; else the first
            one is.
    """
    turns = messages_of(cell)
    if isinstance(turns, list) and turns and all(isinstance(one, str) for one in turns):
        begun = answered and len(turns) % 2 == 0
        speakers = cycle(("assistant", "user") if begun else ("user", "assistant"))
        return [{"role": role, "content": said} for role, said in zip(speakers, turns, strict=False)]
    if not isinstance(turns, list) or not all(isinstance(one, Mapping) for one in turns):
        return turns
    # The system of MultiWOZ is who answers, where nobody else does.
    names = [str(one.get("speaker")).casefold() for one in turns]
    answers = {"system": "assistant"} if not any(ROLES.get(name) == "assistant" for name in names) else {}
    return [{"role": answers.get(name, name), "content": one.get("utterance", one.get("text"))}
            for name, one in zip(names, turns, strict=True)]


def follows(seen: Seen, messages: str) -> str | None:
    """Return the column with what follows the messages."""
    free = [column for column in seen.present if column != messages]
    return roles.named(free, CONTINUED)


def refuse_judged(seen: Seen) -> None:
    """Refuse files that mark bad answers beside conversations, as TRL's for KTO: all of them would be learned.

    Raises:
        DataError: there is such a column.
    """
    judged = roles.named(seen.present, _JUDGED)
    if judged is not None and are_flags(seen.rows, judged):
        raise DataError(f"{seen.path}: column {judged!r} tells good answers from bad ones, and all would be learned",
                        "keep the rows of good answers, and leave the column out")


def messages_of(cell: Any) -> Any:
    """Return the messages in a cell; tables hold them as JSON, or as data frames write them.

    Raises:
        ValueError: a text that begins as a list of messages is none.
    """
    found = as_list(cell)
    if found is not None:
        return found
    if isinstance(cell, str) and cell.lstrip().startswith("["):
        raise ValueError(f"the messages are neither JSON nor a list of Python's: {cell.strip()[:40]!r}")
    return cell


def prompt_and_answer(seen: Seen, *, asked: bool, labelled: bool) -> tuple[str, str | None] | None:
    """Return the columns of a prompt and of its answer; ``None`` where the file has none.

    Args:
        seen: the first rows; columns that the caller names are taken.
        asked: whether the caller asked for the task.
        labelled: whether answers are needed.

    Raises:
        DataError: the task was asked for and something is missing, or a named column is not there.
    """
    given, listed = seen.columns, {roles.plain(column): column for column in reversed(seen.present)}
    for one, other in (*PAIRS, *(ASKED_PAIRS if asked else ())):
        pair = listed.get(one), listed.get(other)
        if None not in pair and given.text in (None, pair[0]) and given.label in (None, pair[1]):
            found = listed[one], listed[other]
            return (found[0], found[1] if labelled else None) if asked or _surely(seen, *found) else None
    if not asked:
        return None
    prompt = given.text or roles.named([one for one in seen.present if one != given.label], PROMPTS)
    answer = given.label or roles.named([one for one in seen.present if one != prompt], ANSWERS)
    if prompt is None or (labelled and answer is None):
        raise DataError(f"{seen.path}: found no conversations among {shown(seen.present)}",
                        'give rows of {"messages": [{"role": "user", "content": …}, …]}, or name a column of prompts '
                        "and one of answers: --text PROMPT --label ANSWER")
    for role, column in (("text", prompt), ("label", answer if labelled or given.label else None)):
        if column is not None:
            asked_column(seen.path, role, column, seen.present)
    return prompt, answer if labelled else None


def _surely(seen: Seen, prompt: str, answer: str) -> bool:
    """Tell whether nothing else is to be learned from the file: its answers are texts, and no column labels them."""
    if seen.columns.label_separator or seen.columns.text_b or not are_texts(seen.rows, prompt, answer):
        return False
    listed = {roles.plain(column) for column in seen.present}
    known = (*_BESIDE, *(_DOLLY if listed >= _DOLLY else ()))
    beside = [column for column in seen.present if roles.plain(column) in known]
    if seen.columns.label is not None:
        return True
    if roles.plain(prompt) in _INSTRUCTIONS:  # where a row is from, or in which language, labels nothing
        free = [column for column in seen.present if column not in (prompt, answer, *beside)]
        return roles.named(free, roles.LABEL_NAMES) is None
    return labels_beside(seen.rows, seen.present, (prompt, answer, *beside)) is None


def passed_over(seen: Seen) -> list[str]:
    """Return what to say of a file with prompts and answers that is read for the label beside them."""
    listed = {roles.plain(column): column for column in reversed(seen.present)}
    pair = next(((listed[one], listed[other]) for one, other in PAIRS if one in listed and other in listed), None)
    return alike(seen, pair, DIALOGUE, "prompts and their answers")


def _are_messages(rows: Sequence[Mapping[str, Any]], column: str) -> bool:
    """Tell whether at least half of the lists in a column are of messages; the others are bad rows."""
    found = [as_list(row.get(column)) for row in rows]
    lists = [one for one in found if one]
    return bool(lists) and 2 * sum(map(roles.are_messages, lists)) >= len(lists)


def _are_turns(found: Sequence[Any]) -> bool:
    if all(isinstance(one, str) for one in found):
        return 2 * sum(_NAMED.match(one) is not None for one in found) < len(found)
    return all(isinstance(one, Mapping) and ("utterance" in one or "text" in one)
               and str(one.get("speaker")).casefold() in ROLES for one in found)


def _says_more(row: Mapping[str, Any], column: str, turns: str) -> bool:
    """Tell whether a cell may say what is to be learned of a conversation: it is no list, or one of labels for all."""
    cell, said = as_list(row.get(column)), as_list(row.get(turns))
    if cell is None:
        return row.get(column) not in (None, "") and not isinstance(row[column], Mapping)
    return roles.plain(column) in roles.LABEL_NAMES and said is not None and len(cell) != len(said)
