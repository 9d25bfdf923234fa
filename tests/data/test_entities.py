"""Texts with marked entities, in the forms of the tools that people mark them with."""

import csv
import json

import pytest

from luthier.data import Columns, from_arrays, inspect, read, read_all
from luthier.data.cells.spans import glue_of, joined
from luthier.errors import DataError, UnknownNameError
from luthier.schema import Span

TEXT = " 张三 lives in 北京. "
SPANS = (Span(1, 3, "人"), Span(13, 15, "地"))
MARKS = [(13, 15, "地"), (1, 3, "人"), (1, 3, "人")]


@pytest.fixture
def jsonl(tmp_path):
    def write(*rows, name="rows.jsonl"):
        path = tmp_path / name
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
        return path

    return write


def only(path, columns=Columns(), **more):  # noqa: B008 - frozen
    layout = inspect(path, columns, **more)
    examples, _ = read_all(layout, max_bad_rows=0)
    return layout, examples[0]


OBJECTS = [dict(zip(("start", "end", "label"), mark, strict=True)) for mark in MARKS]


@pytest.mark.parametrize(("column", "cell"), [
    ("entities", OBJECTS), ("spans", OBJECTS), ("label", [list(mark) for mark in MARKS]), ("ner", OBJECTS),
    ("entities", [{"id": 1, "start_offset": s, "end_offset": e, "label": x} for s, e, x in MARKS]),
    ("annotations", [{"begin": s, "finish": float(e), "type": x, "text": TEXT[s:e]} for s, e, x in MARKS]),
    ("labels", [{"offset": s, "length": e - s, "tag": x} for s, e, x in MARKS]),
    ("entities", [{"start": s, "end": e, "entity_group": x, "word": TEXT[s:e], "score": 1} for s, e, x in MARKS]),
    ("entities", [{"start_idx": s, "end_idx": e, "type": x, "entity": TEXT[s:e]} for s, e, x in MARKS]),
    ("label", [{"start": s, "end": e, "text": TEXT[s:e], "labels": [x]} for s, e, x in MARKS]),
    ("label", {"人": {"张三": [[1, 2]]}, "地": {"北京": [[13, 14]]}}),
    ("实体", [[s - 1, e + 1, x] for s, e, x in MARKS[1:]] + [[12, 15, "地"]]),  # white space is taken off
])
def test_spans_of_a_text(column, cell, jsonl, tmp_path):
    if column == "实体":
        cell = [[0, 3, "人"], [12, 15, "地"]]
    layout, row = only(jsonl({"id": 7, "text": TEXT, column: cell}, {"id": 8, "text": "nothing", column: type(cell)()}))
    assert (layout.problem_type, layout.text, layout.spans, layout.tokens) == (
        "token_classification", "text", column, None)
    assert (row.text, row.spans, row.labels) == (TEXT, SPANS, None)
    assert any("named entities" in note and repr(column) in note for note in layout.notes)
    with (tmp_path / "rows.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", column), (TEXT, json.dumps(cell, ensure_ascii=False)), ("none", "[]")])
    assert only(tmp_path / "rows.csv")[1].spans == SPANS


def test_label_studio(tmp_path):
    def task(number, results, **more):
        return {"id": number, "data": {"text": TEXT}, "annotations": [{"was_cancelled": True, "result": []},
                                                                      {"result": results, **more}]}

    marks = [{"type": "labels", "value": {"start": s, "end": e, "text": TEXT[s:e], "labels": [x]}} for s, e, x in MARKS]
    untouched = {**task(3, []), "annotations": []}
    (tmp_path / "export.json").write_text(json.dumps([
        task(1, [*marks, {"type": "relation"}, {"value": {"choices": ["x"]}}]), task(2, []), untouched]))
    layout = inspect(tmp_path / "export.json")
    examples, bad = read_all(layout, max_bad_rows=1)
    assert [row.spans for row in examples] == [SPANS, ()]
    assert [row.reason for row in bad] == ["expected a list of spans, came nothing"]
    assert next(read(inspect(tmp_path / "export.json", labelled=False), on_bad=pytest.fail)).text == TEXT


def test_what_prodigys_annotators_rejected_is_left_out(jsonl):
    rows = [{"text": TEXT, "_input_hash": n, "spans": [{"start": s, "end": e, "label": x} for s, e, x in MARKS],
             "answer": answer} for n, answer in enumerate(("accept", "reject", "ignore", "accept"))]
    path = jsonl(*rows)
    examples, bad = read_all(inspect(path), max_bad_rows=2)
    assert [row.spans for row in examples] == [SPANS, SPANS]
    assert len(read_all(inspect(path, labelled=False), max_bad_rows=0)[0]) == 4  # texts as others, to be answered
    classes = jsonl(*({"text": f"text {n}", "_input_hash": n, "label": "ab"[n % 2], "answer": answer}
                      for n, answer in enumerate(("accept", "reject", "accept"))))
    assert [row.labels for row in read_all(inspect(classes, Columns(label="label")), max_bad_rows=1)[0]] == [
        ("a",), ("a",)]
    assert [row.reason for row in bad] == [
        f"its annotator said '{said}' to it in Prodigy" for said in ("reject", "ignore")]


@pytest.mark.parametrize(("tokens", "tags"), [("tokens", "ner_tags"), ("words", "labels"), ("chars", "label"),
                                              ("tokens", "tags"), ("Tokens", "NER")])
def test_tokens_with_tags(tokens, tags, jsonl):
    layout, row = only(jsonl({"id": 1, tokens: ["Anna", "Li", "is", "in", "北京", "市", "。"],
                              tags: ["B-PER", "I-PER", "O", "O", "B-LOC", "I-LOC", "O"]}, {tokens: [], tags: []}))
    assert (layout.problem_type, layout.tokens, layout.text, layout.spans, layout.label, layout.glue) == (
        "token_classification", tokens, tokens, tags, tags, " ")
    assert row.text == "Anna Li is in 北京市。"
    assert row.spans == (Span(0, 7, "PER"), Span(14, 17, "LOC"))
    again, same = only(layout.path, Columns(text=layout.text, label=layout.label))
    assert same == row
    assert again.spans == tags


def test_tokens_with_types_alone(jsonl):
    layout, row = only(jsonl({"tokens": ["Ann", "Lee", "met", "Bo"], "tags": ["PER", "PER", "O", "PER"]}))
    assert row.spans == (Span(0, 7, "PER"), Span(12, 14, "PER"))
    assert layout.bare_tags


@pytest.mark.parametrize("column", ["labels", "tags", "ner_tags", "Tag"])
def test_tags_in_one_cell(column, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text(f"text,{column}\nAnn  Lee met Bo.,B-PER I-PER O B-PER\nnobody came,O O\nBo,B-PER\n"
                    "not now,O O\nno more,O\nbad tag here,O b-PER O\n", encoding="utf-8")
    layout = inspect(path)
    rows, bad = read_all(layout, max_bad_rows=2)
    assert (layout.problem_type, layout.text) == ("token_classification", "text")
    assert [row.spans for row in rows] == [(Span(0, 8, "PER"), Span(13, 16, "PER")), (), (Span(0, 2, "PER"),), ()]
    assert [(row.line, row.reason) for row in bad] == [
        (6, "2 tokens came with 1 tags"), (7, "unknown tag 'b-PER': expected O, or B, I, E, S, L, U or M with a hyphen "
                                              "and a type, such as B-PER: write 'B-PER'")]


@pytest.mark.parametrize(("text", "tags", "spans"), [
    ("EU rejects German call", ["B-org", "O", "B-gpe", "O"], (Span(0, 2, "org"), Span(11, 17, "gpe"))),
    ("我爱北京", ["O", "O", "B-LOC", "I-LOC"], (Span(2, 4, "LOC"),)),
    ("我 爱\u3000北京", "O O B-LOC I-LOC", (Span(4, 6, "LOC"),)),
    (["我", "爱", "北", "京"], ["O", "O", "B-LOC", "I-LOC"], (Span(2, 4, "LOC"),)),
])
@pytest.mark.parametrize("column", ["labels", "ner_tags"])
def test_tags_beside_a_text(text, tags, spans, column, jsonl):
    layout, row = only(jsonl({"text": text, column: tags}, {"text": text, column: tags}))
    assert (layout.problem_type, row.spans) == ("token_classification", spans)


def test_several_labels_that_look_like_tags_stay_labels(jsonl):
    rows = [{"text": f"a coat, number {n}, for all sizes", "labels": ["B-1", "S-2"]} for n in range(4)]
    assert inspect(jsonl(*rows)).problem_type == "multi_label_classification"


def test_classes_that_look_like_a_tag_stay_classes(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("text,label\na coat that fits,B-1\ntoo small for me,S-2\nround,O\n", encoding="utf-8")
    assert inspect(path).problem_type == "single_label_classification"


def test_one_row_of_tokens_is_a_row_and_not_a_table(jsonl):
    assert only(jsonl({"tokens": ["Anna", "is"], "tags": ["S-PER", "O"]}))[1].text == "Anna is"


def test_single_characters_are_joined_without_spaces(jsonl):
    layout, row = only(jsonl({"chars": list("去 CSOL 吧"), "tags": ["O", "O", *["B-G", *["I-G"] * 3], "O", "O"]}))
    assert (layout.glue, row.text, row.spans) == ("", "去 CSOL 吧", (Span(2, 6, "G"),))
    assert glue_of([["a"] * 99 + ["bb"]]) == ""
    assert glue_of([["a"] * 98 + ["bb", "cc"]]) == " "
    assert glue_of([]) == " "


@pytest.mark.parametrize(("tokens", "text"), [
    ("他 说 ： “ 你好 ” …… Python 3 很 好", "他说：“你好”…… Python 3 很好"),
    ("“ Hello ” — he", "“ Hello ” — he"), ("他 说 “ ok ” ， 走", "他说“ ok ”，走"), ("東京 タワー", "東京タワー"),
    ("나는 학교에", "나는 학교에"), ("", ""),
])
def test_no_space_stands_between_chinese_characters(tokens, text):
    found, places = joined(tokens.split(), " ")
    assert found == text
    assert [found[start:end] for start, end in places] == tokens.split()


def test_empty_tokens_cost_nothing():
    assert joined(["北", "", "京"], " ")[0] == "北京"
    assert joined(["", "a", "", "b"], " ") == ("a b", [(0, 0), (0, 1), (1, 1), (2, 3)])


def test_numbers_for_tags_are_refused_with_what_to_write(jsonl):
    path = jsonl({"tokens": ["EU", "is"], "ner_tags": [3, 0]})
    with pytest.raises(DataError, match="the tags in column 'ner_tags' are numbers") as caught:
        inspect(path)
    assert "write the names" in caught.value.fix
    assert inspect(path, labelled=False).tokens == "tokens"


BAD = [([[0, 99, "X"]], r"the span 0-99 \(X\) lies outside the text of 17 characters"),
       ([[-1, 2, "X"]], "lies outside"), ([[3, 3, "X"]], r"the span 3-3 \(X\) holds no character"),
       ([[3, 1, "X"]], "holds no character"), ([[3, 4, "X"]], "holds only white space"),
       ([[1, 3, None]], r"the span 1-3 has no label \(None\)"), ([[1, 3, ""]], "has no label"),
       ([{"start": 1, "end": 3}], "has no label"), ([{"start": 1, "label": "X"}], "a span has the keys start, label"),
       ([{"start": "1", "end": 3, "label": "X"}], "a span's place is '1', expected a whole number"),
       ([{"start": 1, "end": 2, "label": "X", "text": "张三"}], "the span 1-2 is '张' and not '张三': places"),
       (["X"], "expected spans as objects"), ("X", "expected a list of spans, came str"),
       (None, "expected a list of spans, came nothing"), ([{}], r"the keys \(none\)"),
       ({"X": [[1, 2]]}, "came list for 'X'"), ({"X": {"张三": [[1]]}}, r"expected \[first, last\]"),
       ({"X": {"北京": [[1, 2]]}}, "not '北京'")]


@pytest.mark.parametrize(("cell", "reason"), BAD)
def test_bad_spans_are_bad_rows(cell, reason, jsonl):
    good = {"text": TEXT, "entities": [[1, 3, "X"]]}
    layout = inspect(jsonl(good, good, {"text": TEXT, "entities": cell}))
    examples, bad = read_all(layout, max_bad_rows=1)
    assert len(examples) == 2
    assert bad[0].line == 3
    with pytest.raises(ValueError, match=reason):
        raise ValueError(bad[0].reason)


@pytest.mark.parametrize(("row", "reason"), [
    ({"tokens": ["a", "b"], "tags": ["O"]}, "2 tokens came with 1 tags"),
    ({"tokens": ["a"], "tags": ["PER"]}, "unknown tag 'PER'"), ({"tokens": ["a"], "tags": [1]}, "unknown tag '1'"),
    ({"tokens": ["a"]}, "expected a list of tags, came nothing"), ({"tokens": ["a"], "tags": "O"}, "came str"),
    ({"tokens": [1], "tags": ["O"]}, "'tokens': token 1 is int, expected text"),
    ({"tokens": "a", "tags": ["O"]}, "'tokens': expected a list of tokens, came str"),
    ({"tokens": ["\ud800"], "tags": ["O"]}, "half a surrogate pair"),
])
def test_bad_tokens_are_bad_rows(row, reason, tmp_path):
    path = tmp_path / "rows.jsonl"
    good = {"tokens": ["Anna"], "tags": ["B-PER"]}
    layout_of = [good] * 3
    path.write_text("".join(json.dumps(one) + "\n" for one in layout_of))
    layout = inspect(path)
    path.write_text("".join(json.dumps(one) + "\n" for one in [*layout_of, row]))
    _, bad = read_all(layout, max_bad_rows=1)
    assert bad[0].line == 4
    assert reason in bad[0].reason


def test_nested_spans_are_kept_and_text_is_kept_exactly(jsonl):
    text = "\u200b上海大学\r\n "
    _, row = only(jsonl({"text": text, "spans": [[1, 5, "ORG"], [1, 3, "LOC"], [1, 3, "LOC"]]}))
    assert row.text == text
    assert row.spans == (Span(1, 3, "LOC"), Span(1, 5, "ORG"))


def test_a_label_of_the_text_beside_the_entities_goes_on_being_what_is_learned(jsonl):
    path = jsonl(*({"text": "to 北京", "intent": name, "entities": [[3, 5, "LOC"]]} for name in ("go", "stay") * 2))
    layout = inspect(path)
    assert (layout.problem_type, layout.label, layout.spans) == ("single_label_classification", "intent", None)
    assert any("'entities' marks entities, which are not read" in note for note in layout.notes)
    assert inspect(path, task="text-classification").label == "intent"
    assert inspect(path, task="named-entities").spans == "entities"
    assert inspect(path, Columns(label="entities")).problem_type == "token_classification"


def test_no_entity_in_the_first_rows_needs_the_task(jsonl):
    path = jsonl({"text": "Anna", "entities": []}, {"text": "Bob", "entities": []})
    assert only(path, task="named-entities")[1].spans == ()
    with pytest.raises(DataError, match="no label column"):
        inspect(path)


def test_tokens_with_one_label_are_a_text_to_classify(jsonl):
    layout, row = only(jsonl({"tokens": ["good", "film"], "label": "pos"}, {"tokens": ["bad", "one"], "label": "neg"}))
    assert (layout.problem_type, layout.tokens, layout.spans) == ("single_label_classification", "tokens", None)
    assert (row.text, row.labels, row.spans) == ("good film", ("pos",), None)


def test_lists_of_labels_stay_labels(jsonl):
    layout = inspect(jsonl({"text": "a b", "labels": ["x", "y"]}, {"text": "c d", "labels": []}))
    assert layout.problem_type == "multi_label_classification"


@pytest.mark.parametrize(("row", "task", "columns", "message"), [
    ({"text": "a b", "label": "x"}, "named-entities", Columns(), "marks no entities that can be read; the columns"),
    ({"text": "a b", "label": [[0, 1, "x"]]}, "text-classification", Columns(),
     "marks entities in column 'label', and text-classification needs one label"),
    ({"tokens": ["a"], "ner_tags": ["O"]}, "text-classification", Columns(label="ner_tags"), "needs one label"),
    ({"text": "a b", "more": "c", "label": [[0, 1, "x"]]}, "named-entities", Columns(text_b="more"),
     "'more' is named for a second"),
])
def test_a_file_that_does_not_fit_the_task(row, task, columns, message, jsonl):
    with pytest.raises(DataError, match=message) as caught:
        inspect(jsonl(row, row), columns, task=task)
    assert caught.value.fix


def test_an_unknown_task(jsonl):
    known = ("causal-language-modelling, dialogue, entities-and-relations, masked-language-modelling, named-entities, "
             "question-answering, re-ranking, regression, relations, similarity, text")
    with pytest.raises(UnknownNameError, match=f"'ner'; known: {known}"):
        inspect(jsonl({"text": "a"}), task="ner")


@pytest.mark.parametrize("labels", [
    [[(1, 3, "人"), (13, 15, "地")], []], [OBJECTS, []], [list(SPANS), ()],
])
def test_arrays_of_entities(labels):
    rows = from_arrays([TEXT, "none"], labels, problem_type="token_classification")
    assert [row.spans for row in rows] == [SPANS, ()]
    assert rows[0].labels is None
    assert from_arrays([TEXT], None, problem_type="token_classification")[0].spans is None


@pytest.mark.parametrize(("texts", "labels", "message"), [
    ([TEXT], [None], "row 1: expected a list of spans, came nothing"), ([("a", "b")], [[]], "row 1: .* came a pair"),
    (["ab", "c"], [[], [(0, 2, "X")]], "row 2: the span 0-2 .* outside the text of 1"),
])
def test_arrays_of_entities_that_do_not_fit(texts, labels, message):
    with pytest.raises(DataError, match=message) as caught:
        from_arrays(texts, labels, problem_type="token_classification")
    assert "(start, end, label)" in caught.value.fix


def test_spacy_pairs_and_their_inner_object_are_read(tmp_path):
    pairs = [[TEXT, {"entities": [list(mark) for mark in MARKS]}], ["nothing", {"entities": []}]]
    for name, content in (("pairs.json", pairs), ("annotator.json", {"classes": ["人"], "annotations": pairs}),
                          ("inner.json", [{"text": text, "entities": inner} for text, inner in pairs])):
        (tmp_path / name).write_text(json.dumps(content), encoding="utf-8")
        layout = inspect(tmp_path / name)
        rows, bad = read_all(layout, max_bad_rows=0)
        assert (layout.problem_type, layout.text, layout.label, bad) == ("token_classification", "text", "entities", [])
        assert [(row.text, row.spans) for row in rows] == [(TEXT, SPANS), ("nothing", ())]


KAGGLE = [("Sentence: 1", "Anna", "NNP", "B-per"), ("", "met", "VBD", "O"), ("", "Bob", "NNP", "B-per"),
          ("", "Smith", "NNP", "I-per"), ("Sentence: 2", "Rome", "NNP", "B-geo"), ("", ".", ".", "O")]


@pytest.mark.parametrize("filled", ["first", "all"])
@pytest.mark.parametrize(("name", "delimiter"), [("ner_dataset.csv", ","), ("ner_dataset.tsv", "\t")])
def test_a_table_with_one_token_a_row_is_joined_to_sentences(filled, name, delimiter, tmp_path):
    rows, last = [], ""
    for sentence, *cells in KAGGLE:
        last = sentence or last
        rows.append((last if filled == "all" else sentence, *cells))
    with (tmp_path / name).open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows([("Sentence #", "Word", "POS", "Tag"), *rows])
    layout = inspect(tmp_path / name)
    assert (layout.problem_type, layout.tokens, layout.label) == ("token_classification", "tokens", "ner_tags")
    assert any("one token a row" in note and "'Sentence #'" in note for note in layout.notes)
    found, bad = read_all(layout, max_bad_rows=0)
    assert [(row.id, row.text, row.spans) for row in found] == [
        (f"{name}:2", "Anna met Bob Smith", (Span(0, 4, "per"), Span(9, 18, "per"))),
        (f"{name}:6", "Rome .", (Span(0, 4, "geo"),))]
    assert not bad


def test_rows_before_the_first_number_are_a_sentence(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("sentence_id,token,tag\n,Anna,B-PER\n,left,O\n2,Rome,B-GEO\n", encoding="utf-8")
    assert [row.text for row in read_all(inspect(path), max_bad_rows=0)[0]] == ["Anna left", "Rome"]


def test_a_sentence_with_a_bad_row_is_left_out_whole(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("sentence_id,token,tag\n1,Anna,B-PER\n1,x,O,too,many\n1,met,O\n2,Rome,B-GEO\n", encoding="utf-8")
    found, bad = read_all(inspect(path), max_bad_rows=2)
    assert [(row.text, row.id) for row in found] == [("Rome", "rows.csv:5")]
    assert sorted(row.line for row in bad) == [2, 3]


@pytest.mark.parametrize(("numbers", "kept"), [(("1", "1", "2", "2", "3"), ["ok"]), (("1", "", "2", "", "3"), ["ok"]),
                                               (("1", "", "", "2", "3"), ["Oslo", "ok"])])
def test_a_bad_row_between_sentences_spoils_those_it_may_belong_to(numbers, kept, tmp_path):
    path = tmp_path / "rows.csv"
    cells = [("John", "B-PER"), ("left", "O"), ("x", "O,too,many"), ("Oslo", "B-LOC"), ("ok", "O")]
    path.write_text("sentence_id,token,tag\n" + "".join(
        f"{number},{token},{tag}\n" for number, (token, tag) in zip(numbers, cells, strict=True)), encoding="utf-8")
    found, bad = read_all(inspect(path), max_bad_rows=3)
    assert [row.text for row in found] == kept
    assert {2, 4} <= {row.line for row in bad}


def test_columns_of_words_and_labels_that_are_no_tags_stay_rows(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("sentence_id,word,label\n1,good,pos\n1,bad,neg\n2,fine,pos\n3,poor,neg\n", encoding="utf-8")
    assert inspect(path).problem_type == "single_label_classification"


def test_lower_case_tags_say_how_they_are_written(jsonl, tmp_path):
    layout = inspect(jsonl({"tokens": ["a", "b"], "tags": ["B-PER", "O"]}, {"tokens": ["a"], "tags": ["b-PER"]}))
    assert read_all(layout, max_bad_rows=1)[1][0].reason.endswith("such as B-PER: write 'B-PER'")
    path = tmp_path / "rows.conll"
    path.write_text("Anna b-per\nmet o\n\nBob b-per\nleft o\n", encoding="utf-8")
    with pytest.raises(DataError, match="unknown tag 'b-per'.*: write 'B-per'"):
        read_all(inspect(path), max_bad_rows=2)
