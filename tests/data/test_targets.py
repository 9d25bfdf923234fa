"""Files of texts and what is to be written for them: their names, their forms, and what is left to other tasks."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from luthier.data import Columns, from_arrays, inspect, prepare, read_all
from luthier.data.kind import kind_of
from luthier.errors import DataError
from luthier.recipe import PrepareSettings
from luthier.schema import GENERATED, Example

KIND = kind_of("text_generation")


def jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def rows_of(path: Path, columns: Columns = Columns(), **asked: Any) -> list[Example]:  # noqa: B008  (frozen)
    return read_all(inspect(path, columns, **asked), max_bad_rows=0, learning=True)[0]


@pytest.mark.parametrize(("source", "target"), [
    ("source", "target"), ("src", "tgt"), ("article", "highlights"), ("document", "summary"), ("dialogue", "summary"),
    ("Source Text", "target_text"), ("en", "de"), ("zh-CN", "en"), ("原文", "译文"), ("正文", "摘要"),
])
def test_columns_are_told_by_their_names(source: str, target: str, tmp_path: Path) -> None:
    path = jsonl(tmp_path / "p.jsonl", [{"id": n, source: f"ein Text {n}", target: f"a text {n}"} for n in range(12)])
    layout = inspect(path)
    assert (layout.problem_type, layout.text, layout.label) == ("text_generation", source, target)
    assert rows_of(path)[3] == Example("p.jsonl:4", "ein Text 3", targets=("a text 3",))


def test_translations_of_hugging_face_are_laid_open(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "t.jsonl", [{"id": str(n), "translation": {"en": f"a dog {n}", "de": f"ein Hund {n}"}}
                                        for n in range(5)])
    assert rows_of(path)[0] == Example("t.jsonl:1", "a dog 0", targets=("ein Hund 0",))
    turned = Columns(text="translation.de", label="translation.en")
    assert rows_of(path, turned, task="text-to-text")[4] == Example("t.jsonl:5", "ein Hund 4", targets=("a dog 4",))
    bare = inspect(path, Columns(text="translation.de"), labelled=False, task="text-to-text")
    assert (bare.text, bare.label) == ("translation.de", None)
    assert read_all(bare, max_bad_rows=0)[0][1] == Example("t.jsonl:2", "ein Hund 1")


def test_several_targets_are_all_right_and_stand_once(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "r.jsonl", [{"source": f"s {n}", "target": [f"a {n}", f"b {n}", " ", f"a {n}"]}
                                        for n in range(5)])
    assert rows_of(path)[2].targets == ("a 2", "b 2")


def test_a_cell_without_a_text_is_a_bad_row(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"source": f"s {n}", "target": f"t {n}"} for n in range(8)]
    rows += [{"source": "x", "target": ""}, {"source": "x", "target": []}, {"source": "x", "target": {"a": 1}},
             {"source": "x", "target": ["y", 3]}, {"source": "x"}]
    read, bad = read_all(inspect(jsonl(tmp_path / "b.jsonl", rows), task="text-to-text"), max_bad_rows=9)
    assert len(read) == 8
    assert [row.reason for row in bad] == [
        "'target' is empty: there is nothing to write", "'target' is empty: there is nothing to write",
        "'target': expected a text or a list of texts, came dict",
        "'target': expected a text or a list of texts, came list", "'target' is empty: there is nothing to write"]


@pytest.mark.parametrize("row", [
    lambda n: {"text": f"a review {n}", "target": "pn"[n % 2]},
    lambda n: {"source": f"shop {n % 3}", "target": "pn"[n % 2], "text": f"a review {n}"},
    lambda n: {"text": f"a review {n}", "summary": f"words {n}", "label": "pn"[n % 2]},
    lambda n: {"text": f"a review {n}", "summary": f"words {n}", "rating": n % 5},
    lambda n: {"input": f"a review {n}", "output": "pn"[n % 2]},
    lambda n: {"source": f"a review {n}", "target": n},
])
def test_labels_stay_labels(row: Any, tmp_path: Path) -> None:
    path = jsonl(tmp_path / "l.jsonl", [row(n) for n in range(20)])
    assert inspect(path).problem_type != "text_generation"


def test_columns_that_are_named_go_before_guesses(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("frage", "antwort", "quelle"), *((f"f {n}", f"a {n}", "web") for n in range(9))])
    asked = Columns(text="frage", label="antwort")
    assert rows_of(path, asked, task="text-to-text")[1] == Example("t.csv:3", "f 1", targets=("a 1",))
    assert inspect(path, asked).problem_type != "text_generation"
    with pytest.raises(DataError, match=r"found no column of targets among .*\n.*--text SOURCE --label TARGET"):
        inspect(path, Columns(text="frage"), task="text-to-text")
    with pytest.raises(DataError, match=r"'frage' is named for text and for label"):
        inspect(path, Columns(text="frage", label="frage"), task="text-to-text")
    with pytest.raises(DataError, match=r"writes for one text, and --text-b names a second"):
        inspect(path, Columns("frage", "quelle", "antwort"), task="text-to-text")
    with pytest.raises(DataError, match=r"no column 'antwrt' for label"):
        inspect(path, Columns("frage", label="antwrt"), task="text-to-text")


def test_what_is_written_keeps_its_signs_whatever_is_done_to_sources() -> None:
    row = Example("f:1", "ＡＢＣ，", targets=("ＡＢＣ， e\u0301",))
    assert KIND.normal(row, "nfkc") == Example("f:1", "ABC,", targets=("ＡＢＣ， é",))
    assert KIND.normal(row, "none") is row


def test_a_data_set_tells_how_long_targets_are_and_when_they_are_copies() -> None:
    sources = [f"row {n}" for n in range(20)]
    dataset, report = prepare(from_arrays(sources, sources, problem_type="text_generation"), None, None,
                              PrepareSettings(), 1, problem_type="text_generation")
    assert (dataset.labels.names, dataset.labels.problem_type) == ((GENERATED,), "text_generation")
    assert report.targets["train"] == {"min": 5.0, "mean": pytest.approx(5.5, abs=0.2), "max": 6.0, "count": 12.0,
                                       "rows": 12.0}
    assert any("12 of 12 train targets are their sources" in note for note in report.notes)
    assert any(line.startswith("targets: train 5 to 6 characters") for line in report.lines())


def test_rows_in_memory_are_texts_with_texts() -> None:
    with pytest.raises(DataError, match=r"expected a text, came a pair of texts\n.*join the two"):
        from_arrays([("a", "b")], ["c"], problem_type="text_generation")
    with pytest.raises(DataError, match=r"'target' is empty.*\n.*or a list of them"):
        from_arrays(["a"], [""], problem_type="text_generation")
    with pytest.raises(DataError, match=r"train: 1 rows have no text to be written for them, such as x:1"):
        KIND.check("train", [Example("x:1", "a")])
