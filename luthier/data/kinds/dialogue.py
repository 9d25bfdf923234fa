"""Conversations, of which the last answer of the assistant is what shall be written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from luthier.data import begun, split
from luthier.data import names as roles
from luthier.data.cells.labels import as_list, spelt
from luthier.data.cells.texts import text_cell
from luthier.data.columns.dialogues import (
    DIALOGUE,
    PROMPT,
    follows,
    messages_column,
    messages_of,
    prompt_and_answer,
    refuse_judged,
    turns_column,
    turns_of,
)
from luthier.data.columns.texts import asked_column, check_distinct
from luthier.data.kind import BY_KEYS
from luthier.data.kinds.text_generation import described, label_names, lines, settled, target, unlearnable
from luthier.data.layout_values import Layout, Seen
from luthier.data.rows import Record
from luthier.data.split import Division
from luthier.errors import DataError
from luthier.schema import Conversation, Example, LabelSet, ProblemType, Turn
from luthier.text import blank, normalize
from luthier.text.conversations import normal as normal_conversation
from luthier.text.conversations import parsed
from luthier.text.normalize import Form

__all__ = ["NONE_LEFT", "OWN_INPUT", "PROBLEM", "REPEATED", "SURENESS", "TASK", "check", "described", "divided",
           "example", "find", "from_memory", "hashed", "label_names", "label_set", "leaking", "lines", "normal",
           "remarks", "sampled", "settled", "target", "unlearnable"]

PROBLEM: ProblemType = "dialogue"
TASK = DIALOGUE
SURENESS = BY_KEYS
OWN_INPUT = True
REPEATED = ("different answers", "kept")
NONE_LEFT = ("no row is left for {name}: conversations with one prompt stay together",
             "give rows of more conversations, or a file for it: --{name} FILE")

sampled = split.sample
leaking = begun.leaking

_INPUT, _SYSTEM, _HISTORY, _CONTINUED = "input", "system", "history", "continued"
_REJECTED = "rejected"
_TURNS = "turns"
_OTHER_NAMES = {"输入": _INPUT, "context": _INPUT, "system_prompt": _SYSTEM, "system_message": _SYSTEM,
                "chat_history": _HISTORY}


def find(seen: Seen, task: str | None, *, labelled: bool) -> Layout | None:
    """Take files with messages, or with instructions and their answers."""
    if task not in (None, TASK) or (task is None and not labelled):
        return None
    messages = messages_column(seen)
    if messages is not None and labelled:
        refuse_judged(seen)
        if roles.plain(messages) == PROMPT and follows(seen, messages) is None:
            messages = None  # nobody answers
    if messages is not None and {seen.columns.text, seen.columns.label} <= {None, messages}:
        return _layout(seen, messages, messages if labelled else None, f"column {messages!r} holds the messages")
    turns = turns_column(seen, asked=task == TASK) if messages is None else None
    if turns is not None and {seen.columns.text, seen.columns.label} <= {None, turns}:
        found = _layout(seen, turns, turns if labelled else None, f"column {turns!r} holds what user and "
                        "assistant say in turn")
        return replace(found, more={**found.more, _TURNS: turns})
    if messages is not None and seen.columns.text is not None and task == TASK:
        asked_column(seen.path, "text", seen.columns.text, seen.present)
    pair = prompt_and_answer(seen, asked=task == TASK, labelled=labelled)
    if pair is None:
        return None
    prompt, answer = pair
    told = f"column {prompt!r} holds the prompts" + (f", {answer!r} the answers" if answer else "")
    return _layout(seen, prompt, answer, told)


def example(record: Record, layout: Layout, name: str) -> Example:
    """Make an example of a conversation: its last answer is the target, the turns before it the prompt."""
    if "messages" in layout.more:
        whole = parsed(_messages(record.values.get(layout.text), layout))
        system = text_cell(record.values, layout.more[_SYSTEM]) if _SYSTEM in layout.more else ""
        if not blank(system) and whole.turns[0].role != "system":
            whole = Conversation((Turn("system", system), *whole.turns))
        unanswered = whole.turns[-1].role == "user" or roles.plain(layout.text) == PROMPT
        if _CONTINUED in layout.more and layout.label is not None and unanswered:
            whole = _continued(whole, record.values.get(layout.more[_CONTINUED]))
        return _example(name, whole, labelled=layout.label is not None)
    parts = [text_cell(record.values, column) for column in (layout.text, layout.more.get(_INPUT)) if column]
    said = "\n\n".join(part for part in parts if not blank(part))
    turns = [*_history(record.values, layout), Turn("user", said)]
    if _SYSTEM in layout.more and not blank(system := text_cell(record.values, layout.more[_SYSTEM])):
        turns = [Turn("system", system), *turns]
    if blank(said):
        raise ValueError(f"{layout.text!r} is empty: there is nothing to answer")
    if layout.label is None:
        return _example(name, Conversation(tuple(turns)), labelled=False)
    answer = text_cell(record.values, layout.label)
    if blank(answer):
        raise ValueError(f"{layout.label!r} is empty: there is nothing to write")
    return _example(name, Conversation((*turns, Turn("assistant", answer))), labelled=True)


def _messages(cell: Any, layout: Layout) -> Any:
    answered = layout.label is None or _CONTINUED in layout.more
    return turns_of(cell, answered=answered) if _TURNS in layout.more else messages_of(cell)


def _continued(before: Conversation, cell: Any) -> Conversation:
    """Return a conversation with what follows it: an answer, messages, or the whole conversation once more.

    Raises:
        ValueError: the cell holds nothing that follows.
    """
    value = [found] if isinstance(found := spelt(cell), Mapping) else found
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str):
        value = value[0]
    if not isinstance(value, list):
        return parsed([*before.turns, {"role": "assistant", "content": value}])
    if not roles.are_messages(value):
        raise ValueError(f"expected an answer or messages, came a list such as {str(value)[:40]}")
    after = parsed(value)
    if after.turns[: len(before)] == before.turns:
        return after
    if after.turns[0].role == before.turns[-1].role:
        raise ValueError(f"what follows begins with a turn of the {after.turns[0].role}, as the messages before it end")
    return parsed([*before.turns, *after.turns])


def _history(values: Mapping[str, Any], layout: Layout) -> list[Turn]:
    """Return the turns before a prompt, from a list of pairs of what was asked and answered.

    Raises:
        ValueError: the cell is no such list.
    """
    cell = values.get(layout.more[_HISTORY]) if _HISTORY in layout.more else None
    pairs = as_list(spelt(cell)) if cell not in (None, "") else []
    if pairs is None or not all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in pairs):
        raise ValueError(f"{layout.more[_HISTORY]!r} is {str(cell)[:60]!r}, expected a list of [prompt, answer]")
    return list(parsed([{"role": role, "content": said} for pair in pairs
                        for role, said in zip(("user", "assistant"), pair, strict=True)]).turns) if pairs else []


def from_memory(row: Any, label: Any, name: str, *, labelled: bool) -> Example:
    """Make an example of a text or a list of messages, and the answer; without one the last turn is the answer."""
    if isinstance(row, dict):
        row = row.get("messages", row)
    try:
        turns = parsed([{"role": "user", "content": row}] if isinstance(row, str) else row)
        if labelled and label is not None:
            turns = parsed([*turns.turns, {"role": "assistant", "content": label}])
        return _example(name, turns, labelled=labelled)
    except ValueError as error:
        raise DataError(str(error), 'give a text, or a list of {"role": …, "content": …}, and an answer') from None


def check(split_name: str, rows: Sequence[Example]) -> None:
    """Refuse rows without a conversation or an answer."""
    bare = [row.id for row in rows if not row.targets or row.conversation is None]
    if bare:
        raise DataError(f"{split_name}: {len(bare)} rows have no answer of the assistant, such as "
                        f"{', '.join(bare[:3])}", "end every conversation with an answer, or leave it out")


def normal(row: Example, form: Form) -> Example | None:
    """Give the turns their form; what the assistant says becomes NFC at most."""
    if row.conversation is None or blank(row.text):
        return None
    turns = normal_conversation(row.conversation, form)
    targets = None if row.targets is None else tuple(
        normalize(one, "none" if form == "none" else "nfc") for one in row.targets)
    if any(blank(turn.content) for turn in turns.turns) or not all(targets or ("-",)):
        return None
    if (turns, targets) == (row.conversation, row.targets):
        return row
    return replace(row, text=turns.text, conversation=turns, targets=targets)


def divided(rows: Sequence[Example], shares: Mapping[str, float], seed: int) -> Division:
    """Split the rows, those of one prompt together, and those that begin others with them."""
    return split.stratified(rows, shares, seed, ties=begun.ties(rows))


def label_set(names: tuple[str, ...], _rows: Sequence[Example]) -> LabelSet:
    """Return the one name as a label set."""
    return LabelSet(names, PROBLEM)


def hashed(row: Example) -> list[object]:
    """Return the turns and the answer, and which turns are not learned from."""
    turns = row.conversation.turns if row.conversation else ()
    passed = [place for place, turn in enumerate(turns) if not turn.learned]
    told: list[object] = [row.conversation.messages if row.conversation else None, list(row.targets or ())]
    return [*told, passed] if passed else told


def remarks(splits: dict[str, list[Example]], _labels: LabelSet) -> list[str]:
    """Tell how many turns are learned from."""
    turns = [row.conversation.turns for row in splits["train"] if row.conversation]
    answers = sum(1 + sum(turn.role == "assistant" and turn.learned for turn in one) for one in turns)
    systems = sum(bool(one) and one[0].role == "system" for one in turns)
    return [f"{answers:,} answers in {len(turns):,} train conversations are learned; {systems:,} have a system turn"]


def _example(name: str, whole: Conversation, *, labelled: bool) -> Example:
    """Return the turns before the last answer, and it as the target; of rows without labels all up to the last user.

    Raises:
        ValueError: nobody answers, or nobody asks.
    """
    answers = [place for place, turn in enumerate(whole.turns) if turn.role == "assistant" and turn.learned]
    if not labelled:
        asked = [place for place, turn in enumerate(whole.turns) if turn.role == "user"]
        if not asked:
            raise ValueError("no turn is the user's: there is nothing to answer")
        prompt = Conversation(whole.turns[: asked[-1] + 1])
        return Example(name, prompt.text, conversation=prompt)
    if not answers:
        raise ValueError("no turn is the assistant's, or all of them have weight 0: there is no answer to learn")
    prompt = Conversation(whole.turns[: answers[-1]])
    if not any(turn.role == "user" for turn in prompt.turns):
        raise ValueError("no turn of the user stands before the answer")
    return Example(name, prompt.text, targets=(whole.turns[answers[-1]].content,), conversation=prompt)


def _layout(seen: Seen, text: str, label: str | None, told: str) -> Layout:
    if seen.columns.text_b is not None:
        raise DataError(f"{seen.path}: {TASK} reads conversations, and --text-b names a second text",
                        "leave --text-b out")
    messages = text in (messages_column(seen), turns_column(seen, asked=True))
    if not messages:
        check_distinct(seen.path, {"text": text, "label": label})
    names = {one.casefold(): one for one in reversed(seen.present)}
    names = {_OTHER_NAMES[one]: column for one, column in names.items() if one in _OTHER_NAMES} | names
    more = {"messages": text} if messages else {}
    more |= {role: names[role] for role in (_SYSTEM, *(() if messages else (_INPUT, _HISTORY)))
             if role in names and names[role] not in (text, label)}
    following = follows(seen, text) if messages else None
    more |= {_CONTINUED: following} if following else {}
    beside = (f", with {more[_INPUT]!r} below them" if _INPUT in more else "") + (
        f" and the turns of {more[_HISTORY]!r} before them" if _HISTORY in more else "") + (
        f", and {following!r} what follows them" if following else "") + (
        f"; {names[_REJECTED]!r} is not learned" if _REJECTED in names else "")
    return Layout(path=seen.path, reader="", encoding=None, text=text, text_b=None, label=label, label_separator=None,
                  notes=(*seen.notes, f"dialogue: {told}{beside}"), problem_type=PROBLEM, more=more)
