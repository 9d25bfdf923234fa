"""Conversations in files: found by their keys, read in four forms, refused with reasons."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from luthier.data import Columns, from_arrays, inspect, prepare, read_all
from luthier.data.kinds import dialogue
from luthier.errors import DataError
from luthier.recipe import PrepareSettings
from luthier.schema import Conversation, Example, Turn
from luthier.text.conversations import normal, parsed

ASKED = {"role": "user", "content": "hi"}
ANSWERED = {"role": "assistant", "content": "yes?"}


def write(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def only(path: Path, **options: Any) -> Example:
    (row, *_), bad = read_all(inspect(path, **options), max_bad_rows=0)
    assert not bad
    return row


@pytest.mark.parametrize(("row", "turns", "answer"), [
    ({"messages": [{"role": "system", "content": "s"}, ASKED, ANSWERED]}, ["s", "hi"], "yes?"),
    ({"messages": [ASKED, ANSWERED, {"role": "user", "content": "unanswered"}]}, ["hi"], "yes?"),
    ({"messages": [ANSWERED, ASKED, ANSWERED]}, ["yes?", "hi"], "yes?"),
    ({"messages": json.dumps([ASKED, ANSWERED])}, ["hi"], "yes?"),
    ({"messages": [{"role": "user", "content": [{"type": "text", "text": one} for one in "ab"]}, ANSWERED]}, ["ab"],
     "yes?"),
    ({"conversations": [{"from": "human", "value": "你好"}, {"from": "gpt", "value": "在"}], "system": "简短"},
     ["简短", "你好"], "在"),
    ({"instruction": "Sum up", "input": "a text", "output": "text"}, ["Sum up\n\na text"], "text"),
    ({"instruction": "Sum up", "input": "", "output": "text", "system": "s"}, ["s", "Sum up"], "text"),
    ({"指令": "翻译成英文", "输入": "我爱你", "输出": "I love you"}, ["翻译成英文\n\n我爱你"], "I love you"),
    ({"prompt": "why?", "completion": "because"}, ["why?"], "because"),
    ({"instruction": "Who won?", "context": "Bob won.", "response": "Bob", "category": "closed_qa"},
     ["Who won?\n\nBob won."], "Bob"),
    ({"instruction": "and then?", "input": "", "output": "home", "system": "s", "history": [["hi", "yes?"]]},
     ["s", "hi", "yes?", "and then?"], "home"),
    ({"prompt": "why?", "response": "because"}, ["why?"], "because"),
    ({"对话": [{"role": "客户", "text": "在吗"}, {"role": "客服", "text": "您好"}]}, ["在吗"], "您好"),
    ({"id": "7", "dialog": ["hi", "yes?", "why?", "because"], "act": [1, 2, 2, 1], "emotion": [0, 0, 0, 0]},
     ["hi", "yes?", "why?"], "because"),
    ({"dialog": ["hi", "yes?", "bye"]}, ["hi"], "yes?"),
])
def test_conversations_are_told_by_their_keys(
    row: dict[str, Any], turns: list[str], answer: str, tmp_path: Path,
) -> None:
    found = only(write(tmp_path / "a.jsonl", row))
    assert (list(found.conversation or ()), found.targets) == (turns, (answer,))
    assert only(tmp_path / "a.jsonl", task="dialogue") == found


@pytest.mark.parametrize("row", [
    {"text": "a", "label": "b"}, {"question": "a", "answer": "b"}, {"input": "a", "output": "b"},
    {"dialogue": "A: hi", "summary": "hi"}, {"messages": "two new", "label": "b"},
    {"text": "a", "dialogue": ["hi", "yes?"], "label": "b"}, {"dialogue": ["hi", "yes?"], "text": "a", "summary": "b"},
    {"text": "a", "turns": ["hi", "my phone"], "resolved": ["yes", "no"]}, {"turns": ["hi", "yes?"], "abstract": "b"},
    {"context": "Ann did", "question": "who", "answers": ["Ann"], "dialogue": ["hi", "yes?"]},
    {"query": "a", "positive": "b", "conversation": ["hi", "yes?"]}, {"dialog": ["Ann: hi", "Bob: yes?"]},
    {"text": "a", "turns": [{"speaker": "agent", "text": "hi"}], "label": "b"},
    {"turns": ["hi", "yes?"], "labels": ["a", "b", "c"]},
    {"turns": [{"speaker": "Ann", "text": "hi"}, {"speaker": "Bob", "text": "yes?"}]},
])
def test_other_files_are_left_alone(row: dict[str, Any], tmp_path: Path) -> None:
    rows = [{key: value if isinstance(value, list) else f"{value} {number}" for key, value in row.items()}
            for number in range(2)]
    path = write(tmp_path / "a.jsonl", *rows, *rows)
    try:
        found: str | None = inspect(path).problem_type
    except DataError:
        found = "refused"
    assert found != "dialogue"


@pytest.mark.parametrize(("row", "turns", "answer"), [
    ({"dialogue": ["hi", "yes?", "why?"], "response": "because"}, ["hi", "yes?", "why?"], "because"),
    ({"dialogue": ["yes?", "why?"], "response": "because"}, ["yes?", "why?"], "because"),
    ({"services": ["hotel"], "turns": [{"speaker": "USER", "utterance": "hi"},
                                       {"speaker": "SYSTEM", "utterance": "yes?"}]}, ["hi"], "yes?"),
    ({"turns": [{"speaker": "system", "text": "s"}, {"speaker": "user", "text": "hi"},
                {"speaker": "assistant", "text": "yes?"}]}, ["s", "hi"], "yes?"),
])
def test_turns_count_back_from_an_answer_and_systems_answer_where_nobody_else_does(
    row: dict[str, Any], turns: list[str], answer: str, tmp_path: Path,
) -> None:
    found = only(write(tmp_path / "a.jsonl", *[{"dialogue_id": n, **row} for n in range(3)]))
    assert (list(found.conversation or ()), found.targets) == (turns, (answer,))
    labelled = write(tmp_path / "b.jsonl", *[{**row, "topic": n} for n in range(3)])
    assert only(labelled, task="dialogue") == replace(found, id="b.jsonl:1")


def test_of_texts_that_wait_for_an_answer_the_last_is_the_users(tmp_path: Path) -> None:
    for said in (["yes?", "why?"], ["hi", "yes?", "why?"]):
        asked = only(write(tmp_path / "a.jsonl", *[{"dialog": said}] * 3), task="dialogue", labelled=False)
        assert asked.conversation is not None
        assert [(turn.role, turn.content) for turn in asked.conversation.turns[-2:]] == [
            ("assistant", "yes?"), ("user", "why?")]


def test_other_columns_are_read_where_the_task_is_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", {"question": "a", "answer": "b", "said": "c"})
    assert only(path, task="dialogue").targets == ("b",)
    named = only(path, task="dialogue", columns=Columns(text="said", label="answer"))
    assert (named.text, named.targets) == ("c", ("b",))
    bare = only(path, task="dialogue", labelled=False)
    assert (bare.text, bare.targets) == ("a", None)
    with pytest.raises(DataError, match=r"found no conversations among 'x'(.|\n)*--text PROMPT --label ANSWER"):
        inspect(write(tmp_path / "b.jsonl", {"x": "a"}), task="dialogue")
    with pytest.raises(DataError, match="--text-b names a second text"):
        inspect(path, Columns(text="said", text_b="question", label="answer"), task="dialogue")


@pytest.mark.parametrize("beside", [{}, {"id": 7}, {"id": "seven", "source": None}, {"tools": [{}, {}]}])
@pytest.mark.parametrize(("name", "indent", "line"), [("a.jsonl", None, 1), ("a.json", None, 1), ("a.json", 2, 3)])
def test_one_conversation_alone_in_a_file_is_a_row(
        beside: dict[str, Any], name: str, indent: int | None, line: int, tmp_path: Path) -> None:
    value = {**beside, "messages": [ASKED, ANSWERED]}
    path = tmp_path / name
    path.write_text("\n" * (line - 1) + json.dumps(value, indent=indent), encoding="utf-8")
    row = only(path)
    assert (row.id, row.text, row.targets) == (f"{name}:{line}", "hi", ("yes?",))


@pytest.mark.parametrize(("messages", "why"), [
    ([ASKED], "no turn is the assistant's, or all of them have weight 0: there is no answer to learn"),
    ([ASKED, {"role": "assistant", "content": "wrong", "weight": 0}],
     "no turn is the assistant's, or all of them have weight 0"),
    ([ASKED, {"role": "assistant", "content": "half", "weight": 0.5}], "message 2 has the weight 0.5; expected 0 or 1"),
    ([ASKED, {"role": "assistant", "content": None, "tool_calls": [{"id": "a"}]}],
     "message 2 (assistant) calls tools (tool_calls)"),
    ([ASKED, {"role": "assistant", "tool_calls": [{"id": "a"}]}], "message 2 (assistant) calls tools (tool_calls)"),
    ([ANSWERED], "no turn of the user stands before the answer"),
    ([ASKED, {"role": "narrator", "content": "a"}], "message 2 has the unknown role 'narrator'; known: system"),
    ([ASKED, {"role": "assistant", "content": " "}], "message 2 (assistant) is empty"),
    ([ASKED, {"role": "assistant", "content": "\u200b"}], "message 2 (assistant) is empty"),
    ([ASKED, {"role": "assistant", "content": None}], "message 2 (assistant) is empty"),
    ([ASKED, {"role": "system", "content": "a"}, ANSWERED], "message 2 is of the system, which speaks first and once"),
    ([ASKED, {"text": "a"}], "message 2 has the keys text; expected role and content"),
    ([ASKED, "a"], "message 2 is str, expected an object"),
    ([ASKED, {"role": "assistant", "content": 7}], "message 2: expected a text, came int"),
    ([ASKED, {"role": "assistant", "content": "\ud83d"}], "message 2: character 1 is half a surrogate pair"),
    ([], "the list of messages is empty"),
    ("hello", "expected a list of messages, came str"),
    ("[oops", "the messages are neither JSON nor"),
])
def test_rows_that_teach_nothing_are_bad_and_say_why(messages: Any, why: str, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"messages": [ASKED, ANSWERED]}) + "\n" + json.dumps({"messages": messages}) + "\n")
    rows, bad = read_all(inspect(path), max_bad_rows=5)
    assert len(rows) == 1
    assert [(row.line, row.reason[: len(why)]) for row in bad] == [(2, why)]


def test_the_last_answer_with_a_weight_is_the_one_to_learn(tmp_path: Path) -> None:
    passed = {"role": "assistant", "content": "wrong", "weight": 0}
    talk = [ASKED, passed, ASKED, {**ANSWERED, "weight": 1}, ASKED, passed]
    row = only(write(tmp_path / "a.jsonl", {"messages": talk}))
    assert row.targets == ("yes?",)
    assert [turn.learned for turn in row.conversation.turns] == [True, False, True]
    other = only(write(tmp_path / "b.jsonl", {"messages": [ASKED, {**passed, "weight": 1}, ASKED, ANSWERED]}))
    assert dialogue.hashed(row) != dialogue.hashed(other)


@pytest.mark.parametrize(("weight", "learned"), [("1", True), ("0", False), (1.0, True), (None, True), (True, True)])
def test_weights_as_files_write_them(weight: Any, learned: bool) -> None:
    turns = parsed([{**ASKED, "weight": "of a user"}, {**ANSWERED, "weight": weight}]).turns
    assert [turn.learned for turn in turns] == [True, learned]


def test_conversations_as_data_frames_write_them(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("messages\n\"[{'role': 'user', 'content': 'it''s'.replace}]\"\n"
                    "\"[{'role': 'user', 'content': 'hi'}\n {'role': 'assistant', 'content': 'yes?'}]\"\n"
                    "\"[{'role': 'user', 'content': 'ho'}, {'role': 'assistant', 'content': 'no'}]\"\n",
                    encoding="utf-8")
    rows, bad = read_all(inspect(path), max_bad_rows=1)
    assert [row.targets for row in rows] == [("yes?",), ("no",)]
    assert [row.line for row in bad] == [2]


def test_prompts_without_an_answer_are_read_up_to_the_last_user(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", {"messages": [ASKED, ANSWERED, {"role": "user", "content": "b"}]},
                 {"messages": [ASKED, ANSWERED]}, {"messages": [ANSWERED]})
    rows, bad = read_all(inspect(path, task="dialogue", labelled=False), max_bad_rows=5)
    assert [list(row.conversation or ()) for row in rows] == [["hi", "yes?", "b"], ["hi"]]
    assert [row.reason for row in bad] == ["no turn is the user's: there is nothing to answer"]


@pytest.mark.parametrize(("row", "why"), [({"instruction": "", "output": "a"}, "'instruction' is empty"),
                                          ({"instruction": "\u200b\u3000", "output": "a"}, "'instruction' is empty"),
                                          ({"instruction": "a", "output": " "}, "'output' is empty"),
                                          ({"instruction": "a", "output": "\ufeff"}, "'output' is empty")])
def test_instructions_need_both(row: dict[str, Any], why: str, tmp_path: Path) -> None:
    _, bad = read_all(inspect(write(tmp_path / "a.jsonl", {"instruction": "a", "output": "b"}, row)), max_bad_rows=5)
    assert [one.reason[: len(why)] for one in bad] == [why]


def test_conversations_in_memory() -> None:
    rows = from_arrays([[ASKED, ANSWERED], {"messages": [ASKED, ANSWERED]}], [None, None], problem_type="dialogue")
    assert [row.targets for row in rows] == [("yes?",)] * 2
    (row,) = from_arrays(["hi"], ["yes?"], problem_type="dialogue")
    assert row.conversation == rows[0].conversation
    with pytest.raises(DataError, match="row 1: message 2 is empty|row 1: message 2 .assistant. is empty"):
        from_arrays(["hi"], [""], problem_type="dialogue")


def test_splits_keep_the_conversations_of_one_prompt_together_and_drop_equal_ones(tmp_path: Path) -> None:
    rows = [{"prompt": f"ask {number // 2}", "completion": f"say {number}"} for number in range(60)]
    examples, _ = read_all(inspect(write(tmp_path / "a.jsonl", *rows, rows[0])), max_bad_rows=0)
    dataset, report = prepare(examples, None, None, PrepareSettings(), 3, problem_type="dialogue")
    prompts = [{row.text for row in split} for _, split in dataset.splits()]
    assert not prompts[0] & prompts[1]
    assert not prompts[0] & prompts[2]
    assert report.duplicates == 1
    assert any("answers in" in note for note in report.notes)


def test_what_the_assistant_says_keeps_its_width() -> None:
    turns = parsed([{"role": "user", "content": " ＡＢ "}, {"role": "assistant", "content": "Ａ\u200b1 "}])
    assert list(normal(turns, "nfkc")) == ["AB", "Ａ1"]
    assert normal(turns, "none") is turns


def test_a_conversation_is_a_sequence_of_what_is_said() -> None:
    talk = Conversation((Turn("system", "s"), Turn("user", "u"))).answered("a")
    assert (len(talk), talk[-1], talk[:2], list(talk)) == (3, "a", ["s", "u"], ["s", "u", "a"])
    assert talk.text == "system: s\n\nuser: u\n\nassistant: a"
    assert parsed(talk.messages) == talk
