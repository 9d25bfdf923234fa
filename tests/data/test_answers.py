"""Questions with contexts and answers: every form they come in, where answers are placed, and how rows are split."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from luthier.data import Columns, from_arrays, inspect, prepare, read_all
from luthier.data.cells.answers import gold_answers, placed
from luthier.errors import DataError
from luthier.recipe import PrepareSettings
from luthier.schema import Example, GoldAnswer

CONTEXT = "Ann met Bob in Rome. Ann liked Rome's 很好的 food."
SQUAD = {"text": ["Bob", "Rome"], "answer_start": [8, 15]}
OBJECTS = [{"text": "Bob", "start": 8}, {"text": "Rome", "answer_start": 15}]
GOLD = (GoldAnswer("Bob", 8), GoldAnswer("Rome", 15))


FRAME = "{'text': array(['Bob', 'Rome'], dtype=object), 'answer_start': array([ 8, 15], dtype=int32)}"


@pytest.mark.parametrize("cell", [SQUAD, OBJECTS, json.dumps(SQUAD), json.dumps(OBJECTS), [*OBJECTS, OBJECTS[0]],
                                  str(SQUAD), str(OBJECTS), FRAME])
def test_answers_in_many_forms(cell: Any) -> None:
    assert gold_answers(CONTEXT, cell) == GOLD


@pytest.mark.parametrize(("cell", "expected"), [
    ([], ()), ({"text": [], "answer_start": []}, ()), ([{"text": " ", "start": 0}], ()), ("[]", ()),
    (["Bob"], (GoldAnswer("Bob", 8),)), ("Bob", (GoldAnswer("Bob", 8),)),
    ({"text": "很好的", "start": 38}, (GoldAnswer("很好的", 38),)),
    ([{"text": "Carol", "start": -1}], (GoldAnswer("Carol", None),)),
])
def test_fewer_words_for_answers(cell: Any, expected: tuple[GoldAnswer, ...]) -> None:
    assert gold_answers(CONTEXT, cell) == expected


@pytest.mark.parametrize("impossible", [True, "true", "True", 1, "1", 1.0, "yes"])
def test_what_is_said_to_be_impossible_has_no_answer(impossible: Any) -> None:
    assert gold_answers(CONTEXT, OBJECTS, impossible=impossible) == ()


def test_an_answer_and_its_place_in_columns_of_their_own(tmp_path: Path) -> None:
    twice = "Ann met Bob. Ann left."
    (tmp_path / "rows.csv").write_text(
        "question,context,answer_text,answer_start,is_impossible\n"
        f"Who left?,{twice},Ann,13.0,0\nWho came?,{twice},,,1\nWho was met?,{twice},Bob,,\n", encoding="utf-8")
    for task in (None, "question-answering"):
        rows, bad = read_all(inspect(tmp_path / "rows.csv", task=task), max_bad_rows=0)
        assert [row.answers for row in rows] == [(GoldAnswer("Ann", 13),), (), (GoldAnswer("Bob", 8),)]
        assert not bad


def test_an_article_a_line_gives_a_row_for_each_question(tmp_path: Path) -> None:
    asked = [{"id": str(n), "question": f"Who {n}?", "answers": [{"text": "Bob", "answer_start": 8}]} for n in (1, 2)]
    lines = [{"title": "a", "paragraphs": [{"context": CONTEXT, "qas": asked}]}, {"context": CONTEXT, "qas": asked[:1]}]
    path = tmp_path / "articles.jsonl.gz"
    path.write_bytes(gzip.compress("".join(json.dumps(line) + "\n" for line in lines).encode()))
    rows, _ = read_all(inspect(path), max_bad_rows=0)
    assert [(row.text, row.answers, row.group) for row in rows] == [
        ("Who 1?", (GOLD[0],), "a"), ("Who 2?", (GOLD[0],), "a"), ("Who 1?", (GOLD[0],), None)]
    assert len({row.id for row in rows}) == 3


@pytest.mark.parametrize(("text", "start", "expected", "moved"), [
    ("Bob", 8, 8, False), ("Bob", 7, 8, True), ("Bob", -1, 8, False), ("Bob", None, 8, False),
    ("Ann", 1, None, False), ("Ann", 0, 0, False), ("Rome", 31, 31, False), ("bob", 8, None, False),
    ("food.", 10_000, 42, True),
])
def test_where_an_answer_is_placed(text: str, start: int | None, expected: int | None, moved: bool) -> None:
    found = placed(CONTEXT, text, start)
    assert (found.start, found.moved) == (expected, moved)
    if found.span is not None:
        assert CONTEXT[found.span.start : found.span.end] == text


@pytest.mark.parametrize("start", [8, 8.0, np.int64(8), 10**400, None])
def test_places_are_whole_numbers_of_any_type(start: Any) -> None:
    (found,) = gold_answers(CONTEXT, [{"text": "Bob", "start": start}])
    assert (found.start, found.text) == (8, "Bob")


@pytest.mark.parametrize(("cell", "said"), [
    (None, "the row has no answers"), ([{"start": 3}], "an answer has the keys start"), ([3], "an answer is int"),
    ([{"text": "Bob", "start": "8"}], "the place of an answer is '8'"),
    ([{"text": "Bob", "answer_start": [8]}], r"the place of an answer is \[8\]"),
    ({"text": "Bob", "answer_start": [8]}, r"the place of an answer is \[8\]"),
    ([{"text": "Bob", "start": float("inf")}], "the place of an answer is inf"),
    ({"text": ["Bob"], "answer_start": []}, "1 answers came with 0 places"),
])
def test_other_forms_are_refused(cell: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        gold_answers(CONTEXT, cell)


def rows(count: int = 3, **more: Any) -> list[dict[str, Any]]:
    return [{"question": f"Who {number}?", "context": CONTEXT, "answers": OBJECTS, **more} for number in range(count)]


def write(path: Path, found: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in found), encoding="utf-8")
    return path


def test_questions_are_told_by_their_keys(tmp_path: Path) -> None:
    layout = inspect(write(tmp_path / "a.jsonl", rows(title="Rome", id="7", label="x")))
    assert (layout.text, layout.text_b, layout.label, layout.group) == ("question", "context", "answers", "title")
    assert layout.problem_type == "question_answering"
    (first, *_), bad = read_all(layout, max_bad_rows=0)
    assert first == Example("a.jsonl:1", "Who 0?", CONTEXT, answers=GOLD, group="Rome")
    assert first.label_names == ("answer",)
    assert not bad


@pytest.mark.parametrize("row", [
    {"query": "q?", "passage": CONTEXT, "answer": SQUAD}, {"问题": "谁？", "段落": CONTEXT, "答案": OBJECTS}])
def test_other_names(tmp_path: Path, row: dict[str, Any]) -> None:
    assert inspect(write(tmp_path / "a.jsonl", [row, row])).problem_type == "question_answering"


def test_other_names_still_when_they_are_given(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [{"ask": "q?", "body": CONTEXT, "gold": SQUAD}])
    layout = inspect(path, Columns("ask", "body", "gold"))
    assert (layout.text, layout.text_b, layout.answers) == ("ask", "body", "gold")


def test_texts_that_stand_in_their_contexts_are_answers(tmp_path: Path) -> None:
    given = [{"question": f"Who {number}?", "context": f"In {number} it was Ann{number}, not Bob.",
              "answer": f"Ann{number}" if number % 3 else f"Bob and Ann{number}"} for number in range(9)]
    assert inspect(write(tmp_path / "a.jsonl", given)).answers == "answer"
    asked = [{**row, "answer": ("true", "false")[number % 2], "context": "true or false"}
             for number, row in enumerate(given)]
    assert inspect(write(tmp_path / "b.jsonl", asked)).problem_type == "single_label_classification"


def test_a_label_beside_an_answer_is_what_is_learned(tmp_path: Path) -> None:
    given = [{"question": f"Who {number}?", "context": f"In {number} it was Ann{number}.", "answer": f"Ann{number}",
              "label": ("faithful", "made up")[number % 2]} for number in range(12)]
    assert inspect(write(tmp_path / "a.jsonl", given)).label == "label"


def test_few_plain_texts_are_answers_only_when_asked(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [{"question": "q?", "context": CONTEXT, "answer": word, "label": word}
                                        for word in ("Bob", "food")])
    assert inspect(path).problem_type == "single_label_classification"
    assert inspect(path, task="question-answering").answers == "answer"


def test_another_task_can_be_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [{**row, "label": str(number)} for number, row in enumerate(rows())])
    assert inspect(path, task="text-classification").label == "label"


def test_without_answers(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [{"question": "q?", "context": CONTEXT}])
    layout = inspect(path, task="question-answering", labelled=False)
    assert (layout.text, layout.text_b, layout.label) == ("question", "context", None)
    with pytest.raises(DataError, match="found no column of answers among 'question', 'context'"):
        inspect(path, task="question-answering")


@pytest.mark.parametrize(("row", "said"), [
    ({"context": "a", "answers": []}, "no column for the question"),
    ({"question": "a", "answers": []}, "no column for the context")])
def test_a_missing_column_is_told(tmp_path: Path, row: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=said):
        inspect(write(tmp_path / "a.jsonl", [row]), task="question-answering")


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("indent", [None, 1])
def test_squad_nests_its_questions(tmp_path: Path, packed: bool, indent: int | None) -> None:
    article = {"title": "Rome", "paragraphs": [{"context": CONTEXT, "qas": [
        {"id": "a", "question": "Who?", "answers": [{"text": "Bob", "answer_start": 8}], "is_impossible": False},
        {"id": "b", "question": "Why?", "answers": [], "is_impossible": True,
         "plausible_answers": [{"text": "Bob", "answer_start": 8}]}]}]}
    text = json.dumps({"version": "v2.0", "data": [article, article]}, indent=indent).encode()
    path = tmp_path / ("train.json.gz" if packed else "train.json")
    path.write_bytes(gzip.compress(text) if packed else text)
    layout = inspect(path)
    assert (layout.problem_type, layout.more) == ("question_answering", {"impossible": "is_impossible"})
    found, bad = read_all(layout, max_bad_rows=0)
    assert [row.id.rpartition(":")[2] for row in found] == ["1", "2", "3", "4"]
    assert [row.answers for row in found[:2]] == [(GoldAnswer("Bob", 8),), ()]
    assert found[0].group == "Rome"
    assert not bad


def test_the_first_form_of_cmrc(tmp_path: Path) -> None:
    path = tmp_path / "cmrc.json"
    path.write_text(json.dumps([{"context_id": "T", "context_text": "王芳去了北京。", "title": "王芳", "qas": [
        {"query_id": "Q", "query_text": "去了哪里？", "answers": ["北京", "北京"]}]}] * 2), encoding="utf-8")
    layout = inspect(path)
    assert layout.problem_type == "question_answering"
    assert read_all(layout, max_bad_rows=0)[0][0].answers == (GoldAnswer("北京", 4),)


def test_what_cannot_be_learned_is_left_out_and_still_scored(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [*rows(2), {**rows(1)[0], "answers": [{"text": "Carol", "start": 3}]}])
    layout = inspect(path)
    assert len(read_all(layout, max_bad_rows=0)[0]) == 3
    found, bad = read_all(layout, max_bad_rows=5, learning=True)
    assert len(found) == 2
    assert bad[0].line == 3
    assert "the answer 'Carol' is not at its place in the context" in bad[0].reason


def examples(articles: int, per_article: int = 6) -> list[Example]:
    made = []
    for article in range(articles):
        for number in range(per_article):
            context = f"article {article} part {number % 2} holds  word{article}."
            answers = (GoldAnswer(f"word{article}", context.index(f"word{article}")),) * (number % 3 > 0)
            made.append(Example(f"x:{len(made)}", f"What {number} ?", context, answers=answers, group=f"A{article}"))
    return made


def test_an_article_stands_in_one_split() -> None:
    dataset, report = prepare(examples(30), None, None, PrepareSettings(), 1, problem_type="question_answering")
    groups = [{row.group for row in split} for _, split in dataset.splits()]
    assert sum(map(len, groups)) == 30
    assert sum(len(split) for _, split in dataset.splits()) == 180
    assert dataset.labels.names == ("answer",)
    assert dataset.train[0].text_b == examples(30)[int(dataset.train[0].id[2:])].text_b  # double spaces stay
    assert sum(report.unanswerable.values()) == 60
    assert any(line.startswith("questions without an answer: train") for line in report.lines())
    again, _ = prepare(examples(30), None, None, PrepareSettings(), 1, problem_type="question_answering")
    assert again.content_hash == dataset.content_hash


@pytest.mark.parametrize("articles", [1, 2, 30])
def test_a_context_stands_in_one_split(articles: int) -> None:
    given = [Example(row.id, row.text, f"{int(row.id[2:]) // 3} {row.text_b}", answers=(), group=row.group)
             if int(row.id[2:]) % 5 == 4 else Example(row.id, row.text, f"{int(row.id[2:]) // 3} word.", answers=(
                 GoldAnswer("word", f"{int(row.id[2:]) // 3} word.".index("word")),),
                 group=row.group if articles < 3 else None) for row in examples(articles, 180 // articles)]
    dataset, _ = prepare(given, None, None, PrepareSettings(), 1, problem_type="question_answering")
    contexts = [{row.text_b for row in split} for _, split in dataset.splits()]
    assert len(set.union(*contexts)) == sum(map(len, contexts))


def test_two_answers_to_one_question_are_no_contradiction() -> None:
    given = examples(30)
    again = [Example(f"y:{row.id}", row.text, row.text_b, group=row.group,
                     answers=(GoldAnswer("holds", (row.text_b or "").index("holds")),)) for row in given if row.answers]
    _, report = prepare([*given, *again], None, None, PrepareSettings(), 1, problem_type="question_answering")
    assert report.contradictory_rows == 0
    assert report.rows == len(given) + len(again)


def test_answers_that_were_moved_are_told() -> None:
    given = [Example(row.id, row.text, row.text_b, answers=tuple(GoldAnswer(one.text, one.start, True)
                                                                 for one in row.answers or ()), group=row.group)
             for row in examples(30)]
    _, report = prepare(given, None, None, PrepareSettings(), 1, problem_type="question_answering")
    assert any("120 questions had an answer that was not at its place" in note for note in report.notes)


@pytest.mark.parametrize(("given", "said"), [
    ([Example(f"x:{n}", f"q{n}", "c", answers=()) for n in range(20)], "none of 20 questions has an answer"),
    ([Example(f"x:{n}", f"q{n}", "c", answers=(GoldAnswer("c", 0),)) for n in range(20)],
     "no row is left for valid: questions on one context"),
    ([Example(f"x:{n}", f"q{n}", "c") for n in range(20)], "20 rows are no questions with context and answers"),
])
def test_what_cannot_be_prepared_is_refused(given: list[Example], said: str) -> None:
    with pytest.raises(DataError, match=said):
        prepare(given, None, None, PrepareSettings(), 1, problem_type="question_answering")


def test_from_memory() -> None:
    (row,) = from_arrays([("Who?", CONTEXT)], [OBJECTS], problem_type="question_answering")
    assert row.answers == GOLD
    with pytest.raises(DataError, match="row 1: expected a question with its context"):
        from_arrays(["Who?"], [OBJECTS], problem_type="question_answering")
    with pytest.raises(DataError, match="row 1: an answer is int"):
        from_arrays([("Who?", CONTEXT)], [[3]], problem_type="question_answering")
