import json

import numpy as np
import pytest

from luthier.data import Columns, from_arrays, inspect, label_name, read, read_all
from luthier.data.cells.labels import label_names, natural_order
from luthier.errors import DataError


@pytest.fixture
def jsonl(tmp_path):
    def write(*rows, name="rows.jsonl"):
        path = tmp_path / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize(("value", "name"), [
    (True, "true"), (1, "1"), (1.0, "1"), (0.5, "0.5"), (" pos\u3000", "pos"), ("", None), (None, None),
    (float("nan"), None), ("NaN", None), ("none", "none"), (np.int64(3), "3"), (np.float32(2.0), "2"),
    (np.bool_(False), "false"), (np.str_("a"), "a"), (float("inf"), "inf"),
])
def test_label_name(value, name):
    assert label_name(value) == name


@pytest.mark.parametrize(("cell", "separator", "names"), [
    (["a", "b", "a"], None, ("a", "b")), ('["a", "b"]', None, ("a", "b")), ("['a', 'b']", None, ("a", "b")),
    ("[]", None, ()),
    ("a|b", "|", ("a", "b")), ("a | b|", "|", ("a", "b")), ("", "|", ()), (None, "|", ()), ("a,b", None, ("a,b",)),
    (None, None, None), ([1, True], None, ("1", "true")), (np.array(["x", "y"]), None, ("x", "y")),
])
def test_label_names(cell, separator, names):
    assert label_names(cell, separator) == names


def test_label_order_is_natural():
    assert natural_order(["10", "9", "-1"]) == ("-1", "9", "10")
    assert natural_order(["class 10", "class 2", "Class 1"]) == ("Class 1", "class 2", "class 10")
    assert natural_order(["坏", "好"]) == ("坏", "好")
    assert natural_order(["²", "2", "a"]) == ("2", "a", "²")


@pytest.mark.parametrize(("columns", "text", "text_b", "label"), [
    (("text", "label"), "text", None, "label"), (("Review Text", "Sentiment"), "Review Text", None, "Sentiment"),
    (("id", "sentence1", "sentence2", "gold_label"), "sentence1", "sentence2", "gold_label"),
    (("premise", "hypothesis", "label"), "premise", "hypothesis", "label"),
    (("评论内容", "情感倾向"), "评论内容", None, "情感倾向"),
    (("label", "label_text", "text"), "text", None, "label_text"),
    (("title", "content", "category"), "content", None, "category"),
    (("text_a", "text_b", "y"), "text_a", "text_b", "y"),
])
def test_columns_by_their_names(columns, text, text_b, label, jsonl):
    layout = inspect(jsonl({name: f"{name} said" for name in columns}, {name: f"{name} again" for name in columns}))
    assert (layout.text, layout.text_b, layout.label) == (text, text_b, label)
    assert layout.notes


def test_columns_by_their_values(jsonl):
    rows = [{"nr": i, "was": f"ein langer Satz mit der Nummer {i}", "wie": "gut" if i % 2 else "schlecht"}
            for i in range(10)]
    layout = inspect(jsonl(*rows))
    assert (layout.text, layout.label) == ("was", "wie")
    assert "its cells are the longest" in layout.notes[0]
    assert "few distinct values" in layout.notes[1]


def test_no_label_is_looked_for_when_none_is_needed(jsonl):
    layout = inspect(jsonl({"text": "a"}, {"text": "b"}), labelled=False)
    assert layout.label is None
    assert [row.labels for row in read(layout, on_bad=pytest.fail)] == [None, None]


def test_the_callers_word_counts(jsonl):
    path = jsonl({"sentence1": "a", "sentence2": "b", "x": "1"}, {"sentence1": "c", "sentence2": "d", "x": "2"})
    layout = inspect(path, Columns(text="Sentence2", label="x"))
    assert (layout.text, layout.text_b, layout.label) == ("sentence2", None, "x")


@pytest.mark.parametrize(("columns", "problem", "fix"), [
    (Columns(text="txet"), "no column 'txet' for text; the columns are 'text', 'label'", "did you mean 'text'?"),
    (Columns(label="lable"), "no column 'lable' for label", "did you mean 'label'?"),
    (Columns(text_b="zzz"), "no column 'zzz' for text_b", "use one of the known names"),
])
def test_a_missing_column_names_the_nearest(columns, problem, fix, jsonl):
    with pytest.raises(DataError, match=problem) as caught:
        inspect(jsonl({"text": "a", "label": "b"}), columns)
    assert caught.value.fix == fix


def test_no_column_that_could_be_a_label(jsonl):
    with pytest.raises(DataError, match="found no label column among 'other'") as caught:
        inspect(jsonl(*({"text": f"t{i}", "other": f"unique {i}"} for i in range(9))))
    assert "--label COLUMN" in caught.value.fix
    with pytest.raises(DataError, match="found no column of text among 'a', 'b'"):
        inspect(jsonl({"a": 1, "b": 2}))


def test_missing_files_and_directories(tmp_path, jsonl):
    jsonl({"text": "a"}, name="reviews.jsonl")
    with pytest.raises(DataError, match="there is no file") as caught:
        inspect(tmp_path / "review.jsonl")
    assert "did you mean 'reviews.jsonl'?" in caught.value.fix
    with pytest.raises(DataError, match="there is no file") as caught:
        inspect(tmp_path / "nowhere" / "a.csv")
    assert "does not exist either" in caught.value.fix
    with pytest.raises(DataError, match="is a directory") as caught:
        inspect(tmp_path)
    assert "reviews.jsonl" in caught.value.fix


def test_several_labels(jsonl, tmp_path):
    lists = inspect(jsonl({"text": "a", "labels": ["x", "y"]}, {"text": "b", "labels": []}))
    assert lists.problem_type == "multi_label_classification"
    assert [row.labels for row in read_all(lists, max_bad_rows=0)[0]] == [("x", "y"), ()]
    spelled = tmp_path / "spelled.csv"
    spelled.write_text('text,labels\na,"[""x"", ""y""]"\nb,[]\n', encoding="utf-8")
    assert [row.labels for row in read_all(inspect(spelled), max_bad_rows=0)[0]] == [("x", "y"), ()]
    commas = tmp_path / "commas.csv"
    commas.write_text('text,label\na,"x, y"\nb,"x"\n', encoding="utf-8")
    assert inspect(commas).problem_type == "single_label_classification"
    parted = inspect(commas, Columns(label_separator=","))
    assert parted.problem_type == "multi_label_classification"
    assert [row.labels for row in read_all(parted, max_bad_rows=0)[0]] == [("x", "y"), ("x",)]


def test_bad_labels_say_what_came(jsonl):
    bad = []
    layout = inspect(jsonl({"text": "a", "label": "x"}, {"text": "b", "label": {"k": 1}},
                           {"text": "c", "label": "half \ud800"}))
    assert len(list(read(layout, on_bad=bad.append))) == 1
    assert [row.reason for row in bad] == ["'label': expected a label, came dict",
                                           "'label': character 6 is half a surrogate pair, not text"]


def test_too_many_bad_rows_are_listed(jsonl):
    path = jsonl({"text": "a", "label": "x"}, *({"text": "b", "label": None} for _ in range(9)))
    with pytest.raises(DataError, match=r"more than 6 bad rows:\n  line 2: 'label' is empty(.|\n)*2 more") as caught:
        read_all(inspect(path), max_bad_rows=6)
    assert "data.max_bad_rows=" in caught.value.fix
    with pytest.raises(DataError, match="no row can be used"):
        read_all(inspect(jsonl({"text": "a", "label": None})), max_bad_rows=6)


def test_reading_is_lazy(jsonl):
    layout = inspect(jsonl(*({"text": f"row {i}", "label": "x"} for i in range(5))))
    rows = read(layout, on_bad=pytest.fail)
    assert next(rows).id == "rows.jsonl:1"


def test_arrays():
    rows = from_arrays(np.array(["a", "b"]), [True, 2.0])
    assert [(row.id, row.text, row.labels) for row in rows] == [("memory:1", "a", ("true",)),
                                                                ("memory:2", "b", ("2",))]
    pairs = from_arrays([("a", "b"), ["c", "d"]], [["x"], []])
    assert [(row.text, row.text_b, row.labels) for row in pairs] == [("a", "b", ("x",)), ("c", "d", ())]
    assert from_arrays(["a"], None)[0].labels is None


@pytest.mark.parametrize(("texts", "labels", "message"), [
    (["a"], ["x", "y"], "1 texts came with 2 labels"),
    ([1], ["x"], "row 1: expected a text or a pair of texts, came int"),
    (["a", "b"], ["x", None], "row 2: the label is missing"), ("abc", ["x"], "came one string"),
    (["a", float("nan")], ["x", "y"], "row 2: expected a text"),
])
def test_arrays_that_do_not_fit(texts, labels, message):
    with pytest.raises(DataError, match=message) as caught:
        from_arrays(texts, labels)
    assert caught.value.fix
