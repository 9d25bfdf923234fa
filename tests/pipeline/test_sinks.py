"""Labelled rows as they are written: no cell of the caller's is lost or breaks the file."""

from __future__ import annotations

import csv
import json
import math
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from luthier.pipeline.sinks import open_sink
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
