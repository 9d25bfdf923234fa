"""Small files as users have them: what each is told to be, and what its second row says. A wrong guess is silent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from luthier.data import Columns, inspect, read_all
from luthier.errors import DataError
from luthier.schema import Example


def table(header: str, row: str, rows: int = 20) -> str:
    """Return a file of rows in which ``{n}`` is the number, ``{l}`` one of two words and ``{b}`` 0 or 1."""
    return header + "".join(row.format(n=n, l=("good", "poor")[n % 2], b=n % 2) + "\n" for n in range(rows))


def many(path: Path, row: dict[str, Any]) -> Path:
    """Write rows of JSON in which ``{n}`` is the number."""
    path.write_text("\n".join(json.dumps(row).replace("{n}", str(n)) for n in range(12)), encoding="utf-8")
    return path


def second(path: Path, **asked: Any) -> tuple[str | None, Example]:
    layout = inspect(path, **asked)
    return layout.problem_type, read_all(layout, max_bad_rows=0)[0][1]


CLASSES = "single_label_classification"
PAIRS = [
    ("index\tquestion\tsentence\tlabel\n", "{n}\tHow is {n}?\tIt is so and so, {n}.\t{l}", "\t"),
    ("question,answer,passage\n", "is it {n},{l},It may be {n}.", ","),
    ("query,title,label\n", "phone {n},The phone {n} of all,{b}", ","),
    ("claim,evidence,label\n", "phones ring {n},All the phones ring {n},{l}", ","),
    ("", "我想要{n}个苹果\t我要买{n}个苹果\t{b}", "\t"),
    ("", "{n}\t我想要{n}个苹果\t我要买{n}个苹果\t{b}", "\t"),
]


@pytest.mark.parametrize(("header", "row", "mark"), PAIRS)
def test_pairs_are_read_as_pairs(header: str, row: str, mark: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.tsv"
    path.write_text(table(header, row), encoding="utf-8")
    problem, found = second(path)
    cells = row.format(n=1, l="poor", b=1).split(mark)
    assert problem == CLASSES
    assert found.text in cells
    assert found.text_b in cells
    assert found.labels in (("poor",), ("1",))


@pytest.mark.parametrize(("content", "text", "label"), [
    (table("", "I do like it {n},{l}").replace("good", "question").replace("poor", "y"), "I do like it 1", "y"),
    (table("text,y\n", "I do like it {n},{b}"), "I do like it 1", "1"),
    (table("How do you like our shop, and why?,Which team answered you?\n", "It was all right {n},{l}"),
     "It was all right 1", "poor"),
    (table("", "It was all right with me {n},{l}"), "It was all right with me 1", "poor"),
    (table("id,text,label\n", '{n},"She said \\"no\\" at C:\\new, {n}",{l}'), 'She said "no" at C:\\new, 1', "poor"),
    (table("id,text,label\n", '{n},"She said \\"no\\"\nand left, {n}",{l}'), 'She said "no"\nand left, 1', "poor"),
    (table("id,text,label\n", '{n},"in C:\\dir\\",{l}'), "in C:\\dir\\", "poor"),
    (table("question,answer\n", "Is it {n}?,{l}"), "Is it 1?", "poor"),
])
def test_headers_and_quotes(content: str, text: str, label: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(content, encoding="utf-8")
    problem, found = second(path)
    assert (problem, found.text, found.text_b, found.labels) == (CLASSES, text, None, (label,))
    assert len(read_all(inspect(path), max_bad_rows=0)[0]) == 20


def test_a_header_that_comes_again_is_still_one(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(2 * table("text,label\n", "It was all right {n},{l}", rows=10), encoding="utf-8")
    assert second(path)[1].text == "It was all right 1"
    assert inspect(path).text == "text"


QUORA = table("id,qid1,qid2,question1,question2,is_duplicate\n", "{n},1{n},2{n},How do I {n}?,What is {n}?,{b}")


def test_numbers_of_rows_are_not_learned(tmp_path: Path) -> None:
    path = tmp_path / "quora.csv"
    path.write_text(QUORA, encoding="utf-8")
    problem, found = second(path, task="similarity")
    assert (problem, found.value) == ("similarity", 1.0)
    problem, found = second(path, task="re-ranking", columns=Columns(label="is_duplicate"))
    assert (problem, found.value) == ("re_ranking", 1.0)
    path.write_text(table("product_id,review,paid\n", "{n},a good thing {n},{n}.5"), encoding="utf-8")
    assert second(path, task="regression")[1].value == 1.5
    path.write_text(table("sentence1,sentence2,a,b\n", "one {n},two {n},{n}.5,{b}"), encoding="utf-8")
    with pytest.raises(DataError, match="several columns of numbers may tell how alike the texts are: 'a', 'b'"):
        inspect(path, task="similarity")


@pytest.mark.parametrize(("content", "task"), [
    (QUORA, "re-ranking"),
    (table("sentence1,sentence2,label\n", "one {n},two {n},{l}"), "similarity"),
    (table("sentence1,sentence2,label\n", "one {n},two {n},{l}"), "re-ranking"),
    (table("query,response,is_good\n", "one {n},two {n},{b}"), "re-ranking"),
    (table("sentence1;sentence2;score\n", "one {n};two {n};{n},5"), "similarity"),
    (table("sentence1,sentence2,score\n", "one {n},two {n},{n}%"), "similarity"),
    (table("question,answer,similarity\n", "one {n},two {n},{n}"), "similarity"),
    (table("query,passage,relevance\n", "one {n},two {n},{l}"), "re-ranking"),
])
def test_pairs_that_do_not_all_belong_together_are_not_taken_for_such(content: str, task: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match="seems to say of each pair whether its texts belong together"):
        inspect(path, task=task)


@pytest.mark.parametrize(("header", "task", "problem"), [
    ("sentence1,sentence2,score\n", "similarity", "similarity"),
    ("query,passage,relevance\n", "re-ranking", "re_ranking"),
    ("query,passage,relevance_score\n", "re-ranking", "re_ranking"),
    ("query,passage,rel\n", "re-ranking", "re_ranking"),
])
def test_a_cell_without_a_number_is_a_bad_row_and_changes_no_other(
    header: str, task: str, problem: str, tmp_path: Path
) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(table(header, "one {n},two {n},{n}") + "three,four,n/a\n", encoding="utf-8")
    layout = inspect(path, task=task)
    rows, bad = read_all(layout, max_bad_rows=1)
    assert (layout.problem_type, len(rows), [row.line for row in bad]) == (problem, 20, [22])
    assert rows[1].value == 1.0


def test_a_gold_label_without_agreement_is_none(tmp_path: Path) -> None:
    path = tmp_path / "snli.csv"
    path.write_text(table("gold_label,sentence1,sentence2\n", "{l},one {n},two {n}") + "-,three,four\n")
    rows, bad = read_all(inspect(path), max_bad_rows=1)
    assert ({row.labels for row in rows}, len(bad)) == ({("good",), ("poor",)}, 1)
    assert "did not agree" in bad[0].reason


def test_numbered_classes_of_inference_are_no_degrees(tmp_path: Path) -> None:
    path = tmp_path / "nli.csv"
    path.write_text(table("premise,hypothesis,label\n", "one {n},two {n},{b}"), encoding="utf-8")
    with pytest.raises(DataError, match="seems to number classes, which tell no degree"):
        inspect(path, task="similarity")
    assert second(path, task="similarity", columns=Columns(label="label"))[1].value == 1.0


@pytest.mark.parametrize("cell", ["[1, 0, 1]", "[0.0, 1.0, 0.0]"])
def test_lists_that_say_of_each_label_whether_it_applies_need_their_names(cell: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(table("", '{{"text": "a thing {n}", "labels": ' + cell + "}}"), encoding="utf-8")
    with pytest.raises(DataError, match=r"say 0 or 1 of 3 labels, and not what these are called"):
        inspect(path)


def test_a_table_of_tags_and_tokens_is_no_table_of_texts(tmp_path: Path) -> None:
    path = tmp_path / "movies.txt"
    path.write_text("B-PER\tAnn\nO\tlives\nO\tin\nB-LOC\tRome\n\n" * 10, encoding="utf-8")
    with pytest.raises(DataError, match="holds tags of tokens, such as 'B-PER': a row of the table is no text"):
        inspect(path)


def test_a_category_beside_questions_and_answers_says_nothing_of_the_pair(tmp_path: Path) -> None:
    path = tmp_path / "faq.csv"
    path.write_text(table("question,answer,category\n", "How is {n}?,It is {n}.,{l}"), encoding="utf-8")
    assert second(path, task="similarity")[0] == "retrieval"


@pytest.mark.parametrize(("text", "encoding"), [
    ("이 영화 정말 재미있어요. 배우들의 연기가 훌륭하고 이야기도 좋았습니다", "cp949"),
    ("この映画はとても面白かったです。俳優の演技も素晴らしい", "euc_jp"),
])
def test_korean_and_japanese_code_pages_are_not_taken_for_chinese(text: str, encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(table("text,label\n", text + " {n},{l}"), encoding=encoding)
    with pytest.raises(DataError, match="neither UTF-8, UTF-16 nor GB18030"):
        inspect(path)
    layout = inspect(path, encoding=encoding)
    assert read_all(layout, max_bad_rows=0)[0][1].text == f"{text} 1"


def test_a_short_chinese_file_is_still_known(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(table("text,label\n", "这部电影非常好看，演员的表演很出色{n},{l}"), encoding="gb18030")
    assert second(path)[1].text == "这部电影非常好看，演员的表演很出色1"


def test_where_instructions_are_from_labels_nothing(tmp_path: Path) -> None:
    path = tmp_path / "alpaca.json"
    path.write_text(json.dumps([{"instruction": f"Write {n}", "input": "", "output": f"Here is text {n}",
                                 "source": "ab"[n % 2]} for n in range(30)]), encoding="utf-8")
    assert second(path)[0] == "dialogue"


@pytest.mark.parametrize("chosen", [
    {"from": "gpt", "value": "better"}, "better", ["better"], [{"role": "assistant", "content": "better"}],
])
def test_of_two_answers_the_better_one_is_learned(chosen: Any, tmp_path: Path) -> None:
    turns = [{"from": "human", "value": "hello"}, {"from": "gpt", "value": "first"}, {"from": "human", "value": "more"}]
    row = {"conversations": turns, "chosen": chosen, "rejected": {"from": "gpt", "value": "worse"}}
    path = tmp_path / "pairs.json"
    path.write_text(json.dumps([row] * 12), encoding="utf-8")
    problem, found = second(path)
    assert (problem, found.targets) == ("dialogue", ("better",))


ASKED = {"role": "user", "content": "where is {n}?"}
MORE = [ASKED, {"role": "assistant", "content": "what?"}]
ANSWERED = [{"role": "assistant", "content": "in hall {n}"}]
WORSE = [ASKED, {"role": "assistant", "content": "no"}]


@pytest.mark.parametrize(("row", "turns"), [
    ({"prompt": [ASKED], "completion": ANSWERED}, 1),
    ({"prompt": [ASKED], "completion": [{"role": "assistant", "content": "let me see"}, *ANSWERED]}, 2),
    ({"prompt": [*MORE, ASKED], "response": "in hall {n}"}, 3),
    ({"prompt": MORE, "completion": [ASKED, *ANSWERED]}, 3),
    ({"prompt": [ASKED], "chosen": ANSWERED, "rejected": WORSE[1:]}, 1),
    ({"prompt": [ASKED], "chosen": [ASKED, *ANSWERED], "rejected": WORSE}, 1),
    ({"prompt": [ASKED], "chosen": [*MORE, ASKED, *ANSWERED], "rejected": WORSE}, 3),
    ({"chosen": [ASKED, *ANSWERED], "rejected": WORSE}, 1),
    ({"prompt": "where is {n}?", "chosen": "in hall {n}", "rejected": "no"}, 1),
    ({"prompt": "where is {n}?", "chosen": [ASKED, *ANSWERED], "rejected": WORSE}, 1),
])
def test_files_of_trl_are_conversations(row: dict[str, Any], turns: int, tmp_path: Path) -> None:
    path = many(tmp_path / "rows.jsonl", row)
    problem, found = second(path)
    assert (problem, found.targets) == ("dialogue", ("in hall 1",))
    assert found.conversation is not None
    assert [turn.role for turn in found.conversation.turns] == ["user", "assistant", "user"][:turns]
    assert found.conversation.turns[0].content == "where is 1?"
    noted = any("'rejected' is not learned" in note for note in inspect(path).notes)
    assert noted == ("rejected" in row)


@pytest.mark.parametrize(("row", "fault"), [
    ({"prompt": [ASKED], "completion": ANSWERED, "label": True}, "tells good answers from bad ones"),
    ({"messages": [ASKED, *ANSWERED], "kto_tag": False}, "tells good answers from bad ones"),
    ({"messages": [ASKED], "chosen": ["best", "worst"]}, "expected an answer or messages, came a list"),
    ({"prompt": [ASKED], "chosen": [{"role": "user", "content": "x"}, *ANSWERED]}, "begins with a turn of the user"),
    ({"prompt": [*MORE, ASKED], "score": 3}, "found no"),
])
def test_what_nobody_should_learn_is_refused(row: dict[str, Any], fault: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=fault):
        second(many(tmp_path / "rows.jsonl", row))


def test_prompts_are_answered_whatever_stands_beside_them(tmp_path: Path) -> None:
    path = many(tmp_path / "rows.jsonl", {"prompt": [ASKED], "completion": ""})
    layout = inspect(path, task="dialogue", labelled=False)
    assert read_all(layout, max_bad_rows=0)[0][1].text == "where is 1?"


def test_a_system_prompt_has_many_names(tmp_path: Path) -> None:
    path = many(tmp_path / "rows.jsonl", {"system_prompt": "Be short.", "prompt": "Why {n}?", "response": "So {n}."})
    problem, found = second(path)
    assert (problem, found.text) == ("dialogue", "system: Be short.\n\nuser: Why 1?")


def test_a_number_before_parallel_texts_is_no_source(tmp_path: Path) -> None:
    path = tmp_path / "deu.tsv"
    path.write_text(table("", "a0{n}f\tHouse {n} is red.\tHaus {n} ist rot."), encoding="utf-8")
    assert second(path, task="text-to-text")[1].text == "House 1 is red."
    assert second(path, task="text-to-text", labelled=False)[1].text == "House 1 is red."


@pytest.mark.parametrize("more", ["", "\tCC-BY 2.0 (France), tatoeba.org #{n} by someone"])
def test_parallel_texts_without_a_header(more: str, tmp_path: Path) -> None:
    path = tmp_path / "deu.tsv"
    path.write_text(table("", "House {n} is red.\tHaus {n} ist rot." + more), encoding="utf-8")
    problem, found = second(path, task="text-to-text")
    assert (problem, found.text, found.targets) == ("text_generation", "House 1 is red.", ("Haus 1 ist rot.",))
    with pytest.raises(DataError, match="found no label column") as caught:
        inspect(path)
    assert "where texts are to be written: --task text-to-text" in str(caught.value)


def test_turns_may_hold_text(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    turns = [{"role": "user", "text": "你好"}, {"role": "assistant", "text": "您好"}]
    row = {"turns": turns, "type": "a", "domains": ["b"]}
    path.write_text("".join(json.dumps(row) + "\n" for _ in range(12)), encoding="utf-8")
    assert second(path)[1].targets == ("您好",)


def test_a_few_cells_that_are_no_numbers_make_no_classes_of_the_others(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_text(table("text,score\n", "a thing {n},{n}.25", rows=40) + "odd,85%\nodder,3 of 4\n", encoding="utf-8")
    layout = inspect(path)
    rows, bad = read_all(layout, max_bad_rows=2)
    assert (layout.problem_type, len(rows), [one.line for one in bad]) == ("regression", 40, [42, 43])
