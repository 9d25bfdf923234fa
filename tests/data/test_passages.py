"""Queries with passages and pairs with a score: every form they come in, and what is made of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from luthier.data import Columns, from_arrays, inspect, prepare, read_all
from luthier.data.columns.passages import passages_of
from luthier.errors import DataError
from luthier.recipe import PrepareSettings
from luthier.schema import Example, Passages


def written(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize(("cell", "found"), [
    ("one", ("one",)), (["one", "two", "one", " "], ("one", "two")), ('["一", "二"]', ("一", "二")),
    ([{"docid": "7", "title": "t", "text": "one"}], ("one",)), ({"passage": "one"}, ("one",)),
])
def test_passages_in_many_forms(cell: Any, found: tuple[str, ...]) -> None:
    assert passages_of(cell, [None, float("nan"), [], "", ["no", found[0]]]) == Passages(found, ("no",))


@pytest.mark.parametrize(("cell", "said"), [
    ([], "no passage belongs"), ("  ", "no passage belongs"), (None, "no passage belongs"),
    ([7], "expected a text or a list of texts, came int"), ({"id": 1}, "came dict"), ("a\ud800", "half a surrogate"),
])
def test_what_is_no_passage_is_refused(cell: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        passages_of(cell, ())


@pytest.mark.parametrize(("row", "task", "columns", "expected"), [
    ({"anchor": "q {}", "positive": "p {}"}, None, {}, ("anchor", "positive", ())),
    ({"anchor": "q {}", "positive": "p {}", "negative": "n"}, None, {}, ("anchor", "positive", ("negative",))),
    ({"query": "q {}", "pos": ["p {}"], "neg": ["n"]}, None, {}, ("query", "pos", ("neg",))),
    ({"anchor": "q {}", "positive": "p {}", "negative_1": "n", "negative_2": "m"}, None, {},
     ("anchor", "positive", ("negative_1", "negative_2"))),
    ({"query": "q {}", "passage": "p {}"}, "similarity", {}, ("query", "passage", ())),
    ({"question": "q {}", "answer": "p {}", "intent": "x"}, "similarity", {}, ("question", "answer", ())),
    ({"问题": "q {}", "答案": "p {}"}, "similarity", {}, ("问题", "答案", ())),
    ({"sentence1": "q {}", "sentence2": "p {}"}, "similarity", {}, ("sentence1", "sentence2", ())),
    ({"a": "q {}", "b": "p {}", "id": 1}, "similarity", {"text": "a", "label": "b"}, ("a", "b", ())),
    ({"a": "q {}", "b": "p {}", "id": 1}, "similarity", {"text": "a", "text_b": "b"}, ("a", "b", ())),
])
def test_columns_of_passages_are_found(tmp_path: Path, row: dict[str, Any], task: str | None, columns: dict[str, str],
                                       expected: tuple[str, str, tuple[str, ...]]) -> None:
    rows = [json.loads(json.dumps(row).replace("{}", str(number))) for number in range(12)]
    layout = inspect(written(tmp_path / "rows.jsonl", rows), Columns(**columns), task=task)
    assert layout.problem_type == "retrieval"
    assert (layout.text, layout.label, tuple(layout.more.values())) == expected
    examples, bad = read_all(layout, max_bad_rows=0)
    assert (examples[3].text, examples[3].passages.positive, bad) == ("q 3", ("p 3",), [])  # type: ignore[union-attr]


@pytest.mark.parametrize("row", [
    {"sentence1": "a {}", "sentence2": "b {}", "score": 1.5}, {"sentence1": "a {}", "sentence2": "b {}", "label": 1},
    {"text_a": "a {}", "text_b": "b {}", "similarity_score": "0.25", "idx": 3}])
def test_pairs_with_a_score_must_be_asked_for(tmp_path: Path, row: dict[str, Any]) -> None:
    rows = [json.loads(json.dumps(row).replace("{}", str(number))) for number in range(12)]
    path = written(tmp_path / "rows.jsonl", rows)
    assert inspect(path).problem_type != "similarity"
    layout = inspect(path, task="similarity")
    assert layout.problem_type == "similarity"
    examples, _ = read_all(layout, max_bad_rows=0)
    assert examples[0].text_input == ("a 0", "b 0")
    assert examples[0].value in (1.5, 1.0, 0.25)


def test_what_holds_neither_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "rows.jsonl", [{"text": f"t {n}", "label": "x"} for n in range(12)])
    with pytest.raises(DataError, match=r"no columns of queries and passages(.|\n)*--text ONE --text-b OTHER --label"):
        inspect(path, task="similarity")
    for query, name in (("text", "positive"), ("query", "passage"), ("query", "positive"), ("anchor", "label")):
        other = written(tmp_path / "plain.jsonl", [{query: f"t {n}", name: ["yes", "no"][n % 2]} for n in range(12)])
        assert inspect(other).problem_type == "single_label_classification"
    bad = written(tmp_path / "bad.jsonl", [{"anchor": f"q {n}", "positive": f"p {n}" if n else ""} for n in range(12)])
    _, found = read_all(inspect(bad), max_bad_rows=5)
    assert [(row.line, row.reason) for row in found] == [
        (1, "'positive': no passage belongs to the query: the cell is empty")]


def test_rows_of_one_query_become_one_and_stay_in_one_split() -> None:
    rows = [Example(f"x:{n}", f"query {n // 2}", passages=Passages((f" p {n} ",), (f"p {n ^ 1}", "never")))
            for n in range(80)]
    dataset, report = prepare(rows, None, None, PrepareSettings(), 1, problem_type="retrieval")
    kept = [row for _, split in dataset.splits() for row in split]
    assert len(kept) == 40
    assert kept[0].passages is not None
    assert all(len(row.passages.positive) == 2 for row in kept if row.passages)
    assert all(row.passages.negative == ("never",) for row in kept if row.passages)  # what is right is not wrong
    assert "40 texts with other passages: 80 rows joined to one row a query" in report.lines()
    assert any("test queries look for theirs among" in note for note in report.notes)
    assert report.passages["train"]["queries"] == len(dataset.train)
    untouched, _ = prepare(rows, None, None, PrepareSettings(deduplicate=False), 1, problem_type="retrieval")
    splits = [{row.text for row in split} for _, split in untouched.splits()]
    assert sum(map(len, splits)) == len(set().union(*splits))


def test_rows_in_memory() -> None:
    rows = from_arrays(["q", "r"], [["p"], Passages(("s",), ("t",))], problem_type="retrieval")
    assert [row.passages for row in rows] == [Passages(("p",)), Passages(("s",), ("t",))]
    with pytest.raises(DataError, match=r"expected one query, came a pair(.|\n)*a list of passages"):
        from_arrays([("q", "r")], [["p"]], problem_type="retrieval")
    with pytest.raises(DataError, match="no passage belongs"):
        from_arrays(["q"], [[]], problem_type="retrieval")
    lone = from_arrays(["q"], [1.0], problem_type="similarity")
    with pytest.raises(DataError, match="1 rows are no pairs of texts, such as memory:1"):
        prepare(lone * 1, None, None, PrepareSettings(), 1, problem_type="similarity")
