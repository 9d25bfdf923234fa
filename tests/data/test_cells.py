"""Cells of tables that spell lists and objects."""

import time
from typing import Any

import pytest

from luthier.data import Columns, inspect, read_all
from luthier.data.cells.labels import as_list, spelt


@pytest.mark.parametrize(("cell", "members"), [
    ('["a", "b"]', ["a", "b"]),
    ("['a', 'b']", ["a", "b"]),
    ("['EU' 'rejects'\n 'German']", ["EU", "rejects", "German"]),
    ('[\'EU\' "it\'s"]', ["EU", "it's"]),
    ("[3 0 7]", [3, 0, 7]),
    ("[1. 2.5 nan]", [1.0, 2.5, None]),
    ("[[1 2]\n [3 4]]", [[1, 2], [3, 4]]),
    ("[array([1, 2]), 3]", [[1, 2], 3]),
    ("[{'role': 'user', 'content': 'a ] b'}\n {'role': 'assistant', 'content': \"it's\"}]",
     [{"role": "user", "content": "a ] b"}, {"role": "assistant", "content": "it's"}]),
    ("[u'a', u'b']", ["a", "b"]),
    ("['see array([1, 2]) here']", ["see array([1, 2]) here"]),
    ("['a' ... 'b']", None),
    ("[unk]", None),
    ("[see] (below)", None),
])
def test_lists_as_json_python_and_numpy_write_them(cell: str, members: list[Any] | None) -> None:
    assert as_list(cell) == members


def test_objects_as_data_frames_write_them() -> None:
    assert spelt("{'text': array(['a', 'b'], dtype=object), 'start': array([3, 5])}") == {
        "text": ["a", "b"], "start": [3, 5]}


def test_several_labels_of_a_numpy_array_stay_several(tmp_path: Any) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("text,labels\na,['toxic' 'insult']\nb,['toxic']\nc,['insult']\nd,[]\n", encoding="utf-8")
    found, _ = read_all(inspect(path), max_bad_rows=0)
    assert [row.labels for row in found] == [("toxic", "insult"), ("toxic",), ("insult",), ()]


def test_columns_that_say_yes_or_no_are_several_labels(tmp_path: Any) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("id,comment,toxic,insult,threat\n1,fine words,0,0,0\n2,bad words,1,1.0,0\n3,no words,false,0,TRUE\n"
                    "4,odd words,0,-1,0\n", encoding="utf-8")
    layout = inspect(path, Columns(label="toxic,insult,threat"))
    assert layout.problem_type == "single_label_classification"  # one of four says neither: levels, as it was asked
    with path.open("a", encoding="utf-8") as file:
        file.writelines(f"{number},more words {number},1,0,no\n" for number in range(5, 20))
    layout = inspect(path, Columns(label="toxic,insult,threat"))
    assert layout.problem_type == "multi_label_classification"
    found, bad = read_all(layout, max_bad_rows=1)
    assert [row.labels for row in found[:4]] == [(), ("toxic", "insult"), ("threat",), ("toxic",)]
    assert [row.line for row in bad] == [5]
    assert any("--label toxic,insult,threat" in note for note in inspect(path).notes)


def test_texts_in_brackets_cost_little() -> None:
    started = time.perf_counter()
    assert as_list("[" + r"INSERT \'x\' " * 8000 + "]") is None
    assert time.perf_counter() - started < 2
