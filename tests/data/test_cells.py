"""Cells of tables that spell lists and objects."""

from typing import Any

import pytest

from luthier.data import inspect, read_all
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
