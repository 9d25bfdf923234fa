"""Two marked stretches and a relation, in every form in which data sets write them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.data import inspect, read_all
from luthier.data.cells.arguments import marked_row
from luthier.data.cells.relations import inclusive, placed, untagged
from luthier.data.columns.relations import find_related
from luthier.data.layout_values import Columns, Layout, Seen
from luthier.errors import DataError
from luthier.schema import Argument, Marked

TEXT = "Ann Lee works in Rome. 王芳在北京工作。"
ANN, ROME = Argument(0, 7), Argument(17, 21)
WORDS = ["Ann", "Lee", "works", "in", "Rome"]
PLACES = [(0, 3), (4, 7), (8, 13), (14, 16), (17, 21)]


@pytest.mark.parametrize(("head", "tail", "expected"), [
    ({"start": 0, "end": 7}, {"start": 17, "end": 21}, (ANN, ROME)),
    ({"start": 0, "end": 7, "text": "ann lee"}, [17, 21], (ANN, ROME)),
    ({"pos": [0, 7], "name": "Ann Lee", "id": "Q1"}, {"begin": 17.0, "stop": "21"}, (ANN, ROME)),
    ("Ann Lee", " Rome ", (ANN, ROME)),
    ({"name": "Ann Lee"}, '{"start": 17, "end": 21}', (ANN, ROME)),
    ("[0, 7]", ["17", "21"], (ANN, ROME)),
    ("王芳", "北京", (Argument(23, 25), Argument(26, 28))),
    ([0, 8], [16, 21], (ANN, ROME)),
    ({"start": 0, "end": 7, "type": " PER "}, {"start": 17, "end": 21, "type": ""}, (Argument(0, 7, "PER"), ROME)),
    ([0, 7], [0, 3], (ANN, Argument(0, 3))),
])
def test_forms_of_arguments(head: Any, tail: Any, expected: tuple[Argument, Argument]) -> None:
    assert placed(TEXT, head, tail) == Marked(TEXT, *expected)


def test_a_word_that_stands_once_by_itself_is_meant() -> None:
    assert placed("an apple and Ann", "an", "Ann").head == Argument(0, 2)


@pytest.mark.parametrize(("head", "tail"), [
    (["Ann Lee", "Q1", [[0, 1], [4]]], {"text": "rome", "indices": [[4]]}),
    ({"pos": [0, 2]}, {"name": "Rome", "pos": [4, 5]}),
])
def test_tokens_are_counted_where_the_text_is_a_list_of_them(head: Any, tail: Any) -> None:
    assert placed(" ".join(WORDS), head, tail, tokens=PLACES) == Marked(" ".join(WORDS), ANN, ROME)


def test_ends_of_tacred_belong_to_their_arguments() -> None:
    found = inclusive(" ".join(WORDS), PLACES, (0, 1, 4, 4), ("PERSON", "CITY"))
    assert found == Marked(" ".join(WORDS), Argument(0, 7, "PERSON"), Argument(17, 21, "CITY"))


@pytest.mark.parametrize(("head", "said"), [
    ("Bob", "head: 'Bob' does not stand in the text"),
    ("", "head: '' does not stand in the text"),
    ("o", "head: 'o' stands in the text more than once: give its start and end"),
    ("在北", "head and tail are the same stretch, 25-27"),
    ([0], "head: expected an object with start and end, [start, end], or words of the text, came [0]"),
    (None, "came nothing"),
    ([0, 70], "head: 0-70 lies outside the text of 31 characters"),
    ([3, 4], "head: 3-4 holds only white space"),
    ([4, 4], "head: 4-4 holds no character"),
    ({"start": 0, "end": 3, "text": "Bob"}, "head: 0-3 is 'Ann' and not 'Bob': places are counted in characters"),
    ({"id": 3}, "head: has the keys id: expected start and end"),
    ({"pos": [1]}, "head: expected [start, end], came a list of 1"),
    ([True, 2], "head: a place is True, expected a whole number"),
    ([0.5, 2], "head: a place is 0.5, expected a whole number"),
    (["Ann", "Q1", [[0]]], "head: expected lists of tokens beside a list of tokens as the text"),
])
def test_what_is_no_argument_is_refused(head: Any, said: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the message is looked at
        placed(TEXT, head, "在北")
    assert said in str(error.value)


def test_tokens_outside_the_text_are_refused() -> None:
    with pytest.raises(ValueError, match="tokens 4-6 lie outside the text of 5 tokens"):
        placed(" ".join(WORDS), [0, 1], [4, 6], tokens=PLACES)


@pytest.mark.parametrize(("tagged", "expected"), [
    ("The <e1>ring</e1> was in a <e2>box</e2>.", Marked("The ring was in a box.", Argument(4, 8), Argument(18, 21))),
    ("<E2>北京</E2>的<E1> 天空 </E1>", Marked("北京的 天空 ", Argument(4, 6), Argument(0, 2))),
    ("<e1>the <e2>city</e2> walls</e1>", Marked("the city walls", Argument(0, 14), Argument(4, 8))),
])
def test_tags_are_taken_out(tagged: str, expected: Marked) -> None:
    assert untagged(tagged) == expected


@given(st.lists(st.text(max_size=4), min_size=5, max_size=5))
def test_the_text_comes_back_whatever_stands_in_it(parts: list[str]) -> None:
    parts = [part.replace("<", "(") for part in parts]
    before, head, between, tail, behind = parts
    text = f"{before}x{head}{between}y{tail}{behind}"
    found = untagged(f"{before}<e1>x{head}</e1>{between}<e2>y{tail}</e2>{behind}")
    assert found.text == text
    assert text[found.head.start : found.head.end] == f"x{head}".rstrip()
    assert text[found.tail.start : found.tail.end] == f"y{tail}".rstrip()


@pytest.mark.parametrize(("tagged", "said"), [
    ("a <e1>b</e1>", "the text has no <e2>"),
    ("a <e1>b <e2>c</e2>", "the text has no </e1>"),
    ("<e1>a</e1> <e1>b</e1> <e2>c</e2>", "the text has <e1> twice"),
    ("<e1></e1> <e2>c</e2>", "head: 0-0 holds no character"),
])
def test_tags_that_do_not_fit_are_refused(tagged: str, said: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the message is looked at
        untagged(tagged)
    assert said in str(error.value)


def found_in(row: dict[str, Any], columns: Columns = Columns(), **options: Any) -> Layout | None:  # noqa: B008  (frozen)
    options = {"labelled": True} | options
    return find_related(Seen(Path("x.jsonl"), columns, [row] * 3, tuple(row), ()), options.pop("task", None), **options)


FILES: dict[str, dict[str, Any]] = {
    "own": {"text": TEXT, "head": {"start": 0, "end": 7}, "tail": {"start": 17, "end": 21}, "relation": "r"},
    "words and spans": {"id": 1, "text": TEXT, "head": "Ann", "tail": "o", "head_span": [0, 7], "tail_span": [17, 21],
                        "label": "r"},
    "SemEval": {"sentence": "<e1>Ann Lee</e1> works in <e2>Rome</e2>. 王芳在北京工作。", "label": "r"},
    "OpenNRE": {"text": TEXT, "h": {"name": "Ann Lee", "id": "1", "pos": [0, 7]}, "t": {"name": "Rome", "id": "2",
                "pos": [17, 21]}, "relation": "r"},
    "table": {"relation": "r", "text": TEXT, "subject": "Ann Lee", "object": "Rome"},
    "Chinese": {"文本": TEXT, "头实体": "Ann Lee", "尾实体": "Rome", "关系": "r"},
}
TOKENS: dict[str, dict[str, Any]] = {
    "TACRED": {"id": "1", "relation": "r", "token": WORDS, "subj_start": 0, "subj_end": 1, "obj_start": 4, "obj_end": 4,
               "subj_type": "PERSON", "obj_type": "CITY", "stanford_pos": ["NNP"] * 5},
    "FewRel": {"tokens": WORDS, "h": ["ann lee", "Q1", [[0, 1]]], "t": ["rome", "Q2", [[4]]], "relation": "r"},
    "wiki80": {"token": WORDS, "h": {"name": "ann lee", "id": "Q1", "pos": [0, 2]}, "t": {"name": "rome", "id": "Q2",
               "pos": [4, 5]}, "relation": "r"},
}


@pytest.mark.parametrize("name", [*FILES, *TOKENS])
def test_files_are_known_by_their_columns(name: str) -> None:
    row = FILES.get(name) or TOKENS[name]
    layout = found_in(row)
    assert layout is not None
    assert layout.label is not None
    assert row[layout.label] == "r"
    assert layout.notes[-1].startswith("relations: ")
    read = marked_row(row, layout)
    assert read.text == (TEXT if name in FILES else " ".join(WORDS))
    assert [(one.start, one.end) for one in (read.head, read.tail)] == [(0, 7), (17, 21)]
    assert (read.head.type, read.tail.type) == (("PERSON", "CITY") if name == "TACRED" else (None, None))


@pytest.mark.parametrize("row", [
    {"text": TEXT, "label": "r"},
    {"text": TEXT, "head": "Bob", "tail": "Rome", "label": "r"},
    {"text": TEXT, "head": "Ann", "tail": "Rome", "more": 3},
    {"head": "a", "tail": "b", "label": "r"},
])
def test_other_files_are_left_alone(row: dict[str, Any]) -> None:
    assert found_in(row) is None
    assert found_in(FILES["own"], task="named-entities") is None
    assert found_in(FILES["own"], Columns(label_separator=";")) is None


def test_columns_that_are_named_are_taken() -> None:
    row = {"body": "Ann knows Bob", "title": "a much longer text about Ann and Bob", "head": "Ann", "tail": "Bob",
           "kind": "r"}
    layout = found_in(row, Columns(text="Body", label="Kind"))
    assert layout is not None
    assert (layout.text, layout.label) == ("body", "kind")


@pytest.mark.parametrize(("subject", "object_"), [("subject", "object"), ("h", "t"), ("主语", "宾语")])
def test_a_text_and_a_label_that_are_named_win_over_columns_that_may_mean_something_else(
    subject: str, object_: str, tmp_path: Path,
) -> None:
    row = {"text": TEXT, subject: "Ann", object_: "Rome", "mood": "good", "relation": "r"}
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({**row, "mood": mood}) + "\n" for mood in ("good", "bad") * 5))
    named = inspect(path, Columns(text="text", label="mood"))
    assert (named.problem_type, named.text, named.label) == ("single_label_classification", "text", "mood")
    assert any(f"columns {subject!r} and {object_!r} mark stretches of the texts, which are not read" in note
               for note in named.notes)
    asked = [inspect(path), inspect(path, Columns(text="text", label="relation")),
             inspect(path, Columns(text="text", label="mood"), task="relations")]
    assert [one.problem_type for one in asked] == ["relation_classification"] * 3


def test_without_labels_none_is_needed() -> None:
    row = {name: cell for name, cell in FILES["own"].items() if name != "relation"}
    layout = found_in(row, task="relations", labelled=False)
    assert layout is not None
    assert layout.label is None


@pytest.mark.parametrize(("row", "said"), [
    ({"text": TEXT, "label": "r"}, "does not mark two stretches of each text; the columns are 'text', 'label'"),
    ({"text": TEXT, "head": "Ann Lee", "tail": "Rome", "more": 3}, "found no column of relations among 'more'"),
])
def test_what_was_asked_for_and_is_not_there_is_told(row: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError) as error:
        found_in(row, task="relations")
    assert said in str(error.value)


def test_a_file_of_semeval_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "TRAIN_FILE.TXT"
    path.write_text('1\t"The <e1>ring</e1> was "in" a <e2>box</e2>."\r\nContent-Container(e1,e2)\r\nComment: no\r\n\r\n'
                    '2\t"<e1>Rain</e1> brings <e2>floods</e2>."\r\nCause-Effect(e1,e2)\r\nComment:\r\n'
                    '3\t"<e2>天空</e2>在<e1>山</e1>上"\r\nOther\r\nComment:\r\n\r\n'
                    'four "a"\r\nOther\r\n', encoding="utf-8")
    layout = inspect(path)
    assert (layout.reader, layout.problem_type) == ("semeval", "relation_classification")
    rows, bad = read_all(layout, max_bad_rows=1)
    assert [(row.id, row.labels) for row in rows] == [
        ("TRAIN_FILE.TXT:1", ("Content-Container(e1,e2)",)), ("TRAIN_FILE.TXT:5", ("Cause-Effect(e1,e2)",)),
        ("TRAIN_FILE.TXT:8", ("Other",))]
    assert rows[0].text_input == Marked('The ring was "in" a box.', Argument(4, 8), Argument(20, 23))
    assert rows[2].text_input == Marked("天空在山上", Argument(3, 4), Argument(0, 2))
    assert [(row.line, row.reason) for row in bad] == [
        (12, "expected a number, a tab and a sentence in quotation marks, came 'four \"a\"'")]


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("counts", [(2, 2), (1, 2), (3,)])
def test_a_file_of_fewrel_has_its_rows_below_their_relation(counts: tuple[int, ...], indent: int | None, tmp_path: Path,
                                                            ) -> None:
    row = {"tokens": WORDS, "h": ["ann lee", "Q1", [[0, 1]]], "t": ["rome", "Q2", [[4]]]}
    path = tmp_path / "train_wiki.json"
    path.write_text(json.dumps({f"P{count}{place}": [row] * count for place, count in enumerate(counts)},
                               indent=indent))
    rows, bad = read_all(inspect(path), max_bad_rows=0)
    assert [one.labels for one in rows] == [(f"P{count}{place}",) for place, count in enumerate(counts)
                                            for _ in range(count)]
    assert not bad
    assert rows[0].text == " ".join(WORDS)


def test_rows_with_arguments_below_a_usual_key_name_their_own_relation(tmp_path: Path) -> None:
    row = {"tokens": WORDS, "h": ["ann lee", "Q1", [[0, 1]]], "t": ["rome", "Q2", [[4]]], "relation": "lives_in"}
    path = tmp_path / "rows.json"
    path.write_text(json.dumps({"data": [row, row]}))
    assert [one.labels for one in read_all(inspect(path), max_bad_rows=0)[0]] == [("lives_in",)] * 2


def file_of(folder: Path, *rows: dict[str, Any]) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


TWICE = "Ann Lee, yes, Ann Lee works in Rome."
LATER, THERE = Argument(14, 21), Argument(31, 35)
ENDS = {"start": (14, 31), "end": (21, 35)}


@pytest.mark.parametrize(("text", "head", "tail", "relation"), [
    ("sentence", "head", "tail", "relation"), ("text", "e1", "e2", "rel"), ("text", "Subject", "Object", "predicate"),
    ("文本", "头实体", "尾实体", "关系")])
@pytest.mark.parametrize("written", [int, str, float, lambda place: f"{place}.0"])
def test_columns_of_places_beside_words(text: str, head: str, tail: str, relation: str, written: Any, tmp_path: Path,
                                        ) -> None:
    row = {text: TWICE, head: "Ann Lee", tail: "Rome", f"{head}_type": "PER", relation: "r"}
    offsets = {f"{head}_offset": written(14), f"{tail}_offset": written(31)}
    ends = {f"{name}_{side}": written(place) for side, places in ENDS.items()
            for name, place in zip((head, tail), places, strict=True)}
    for places in (offsets, ends, {**ends, f"{head}_end": written(20), f"{tail}_end": written(34)}):
        layout = inspect(file_of(tmp_path, *[{**row, **places}] * 3))
        assert (layout.problem_type, layout.label) == ("relation_classification", relation)
        found = read_all(layout, max_bad_rows=0)[0][0]
        assert found.text == TWICE
        assert found.arguments == (Argument(14, 21, "PER"), THERE)


def test_a_table_of_deepke_is_read_with_a_line_for_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    path.write_text("sentence,relation,head,head_offset,tail,tail_offset\n"
                    "李安导演了《色戒》，李安很高兴。,导演,李安,10,色戒,6\n"
                    "李安导演了《色戒》，李安很高兴。,导演,李安,9,色戒,6\n"
                    "李安导演了《色戒》，李安很高兴。,导演,李安,,色戒,6.0\n"
                    "李安导演了《色戒》，李安很高兴。,导演,李安,90,色戒,6\n"
                    "李安导演了《色戒》，李安很高兴。,导演,,0,色戒,6\n"
                    "李安导演了《色戒》,导演,李安,,色戒,6.0\n"
                    + "王芳在北京，王芳工作,在,王芳,6,北京,3\n" * 6, encoding="utf-8")
    rows, bad = read_all(inspect(path), max_bad_rows=4)
    assert [row.arguments for row in rows[:3]] == [
        (Argument(10, 12), Argument(6, 8)), (Argument(0, 2), Argument(6, 8)), (Argument(6, 8), Argument(3, 5))]
    assert [row.line for row in bad] == [3, 4, 5, 6]
    for row, said in zip(bad, ("head: 9-11 is '，李' and not '李安'", "head: '李安' stands in the text more than once",
                               "head: 90-92 lies outside the text of 16 characters",
                               "head: it begins at 0, and the words that say how long it is are missing"), strict=True):
        assert said in row.reason


@pytest.mark.parametrize("places", [
    {"head_start": 14, "head_end": "21", "tail_start": 31, "tail_end": 35.0},
    {"subject_start": 14, "subject_end": 21, "object_start": 31, "object_end": 35},
    {"head_span": [14, 21], "tail_span": "[31, 35]"},
])
def test_places_need_no_words(places: dict[str, Any], tmp_path: Path) -> None:
    rows, _ = read_all(inspect(file_of(tmp_path, *[{"text": TWICE, **places, "label": "r"}] * 3)), max_bad_rows=0)
    assert rows[0].arguments == (LATER, THERE)


@pytest.mark.parametrize("places", [{"head_pos": "NNP", "tail_pos": "NNP"}, {"head_offset": 3, "tail_offset": 6}])
def test_columns_that_hold_no_places_are_passed_over_aloud(places: dict[str, Any], tmp_path: Path) -> None:
    row = {"text": TEXT, "head": "Ann Lee", "tail": "Rome", **places, "relation": "r"}
    layout = inspect(file_of(tmp_path, *[row] * 3))
    assert read_all(layout, max_bad_rows=0)[0][0].arguments == (ANN, ROME)
    assert layout.notes[-2].endswith(f"{', '.join(map(repr, places))} are not read")


@pytest.mark.parametrize("tagged", [
    "[E1]Ann Lee[/E1] works in [E2]Rome[/E2].", "[e2]Rome[/e2] is where [e1] Ann Lee [/e1] works",
    "<E1>Ann Lee</E1> works in <E2>Rome</E2>.", "<e1>Ann Lee</e1>, see [E1], works in <e2>Rome</e2>."])
@pytest.mark.parametrize("more", [{}, {"e1": "Ann Lee", "e2": "Rome"}])
def test_tags_in_either_brackets(tagged: str, more: dict[str, str], tmp_path: Path) -> None:
    row = {"sentence": tagged, **more, **{f"{name}_type": "X" for name in more}, "label": "r"}
    layout = inspect(file_of(tmp_path, *[row] * 3))
    found = read_all(layout, max_bad_rows=0)[0][0]
    assert [found.text[one.start : one.end] for one in found.arguments or ()] == ["Ann Lee", "Rome"]
    assert [one.type for one in found.arguments or ()] == ["X" if more else None] * 2
    assert found.text in (TEXT[:22], "Rome is where  Ann Lee  works", "Ann Lee, see [E1], works in Rome.")
    assert "the text in 'sentence' holds tags of e1 and e2" in layout.notes[-1]


def test_tags_that_do_not_close_are_told(tmp_path: Path) -> None:
    rows = [{"text": f"[E1]{name}[/E1] met [E2]Bob", "label": "ab"[len(name) % 2]} for name in ("Ann", "Carl") * 4]
    layout = inspect(file_of(tmp_path, *rows))
    assert layout.problem_type == "single_label_classification"
    assert "tags do not mark two stretches of 'text' in 8 of the first 8 rows, such as: the text has no </e2> ([E1] " \
           "counts as <e1>)" in layout.notes[-1]


@pytest.mark.parametrize("key", ["word", "Word", "text", "name", "mention", "entity", "value", "surface_form"])
def test_words_in_objects_without_places(key: str, tmp_path: Path) -> None:
    row = {"text": TEXT, "head": {key: "Ann Lee", "id": 3}, "tail": {key: "Rome", "type": "CITY"}, "relation": "r"}
    rows, _ = read_all(inspect(file_of(tmp_path, *[row] * 3)), max_bad_rows=0)
    assert rows[0].arguments == (ANN, Argument(17, 21, "CITY"))


def test_a_less_usual_key_beside_places_is_no_word(tmp_path: Path) -> None:
    row = {"text": TEXT, "head": {"start": 0, "end": 7, "entity": "PER"}, "tail": [17, 21], "relation": "r"}
    assert read_all(inspect(file_of(tmp_path, *[row] * 3)), max_bad_rows=0)[0][0].arguments == (ANN, ROME)


UNCLEAR: dict[str, tuple[dict[str, Any], str, str]] = {
    "twice": ({"head": "Ann Lee", "tail": "Rome"}, "columns 'head' and 'tail'",
              "head: 'Ann Lee' stands in the text more than once"),
    "objects": ({"h": {"word": "Ann Lee"}, "t": {"word": "Rome"}}, "columns 'h' and 't'",
                "head: 'Ann Lee' stands in the text more than once"),
    "offsets": ({"head": "Ann Lee", "tail": "Rome", "head_offset": 13, "tail_offset": 31},
                "columns 'head', 'tail', 'head_offset', 'tail_offset'", "head: 13-20 is ' Ann Le' and not 'Ann Lee'"),
    "ends": ({"e1_start": 14, "e1_end": "x", "e2_start": 31, "e2_end": 35},
             "columns 'e1_start', 'e1_end', 'e2_start', 'e2_end'", "head: a place is 'x', expected a whole number"),
    "none": ({"subject": "Bob", "object": "Rome"}, "columns 'subject' and 'object'",
             "head: 'Bob' does not stand in the text"),
    "TACRED's of a text": ({"subj_start": 0, "subj_end": 1, "obj_start": 4, "obj_end": 4},
                           "columns 'subj_start' and 'obj_start'", "head: it begins at 0, and the words"),
}


@pytest.mark.parametrize("name", UNCLEAR)
def test_arguments_that_do_not_fit_are_never_dropped_silently(name: str, tmp_path: Path) -> None:
    more, columns, reason = UNCLEAR[name]
    path = file_of(tmp_path, *[{"text": TWICE, **more, "relation": "rs"[number % 2]} for number in range(8)])
    with pytest.raises(DataError) as error:
        inspect(path, task="relations")
    for said in (str(error.value), inspect(path).notes[-1]):
        assert f"{columns} do not mark two stretches of 'text' in 8 of the first 8 rows, such as: {reason}" in said
        assert "head_offset and tail_offset (characters from 0)" in said
        assert "[E1]…[/E1]" in said
    assert not [note for note in inspect(path, task="text-classification").notes if "stretches" in note]


def test_arguments_beside_a_label_that_is_called_otherwise(tmp_path: Path) -> None:
    rows = [{"text": TWICE, "head": "Rome", "tail": "works", "kind": "ab"[number % 2]} for number in range(8)]
    note = inspect(file_of(tmp_path, *rows)).notes[-1]
    assert "columns 'head' and 'tail' mark stretches of the texts, which are not read because no column is" in note
    rows = [{"text": TWICE, "subject": "Ann Lee", "object": "Rome", "label": "ab"[number % 2]} for number in range(8)]
    assert "stretches" not in " ".join(inspect(file_of(tmp_path, *rows)).notes)  # a subject line, for all that is known


def test_numbers_of_tokens_are_not_taken_for_characters(tmp_path: Path) -> None:
    row = {"tokens": WORDS, "head": "Ann Lee", "head_offset": 0, "tail": "Rome", "tail_offset": 4, "relation": "r"}
    layout = inspect(file_of(tmp_path, *[row] * 3))
    assert read_all(layout, max_bad_rows=0)[0][0].arguments == (ANN, ROME)
    assert layout.notes[-2].endswith("'head_offset', 'tail_offset' are not read")
    with pytest.raises(DataError, match="'head_offset' and 'tail_offset' do not mark two stretches of 'tokens'"):
        inspect(file_of(tmp_path, *[{**row, "tokens": 2 * WORDS}] * 3), task="relations")
