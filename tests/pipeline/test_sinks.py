"""Labelled rows as they are written: no cell of the caller's is lost or breaks the file."""

from __future__ import annotations

import csv
import importlib.util
import json
import math
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pytest

from luthier.data import Columns, inspect, read_all
from luthier.errors import DataError, MissingExtraError
from luthier.pipeline.sinks import check_sink, open_sink
from luthier.schema import Answer, Entities, Entity, Prediction

PREDICTION = Prediction(("good",), ("bad", "good"), np.array([0.25, 0.75], np.float32), truncated=True)


ENTITIES = Entities((Entity("PER", 0.5, "安", 0, 1),))


def written(place: Path, *rows: dict[str, Any], answer: Answer = PREDICTION) -> str:
    with open_sink(place, type(answer)) as write:
        for number, cells in enumerate(rows, 1):
            write(f"rows:{number}", cells, answer)
    return place.read_text(encoding="utf-8-sig")


def test_json_lines_keep_every_cell(tmp_path: Path) -> None:
    cells = {"text": "好", "day": date(2026, 1, 2), "none": math.nan, "score": 5, "half": "a\ud83d"}
    (line,) = written(tmp_path / "out.jsonl", cells).splitlines()
    assert json.loads(line) == {
        "id": "rows:1", "text": "好", "day": "2026-01-02", "none": None, "given_score": 5, "half": "a\ud83d",
        "label": "good", "labels": ["good"], "score": 0.75, "probabilities": {"bad": 0.25, "good": 0.75},
        "truncated": True}
    assert "好" in written(tmp_path / "out.jsonl", {"text": "好"})


def test_json_lines_are_json_whatever_the_cells_hold(tmp_path: Path) -> None:
    def refuse(name: str) -> None:
        raise AssertionError(name)

    cells = {"far": math.inf, "inner": [math.nan, {"deep": -math.inf}], "pair": (1.5, math.nan)}
    row = json.loads(written(tmp_path / "out.jsonl", cells), parse_constant=refuse)
    assert (row["far"], row["inner"], row["pair"]) == (None, [None, {"deep": None}], [1.5, None])


def test_tables_keep_every_cell(tmp_path: Path) -> None:
    cells = {"text": 'a "b", c\nd', "none": math.nan, "label": "x", "given_label": "y", "half": "a\ud83d",
             "tags": ["好"]}
    header, row = csv.reader(written(tmp_path / "out.csv", cells).splitlines(keepends=True))
    assert header == ["id", "text", "none", "given_given_label", "given_label", "half", "tags", "label", "score",
                      "truncated"]
    assert row == ["rows:1", 'a "b", c\nd', "", "x", "y", "a\\ud83d", '["好"]', "good", "0.750000", "true"]


def test_no_rows_give_a_header(tmp_path: Path) -> None:
    assert written(tmp_path / "out.csv") == "id,label,score,truncated\n"
    assert written(tmp_path / "out.jsonl") == ""


def test_standard_output_takes_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with open_sink(None, Prediction) as write:
        write("rows:1", {"text": "好"}, PREDICTION)
    assert json.loads(capsys.readouterr().out)["text"] == "好"


def test_entities_are_a_list_in_json_and_in_a_cell(tmp_path: Path) -> None:
    cells = {"text": "安", "entities": "x", "label": "y"}
    found = [{"entity_group": "PER", "score": 0.5, "word": "安", "start": 0, "end": 1}]
    (line,) = written(tmp_path / "out.jsonl", cells, answer=ENTITIES).splitlines()
    assert json.loads(line) == {"id": "rows:1", "text": "安", "given_entities": "x", "label": "y", "entities": found,
                                "truncated": False}
    header, row = csv.reader(written(tmp_path / "out.csv", cells, answer=ENTITIES).splitlines())
    assert header == ["id", "text", "given_entities", "label", "entities", "truncated"]
    assert json.loads(row[4]) == found
    assert row[5] == "false"
    assert written(tmp_path / "none.csv", answer=ENTITIES) == "id,entities,truncated\n"


def sheet(path: Path) -> list[list[Any]]:
    book = openpyxl.load_workbook(path, read_only=True)
    try:
        return [list(row) for row in book.worksheets[0].iter_rows(values_only=True)]
    finally:
        book.close()


def into(path: Path, *rows: dict[str, Any], answer: Answer = PREDICTION) -> list[list[Any]]:
    with open_sink(path, type(answer)) as write:
        for number, cells in enumerate(rows, 1):
            write(f"rows:{number}", cells, answer)
    return sheet(path)


def test_workbooks_keep_every_cell_and_its_kind(tmp_path: Path) -> None:
    zone = datetime(2026, 1, 2, 3, 4, tzinfo=timezone(timedelta(hours=8)))
    cells = {"text": "好\n\x0b", "day": datetime(2026, 1, 2), "count": 3, "half": 0.5, "yes": True, "none": math.nan,
             "formula": "=1+1", "fault": "#N/A", "zone": zone, "score": "x", "tags": ["好"], "much": math.inf}
    header, row = into(tmp_path / "out.xlsx", cells)
    given = ("given_score" if name == "score" else name for name in cells)
    assert header == ["id", *given, "label", "score", "truncated"]
    assert row == ["rows:1", "好\n\\x0b", datetime(2026, 1, 2), 3, 0.5, True, None, "=1+1", "#N/A", str(zone), "x",
                   '["好"]', "inf", "good", 0.75, True]
    long = {"account": 6222021234567890123, "least": -10**15, "fits": 10**15 - 1, "huge": 10**400}
    assert into(tmp_path / "long.xlsx", long)[1][1:5] == ["6222021234567890123", str(-10**15), 10**15 - 1, str(10**400)]
    assert into(tmp_path / "found.xlsx", {"text": "安"}, answer=ENTITIES)[1][2].startswith('[{"entity_group": "PER"')
    assert into(tmp_path / "none.xlsx") == [["id", "label", "score", "truncated"]]


def test_a_workbook_is_read_again_as_it_was_written(tmp_path: Path) -> None:
    into(tmp_path / "out.xlsx", {"text": "very good", "stars": 4}, {"text": "很好", "stars": 5})
    layout = inspect(tmp_path / "out.xlsx", Columns(text="text", label="stars"))
    rows, _ = read_all(layout, max_bad_rows=0)
    assert [(row.text, row.labels) for row in rows] == [("very good", ("4",)), ("很好", ("5",))]


def test_what_excel_cannot_hold_is_refused_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "out.xlsx"
    with pytest.raises(DataError, match="a text of 32,768 characters does not fit into a cell of Excel") as error:
        into(place, {"text": "a" * 32_768})
    assert "write .jsonl or .csv instead" in str(error.value)
    with pytest.raises(DataError, match="a text of 32,768 characters does not fit"):  # as UTF-16 counts them
        into(place, {"text": "😀" * 16_384})
    assert len(into(place, {"text": "a" * 32_767})[1][1]) == 32_767
    monkeypatch.setattr("luthier.pipeline.workbooks.MOST_ROWS", 2)
    with pytest.raises(DataError, match="a sheet of Excel holds 2 rows, and there are more"):
        into(place, {"text": "a"}, {"text": "b"})
    assert [path.name for path in tmp_path.iterdir()] == ["out.xlsx"]
    assert len(sheet(place)[1][1]) == 32_767  # what stood there stands there still


def test_without_openpyxl_a_workbook_is_refused_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match="openpyxl"):
        check_sink(tmp_path / "out.xlsx", tmp_path / "in.csv")
