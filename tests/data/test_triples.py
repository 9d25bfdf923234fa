"""Texts with entities and the relations between them, in the forms of the tools and data sets that hold such."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.data import Columns, from_arrays, inspect, prepare, read_all
from luthier.data.cells.documents import document
from luthier.data.cells.triples import linked, spoken
from luthier.errors import DataError
from luthier.recipe import PrepareSettings
from luthier.schema import Example, Span, Triple

TEXT = "👩‍👩‍👧 Ann works for Acme in 北京."
ANN, ACME, CITY = Span(6, 9, "person"), Span(20, 24, "firm"), Span(28, 30, "city")
SPANS = (ANN, ACME, CITY)
TRIPLES = (Triple(ANN, ACME, "works_for"), Triple(ACME, CITY, "based_in"))
PLACES = [{"start": s.start, "end": s.end, "label": s.label} for s in SPANS]
LINKS = [{"subject": 0, "object": 1, "label": "works_for"}, {"subject": 1, "object": 2, "label": "based_in"}]
DOCCANO = {"id": 3, "text": TEXT, "Comments": [],
           "entities": [{"id": 10 + n, "label": s.label, "start_offset": s.start, "end_offset": s.end}
                        for n, s in enumerate(SPANS)],
           "relations": [{"id": 1, "from_id": 10, "to_id": 11, "type": "works_for"},
                         {"id": 2, "from_id": 11, "to_id": 12, "type": "based_in"}]}
TOKENS = ["Ann", "Lee", "works", "for", "Acme", "in", "Rome", "."]
SPERT = {"tokens": TOKENS, "orig_id": 7,
         "entities": [{"type": "Peop", "start": 0, "end": 2}, {"type": "Org", "start": 4, "end": 5}],
         "relations": [{"type": "Work_For", "head": 0, "tail": 1}]}
PURE = {"doc_key": "a", "sentences": [["It", "rains", "."], TOKENS], "clusters": [], "ner": [[], [[3, 4, "Peop"],
        [7, 7, "Org"]]], "relations": [[], [[3, 4, 7, 7, "Work_For"]]]}
DUIE = {"text": "《红》的作者是王芳，王芳生于上海。", "spo_list": [
    {"predicate": "作者", "subject": "红", "subject_type": "图书", "object": {"@value": "王芳"},
     "object_type": {"@value": "人物"}},
    {"predicate": "出生地", "subject": "王芳", "subject_type": "人物", "object": "上海", "object_type": "地点"}]}


def written(path: Path, *rows: Any) -> Path:
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def only(path: Path, **more: Any) -> Example:
    layout = inspect(path, **more)
    assert layout.problem_type == "joint_extraction"
    assert any("entities and relations: column" in note for note in layout.notes)
    return read_all(layout, max_bad_rows=0)[0][0]


@pytest.mark.parametrize("row", [
    {"text": TEXT, "entities": PLACES, "relations": LINKS},
    {"text": TEXT, "entities": [[s.start, s.end, s.label] for s in SPANS], "relations": [
        [0, 1, "works_for"], [1, 2, "based_in"]]},
    {"text": TEXT, "spans": [{**one, "id": f"T{n}"} for n, one in enumerate(PLACES)], "triples": [
        {"subject": "T0", "object": "T1", "label": "works_for"}, {"head": "T1", "tail": "T2", "type": "based_in"}]},
    {"text": TEXT, "entities": [{**one, "id": n} for n, one in enumerate(PLACES, 1)], "relations": [
        {"subject": 1, "object": 2, "label": "works_for"}, {"subject": 2, "object": 3, "label": "based_in"}]},
    {"text": TEXT, "entities": [{**one, "id": n} for n, one in enumerate(PLACES, 1)], "relations": [
        [1, 2, "works_for"], [2, 3, "based_in"]]},
    {"text": TEXT, "entities": [{**one, "id": 70 + n} for n, one in enumerate(PLACES)], "relations": LINKS},
    DOCCANO,
], ids=["objects", "lists", "ids", "numbers for ids", "lists of ids", "places beside ids", "doccano"])
def test_relations_name_entities_by_place_or_id(row: dict[str, Any], tmp_path: Path) -> None:
    empty = {key: [] if isinstance(value, list) else "nothing" for key, value in row.items() if key != "id"}
    found = only(written(tmp_path / "rows.jsonl.gz", row, empty))
    assert (found.text, found.spans, found.triples, found.labels) == (TEXT, SPANS, tuple(sorted(TRIPLES)), None)
    assert found.label_names == ("person", "firm", "city", "works_for", "based_in")


def test_tokens_of_spert_and_documents_of_pure_are_joined(tmp_path: Path) -> None:
    one = only(written(tmp_path / "conll04.json", SPERT))
    assert one.text == "Ann Lee works for Acme in Rome ."
    ends = Span(0, 7, "Peop"), Span(18, 22, "Org")
    assert (one.spans, one.triples) == (ends, (Triple(*ends, "Work_For"),))
    other = only(written(tmp_path / "scierc.jsonl", PURE))
    assert other.text == "It rains . Ann Lee works for Acme in Rome ."
    ends = Span(11, 18, "Peop"), Span(29, 33, "Org")
    assert (other.spans, other.triples) == (ends, (Triple(*ends, "Work_For"),))
    bare, _ = read_all(inspect(tmp_path / "scierc.jsonl", labelled=False), max_bad_rows=0)
    assert bare[0].text == other.text


def test_words_of_duie_are_taken_where_they_stand_first(tmp_path: Path) -> None:
    row = only(written(tmp_path / "duie.jsonl", DUIE, {"text": "没有", "spo_list": []}))
    book, wang, city = Span(1, 2, "图书"), Span(7, 9, "人物"), Span(14, 16, "地点")
    assert row.spans == (book, wang, city)
    assert row.triples == (Triple(book, wang, "作者"), Triple(wang, city, "出生地"))


def test_words_that_are_not_there_cost_their_row_and_are_named(tmp_path: Path) -> None:
    wrong = {**DUIE, "spo_list": [*DUIE["spo_list"], {**DUIE["spo_list"][0], "subject": "蓝", "object": "绿"}]}
    layout = inspect(written(tmp_path / "duie.jsonl", DUIE, wrong))
    examples, bad = read_all(layout, max_bad_rows=5)
    assert len(examples) == 1
    assert [(row.line, row.reason) for row in bad] == [
        (2, "2 of the words of its relations do not stand in the text: '蓝', '绿'")]


@pytest.mark.parametrize(("entities", "relations", "said"), [
    ([[0, 400, "x"]], [], "lies outside the text of 31 characters"),
    ([[6, 9, "x"]], [[0, 1, "r"]], "the relation 'r' names the entity 1, which is not there: the 1 entities are 0"),
    ([], [[0, 1, "r"]], "the 0 entities are (none)"),
    ([[6, 9, "x"]] * 10, [[0, -1, "r"]], "the 10 entities are 0, 1, 2, 3, 4, 5, 6, 7 …"),
    ([[6, 9, "x"]], [[0, True, "r"]], "names the entity True, which is not there"),
    ([[6, 9, "x"], [6, 9, "y"]], [[0, 1, "r"]], "the relation 'r' holds between 6-9 and itself"),
    ([[6, 9, "x"], [20, 24, "x"]], [[0, 1, ""]], "the relation from 0 to 1 has no label ('')"),
    ([[6, 9, "x"]], None, "expected a list of relations, came nothing"),
    ("none", [], "expected a list of entities, came str"),
    ([[6, 9, "x"]], ["r"], "expected a relation as an object with subject, object and label, came r"),
    ([{"start": 6, "end": 9, "labels": ["x", "y"]}], [], "an entity has several labels, and relations need one"),
    ([[6, 9, "x"]], [Triple(ANN, ACME, "r")], "the relation 'r' names the entity 6-9 (person), which is not there"),
])
def test_what_cannot_be_read_is_refused(entities: Any, relations: Any, said: str) -> None:
    with pytest.raises(ValueError, match="relation|entit|outside|label") as error:
        linked(TEXT, entities, relations)
    assert said in str(error.value)


@pytest.mark.parametrize(("link", "said"), [
    ("r", "expected a relation as an object, came r"),
    ({"subject": "红", "object": "王芳", "predicate": ""}, "a relation has no predicate"),
    ({"subject": 3, "object": "王芳", "predicate": "r"}, "the subject of a relation is 3, expected words of the text"),
    ({"subject": "红", "object": "红", "predicate": "r"}, "holds between 1-2 and itself"),
])
def test_what_cannot_be_read_of_words_is_refused(link: Any, said: str) -> None:
    with pytest.raises(ValueError, match="relation") as error:
        spoken(DUIE["text"], [link])
    assert said in str(error.value)


def test_tokens_outside_the_text_and_unknown_spans_are_refused(tmp_path: Path) -> None:
    rows = [SPERT, {**SPERT, "entities": [{"type": "Peop", "start": 0, "end": 9}]},
            {**SPERT, "entities": [[0, 1]]}]
    _, bad = read_all(inspect(written(tmp_path / "rows.jsonl", *rows)), max_bad_rows=5)
    assert [row.reason for row in bad] == ["tokens 0-9 lie outside the text of 8 tokens, or are none",
                                           "tokens None-None lie outside the text of 8 tokens, or are none"]
    stray = {**PURE, "relations": [[], [[3, 4, 9, 9, "Work_For"]]]}
    _, bad = read_all(inspect(written(tmp_path / "pure.jsonl", PURE, stray)), max_bad_rows=5)
    assert "names the entity 'tokens 9-9', which is not there" in bad[0].reason


@pytest.mark.parametrize("row", [
    {**PURE, "ner": [[["a", "b", "c"]]]}, {**PURE, "relations": [[[3, 4, "x"]]]}, {**PURE, "sentences": [[1]]},
    {**PURE, "sentences": ["a text"]}])
def test_what_only_looks_like_a_document_is_left(row: dict[str, Any]) -> None:
    assert document(row) is None


@pytest.mark.parametrize(("row", "kind"), [
    ({"text": TEXT, "entities": PLACES, "relations": []}, "token_classification"),
    ({"text": TEXT, "entities": PLACES, "label": "x", "relations": LINKS}, "single_label_classification"),
    ({"text": "Ann met Bob", "head": "Ann", "tail": "Bob", "relation": "met"}, "relation_classification"),
    ({"token": TOKENS, "h": ["Ann", "Q1", [[0]]], "t": ["Acme", "Q2", [[4]]], "relation": "P1"},
     "relation_classification"),
    ({"tokens": TOKENS, "ner_tags": ["B-PER", "I-PER", *["O"] * 6]}, "token_classification"),
])
def test_other_files_are_left_to_their_tasks(row: dict[str, Any], kind: str, tmp_path: Path) -> None:
    rows = [{**row, **({"label": "xy"[n % 2]} if "label" in row else {})} for n in range(10)]
    assert inspect(written(tmp_path / "rows.jsonl", *rows)).problem_type == kind
    if "relations" in row:
        layout = inspect(tmp_path / "rows.jsonl", task="entities-and-relations") if row["relations"] else None
        assert layout is None or (layout.problem_type, layout.label) == ("joint_extraction", "relations")


def test_columns_can_be_named_and_missing_ones_are_told(tmp_path: Path) -> None:
    path = written(tmp_path / "rows.jsonl", {"body": TEXT, "entities": PLACES, "what": LINKS})
    layout = inspect(path, Columns(text="body", label="what"))
    assert (layout.text, layout.label, dict(layout.more)) == ("body", "what", {"entities": "entities"})
    with pytest.raises(DataError, match=r"lists no relations between entities; the columns are 'body'.*\n.*spo_list"):
        inspect(path, task="entities-and-relations")
    path = written(tmp_path / "numbers.jsonl", {"n": 3, "entities": PLACES, "relations": LINKS})
    with pytest.raises(DataError, match="lists no relations between entities"):
        inspect(path, task="entities-and-relations")


def test_rows_in_memory() -> None:
    (row,) = from_arrays([TEXT], [{"entities": PLACES, "relations": LINKS}], problem_type="joint_extraction")
    assert (row.spans, row.triples) == (SPANS, tuple(sorted(TRIPLES)))
    (same,) = from_arrays([(TEXT, SPANS)], [TRIPLES], problem_type="joint_extraction")
    assert (same.spans, same.triples) == (row.spans, row.triples)
    with pytest.raises(DataError, match=r"row 1: expected a list of entities.*\n.*\(text, entities\)"):
        from_arrays([TEXT], [LINKS], problem_type="joint_extraction")
    with pytest.raises(DataError, match="expected a text"):
        from_arrays([3], [LINKS], problem_type="joint_extraction")


def examples(count: int, *, triples: bool = True) -> list[Example]:
    return [Example(f"x:{n}", f"Ann {n} met Bob", spans=(Span(0, 3, "met"), Span(len(f"Ann {n} met "),
            len(f"Ann {n} met Bob"), "person")), triples=(Triple(Span(0, 3, "met"), Span(
                len(f"Ann {n} met "), len(f"Ann {n} met Bob"), "person"), "met"),) * triples) for n in range(count)]


def test_a_data_set_keeps_types_and_relations_of_one_name_apart() -> None:
    dataset, report = prepare(examples(30), None, None, PrepareSettings(), 1, problem_type="joint_extraction")
    assert (dataset.labels.names, dataset.labels.types) == (("met",), ("met", "person"))
    assert report.label_counts["train"] == {"met": 18}
    assert report.entity_counts["train"] == {"met": 18, "person": 18}
    assert report.lines()[1:3] == ["1 relations, triples in train: met 18; imbalance 1.0 to 1",
                                   "2 entity types, entities in train: met 18, person 18"]
    few, report = prepare(examples(12), None, None, PrepareSettings(), 1, problem_type="joint_extraction")
    assert any("2 label(s) have fewer than 10 entities to learn from: 'met', 'person'" in note for note in report.notes)
    assert any("1 label(s) have fewer than 10 triples to learn from: 'met'" in note for note in report.notes)
    assert few.labels == dataset.labels


def test_rows_without_relations_teach_nothing() -> None:
    with pytest.raises(DataError, match=r"no relation is marked in 30 rows.*\n.*--task named-entities"):
        prepare(examples(30, triples=False), None, None, PrepareSettings(), 1, problem_type="joint_extraction")
    bare = [Example(f"x:{n}", f"a {n}", spans=()) for n in range(12)]
    with pytest.raises(DataError, match="train: in 12 rows no entities and relations are marked, such as x:0"):
        prepare(bare, None, None, PrepareSettings(), 1, problem_type="joint_extraction")


def test_types_that_train_does_not_have_are_told_before_anything_is_tuned() -> None:
    stray = [Example("y:1", "Rome is here", spans=(Span(0, 4, "city"),), triples=())]
    with pytest.raises(DataError, match="test has 1 label.* that train does not have: 'city'"):
        prepare(examples(30), None, stray, PrepareSettings(), 1, problem_type="joint_extraction")


@given(st.text(min_size=4, max_size=40), st.data())
def test_spans_and_triples_are_those_of_the_callers_text(text: str, data: st.DataObject) -> None:
    place = st.integers(0, len(text) - 1)
    marks = data.draw(st.lists(st.tuples(place, st.integers(1, 5)), min_size=2, max_size=5))
    marks = [(start, min(start + size, len(text)), "t") for start, size in marks]
    marks = [mark for mark in marks if text[mark[0]:mark[1]].strip()]
    places = sorted({(text[s:e].strip(), s + len(text[s:e]) - len(text[s:e].lstrip())) for s, e, _ in marks})
    found = linked(text, [list(mark) for mark in marks], [])
    assert sorted((text[one.start:one.end], one.start) for one in found.spans) == places


@pytest.mark.parametrize("triples", [
    [{"head": "Ann", "relation": "works_for", "tail": "Acme", "head_type": "person", "tail_type": "firm"}],
    [{"subject": "Ann", "label": "works_for", "object": "Acme", "subject_type": "person", "object_type": "firm"}],
])
@pytest.mark.parametrize("task", [None, "entities-and-relations"])
def test_triples_of_words_have_many_names(triples: Any, task: str | None, tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", *[{"text": TEXT, "triples": triples}, {"text": "nobody", "triples": []}])
    rows, bad = read_all(inspect(path, task=task), max_bad_rows=0)
    assert not bad
    assert [row.triples for row in rows] == [(TRIPLES[0],), ()]


def test_triples_may_be_lists_of_words(tmp_path: Path) -> None:
    found = only(written(tmp_path / "a.jsonl", {"text": TEXT, "triples": [["Ann", "works_for", "Acme"]]}))
    assert found.triples == (Triple(Span(6, 9, "subject"), Span(20, 24, "object"), "works_for"),)


@pytest.mark.parametrize("column", ["triples", "triple_list", "relations"])
def test_names_of_a_column_of_triples(column: str, tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", {"text": "Ann works for Acme", column: [["Ann", "Acme", "works_for"]]})
    assert inspect(path).problem_type == "joint_extraction"


def test_label_studios_arrows_have_directions(tmp_path: Path) -> None:
    results: list[dict[str, Any]] = [
        {"id": f"r{n}", "type": "labels", "value": {"start": s.start, "end": s.end, "labels": [s.label]}}
        for n, s in enumerate(SPANS)]
    results += [{"type": "relation", "from_id": "r1", "to_id": "r0", "direction": "left", "labels": ["works_for"]},
                {"type": "relation", "from_id": "r1", "to_id": "r2", "direction": "bi", "labels": ["near"]}]
    path = tmp_path / "export.json"
    path.write_text(json.dumps([{"data": {"text": TEXT}, "annotations": [{"result": results}]}] * 2), encoding="utf-8")
    assert set(read_all(inspect(path), max_bad_rows=0)[0][0].triples or ()) == {
        TRIPLES[0], Triple(ACME, CITY, "near"), Triple(CITY, ACME, "near")}


def test_label_studios_relations_name_its_spans(tmp_path: Path) -> None:
    results = [{"id": f"r{n}", "type": "labels", "value": {"start": s.start, "end": s.end, "labels": [s.label]}}
               for n, s in enumerate(SPANS)]
    results += [{"type": "relation", "from_id": "r0", "to_id": "r1", "labels": ["works_for"]},
                {"type": "relation", "from_id": "r1", "to_id": "r2", "labels": ["based_in"]}]
    (tmp_path / "export.json").write_text(json.dumps([
        {"id": 1, "data": {"text": TEXT}, "annotations": [{"result": results}]},
        {"id": 2, "data": {"text": "nobody"}, "annotations": [{"result": []}]}]), encoding="utf-8")
    rows, bad = read_all(inspect(tmp_path / "export.json"), max_bad_rows=0)
    assert not bad
    assert [row.triples for row in rows] == [tuple(sorted(TRIPLES)), ()]


def test_relations_in_a_form_that_is_not_read_are_told(tmp_path: Path) -> None:
    strange = [{"head": {"start": 6, "end": 9}, "tail": {"start": 20, "end": 24}, "kind": "works_for"}]
    path = written(tmp_path / "a.jsonl", {"text": TEXT, "entities": PLACES, "relations": strange})
    layout = inspect(path)
    assert layout.problem_type == "token_classification"
    assert any("column 'relations' lists something that is not read" in note for note in layout.notes)
    assert not any("not read" in note for note in inspect(path, task="named-entities").notes)


@pytest.mark.parametrize(("text", "words", "start"), [
    ("Theodore came; Theo works for Acme", "Theo", 15), ("Theodore works for Acme", "Theo", 0),
    ("张三丰在张三，Acme", "张三", 0), ("v20 and 20 of Acme", "20", 8), ("他用Theo写了Acme", "Theo", 2),
])
def test_words_are_found_where_they_are_whole(text: str, words: str, start: int) -> None:
    found = spoken(text, [{"head": words, "relation": "of", "tail": "Acme"}])
    assert found.triples[0].subject.start == start


def test_what_relations_name_is_told_for_the_whole_file(tmp_path: Path) -> None:
    entities = [{"id": 1, "start": 0, "end": 3, "label": "P"}, {"id": 2, "start": 7, "end": 11, "label": "O"},
                {"id": 3, "start": 15, "end": 19, "label": "L"}]
    row = {"text": "Ann of Acme in Rome", "entities": entities, "relations": [{"head": 1, "tail": 2, "label": "in"}]}
    ids = only(written(tmp_path / "ids.jsonl", row, row))
    assert {(one.subject.start, one.object.start) for one in ids.triples or ()} == {(0, 7)}
    other = {**row, "relations": [{"head": 0, "tail": 1, "label": "of"}]}
    places = only(written(tmp_path / "places.jsonl", row, other))
    assert {(one.subject.start, one.object.start) for one in places.triples or ()} == {(7, 15)}
