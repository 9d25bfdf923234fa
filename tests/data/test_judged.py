"""Files of re-ranking: how queries, passages and relevance are found, joined and refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from luthier.data import Columns, from_arrays, inspect, kind_of, prepare, read_all
from luthier.errors import DataError
from luthier.recipe import PrepareSettings
from luthier.schema import Candidates, Example, Passages

KIND: Any = kind_of("re_ranking")
JUDGED = [{"query": f"q {n // 3}", "passage": f"p {n}", "relevance": n % 3} for n in range(90)]


def written(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def found(path: Path, *, columns: Columns = Columns(), labelled: bool = True) -> list[Example]:  # noqa: B008
    layout = inspect(path, columns, task="re-ranking", labelled=labelled)
    assert layout.problem_type == "re_ranking"
    return read_all(layout, max_bad_rows=0)[0]


def test_judged_pairs_are_gathered_by_their_query(tmp_path: Path) -> None:
    rows = found(written(tmp_path / "rows.jsonl", JUDGED))
    assert (rows[2].text, rows[2].text_b, rows[2].value) == ("q 0", "p 2", 2.0)
    joined, told = KIND.gathered(rows)
    assert told == []
    assert len(joined) == 30
    assert joined[0] == Example("rows.jsonl:1", "q 0", passages=Passages(("p 1", "p 2"), ("p 0",), (1.0, 2.0)))
    dataset, report = prepare(rows, None, None, PrepareSettings(), 1, problem_type="re_ranking")
    assert sum(len(split) for _, split in dataset.splits()) == 30
    assert "train: 90 rows are 30, joined to one row a query" in report.notes
    other, _ = prepare([*rows[:-1], Example(rows[-1].id, *rows[-1].text_input, value=1.0)], None, None,
                       PrepareSettings(), 1, problem_type="re_ranking")
    assert other.content_hash != dataset.content_hash  # the grade counts


def test_queries_to_which_nothing_belongs_are_left_out_and_told(tmp_path: Path) -> None:
    lone = [{"query": "q x", "passage": "p 1", "relevance": 0}]
    rows = found(written(tmp_path / "rows.jsonl", lone + JUDGED))
    _, report = prepare(rows, None, None, PrepareSettings(), 1, problem_type="re_ranking")
    assert ("train: 1 of 31 queries are left out, for no passage belongs to them, such as rows.jsonl:1"
            in report.notes)
    assert report.rows == 30
    kept, told = KIND.gathered(rows[:1])  # nothing else is there: scoring says what is wrong with it
    assert (len(kept), told) == (1, [])


def test_the_highest_grade_of_a_passage_counts_and_a_right_one_is_not_wrong() -> None:
    rows = from_arrays([("q", "p"), ("q", "p"), ("q", "r"), ("q", "r"), ("q", "s")], [1, 3, 0, 2, -1],
                       problem_type="re_ranking")
    assert KIND.gathered(rows)[0][0].passages == Passages(("p", "r"), ("s",), (3.0, 2.0))
    alike = from_arrays([("q", "p"), ("q", "r")], [True, 1.0], problem_type="re_ranking")
    assert KIND.gathered(alike)[0][0].passages == Passages(("p", "r"))
    with pytest.raises(DataError, match="the relevance 'much' is no number"):
        from_arrays([("q", "p")], ["much"], problem_type="re_ranking")


@pytest.mark.parametrize(("row", "columns"), [
    ({"query": "q", "document": "p", "label": 1}, Columns()),
    ({"sentence1": "q", "sentence2": "p", "label": 1}, Columns()),
    ({"查询": "q", "段落": "p", "相关性": 1}, Columns()),
    ({"query": "q", "passage": "p", "relevant": True}, Columns()),
    ({"u": "q", "v": "p", "w": 1}, Columns(text="u", text_b="v", label="w"))])
def test_columns_are_told_by_their_names(row: dict[str, Any], columns: Columns, tmp_path: Path) -> None:
    one = found(written(tmp_path / "rows.jsonl", [row] * 3), columns=columns)[0]
    assert (one.text, one.text_b, one.value) == ("q", "p", 1.0)


@pytest.mark.parametrize(("row", "columns"), [
    ({"query": "q", "pos": ["p"], "neg": ["n"], "label": 1}, Columns()),
    ({"anchor": "q", "positive": "p", "negative": "n"}, Columns()),
    ({"question": "q", "answer": "p"}, Columns()),
    ({"question": "q", "answer": "p"}, Columns(text="question", label="answer"))])
def test_files_of_retrieval_are_read_as_such(row: dict[str, Any], columns: Columns, tmp_path: Path) -> None:
    one = found(written(tmp_path / "rows.jsonl", [row] * 3), columns=columns)[0]
    assert one.passages is not None
    assert (one.text, one.passages.positive) == ("q", ("p",))


def test_rows_to_be_scored_are_pairs_or_lists(tmp_path: Path) -> None:
    pairs = found(written(tmp_path / "pairs.jsonl", [{"query": "q", "passage": "p", "id": 7}]), labelled=False)
    assert pairs[0].text_input == ("q", "p")
    lists = found(written(tmp_path / "lists.jsonl", [{"query": "q", "passages": ["b", "", "b"]}]), labelled=False)
    assert lists[0].text_input == Candidates("q", ("b", "", "b"))  # places are the caller's
    layout = inspect(tmp_path / "lists.jsonl", task="re-ranking", labelled=False)
    written(tmp_path / "lists.jsonl", [{"query": "q", "passages": ["b"]}, {"query": "q", "passages": [7]}])
    (bad,) = read_all(layout, max_bad_rows=1)[1]
    assert "'passages': expected a text or a list of texts, came int" in bad.reason


def test_what_cannot_be_used_is_refused(tmp_path: Path) -> None:
    lone = written(tmp_path / "lone.jsonl", [{"query": "only this"}] * 3)
    with pytest.raises(DataError, match=r"found no columns of queries and passages(.|\n)*--text-b PASSAGE --label"):
        inspect(lone, task="re-ranking")
    with pytest.raises(DataError, match=r"found no columns of queries and of passages(.|\n)*--text-b PASSAGE$"):
        inspect(lone, task="re-ranking", labelled=False)
    with pytest.raises(DataError, match="train: no passage belongs to any of the queries"):
        KIND.check("train", [Example("x:2", "q", "r", value=0.0), Example("x:3", "s", "p", value=0.0)])
    with pytest.raises(DataError, match="2 rows have no passages, or do not tell how relevant"):
        KIND.check("train", [Example("x:1", "q", "p"), Example("x:2", "q")])
    rows = [{"query": "q", "passage": "p", "label": 1}] * 2 + [{"query": "q", "passage": "p", "label": ""}]
    layout = inspect(written(tmp_path / "rows.jsonl", rows), task="re-ranking")
    (bad,) = read_all(layout, max_bad_rows=1)[1]
    assert "'label': is empty: the row has no number" in bad.reason
