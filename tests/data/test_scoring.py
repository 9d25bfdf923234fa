"""Rows are scored as they are learned: in their normal form, and those of one query as one."""

from __future__ import annotations

from luthier.data import kind_of
from luthier.data.scoring import scored_rows
from luthier.schema import Example, GoldAnswer, Passages


def test_rows_get_their_normal_form_and_those_without_a_text_are_told() -> None:
    rows = [Example("a:1", "cafe\u0301", targets=("e\u0301",)), Example("a:2", " ", targets=("x",)),
            Example("a:3", "b", targets=("x",))]
    found, told = scored_rows(rows, kind_of("text_generation"), "nfc")
    assert [(row.id, row.text, row.targets) for row in found] == [("a:1", "caf\xe9", ("\xe9",)), ("a:3", "b", ("x",))]
    assert told == ["left out a:2: it lacks a text"]
    assert scored_rows(rows[2:], kind_of("text_generation"), "none") == (rows[2:], [])


def test_a_query_counts_once_with_all_that_belongs_to_it() -> None:
    rows = [Example("a:1", "q", passages=Passages(("one",))), Example("a:2", "q ", passages=Passages(("two", "one "))),
            Example("a:3", "r", passages=Passages(("three",), ("one",)))]
    for problem in ("retrieval", "re_ranking"):
        found, told = scored_rows(rows, kind_of(problem), "nfc")
        assert [(row.id, row.text) for row in found] == [("a:1", "q"), ("a:3", "r")]
        assert [row.passages for row in found] == [Passages(("one", "two")), Passages(("three",), ("one",))]
        assert not told


def test_questions_whose_answers_stand_nowhere_are_counted() -> None:
    rows = [Example(f"a:{n}", "who?", "Ann did", answers=(GoldAnswer(text, start),))
            for n, (text, start) in enumerate([("Ann", 0), ("Bob", None)])]
    found, told = scored_rows(rows, kind_of("question_answering"), "nfc")
    assert found == rows
    assert told == ["1 questions have no answer that stands in the context: they count in the scores, and cannot be "
                    "answered rightly (a:1)"]
    assert not scored_rows(rows[:1], kind_of("question_answering"), "nfc")[1]
