"""Files that cannot be read as asked: each is refused in words, none hangs and none is silently misread."""

import json
import os

import pyarrow
import pyarrow.parquet
import pytest

from luthier.data import Columns, inspect, prepare, read_all
from luthier.errors import DataError
from luthier.recipe import PrepareSettings

TABLE = "text,label\n" + "".join(f"word{n} good,yes\nword{n} bad,no\n" for n in range(8))


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text(TABLE, encoding="utf-8")
    return path


def refusal(path, columns=Columns(), **more):  # noqa: B008 - frozen
    with pytest.raises(DataError) as caught:
        inspect(path, columns, **more)
    assert caught.value.fix
    return str(caught.value)


def test_a_pipe_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "rows.csv")
    assert "is a pipe or a device" in refusal(tmp_path / "rows.csv")


def test_a_device_is_refused():
    assert "is a pipe or a device" in refusal("/dev/zero")


def test_a_path_with_a_nul_character():
    assert "is no path" in refusal("rows\0.csv")


@pytest.mark.parametrize(("encoding", "reason"), [
    ("utf-16", "does not start with BOM"), ("undefined", "cannot be read as undefined"),
    ("idna", "cannot be read as idna"), ("a\0", "there is no encoding"), ("base64", "there is no encoding"),
])
def test_an_encoding_that_cannot_read_the_file(table, encoding, reason):
    assert reason in refusal(table, encoding=encoding)


@pytest.mark.parametrize(("columns", "message"), [
    (Columns(text="text", label="text"), "the column 'text' is named for text and for label"),
    (Columns(text="text", text_b="Text"), "the column 'text' is named for text and for text_b"),
])
def test_one_column_cannot_play_two_parts(table, columns, message):
    assert message in refusal(table, columns)


def test_an_empty_label_separator(table):
    assert "the label separator is empty" in refusal(table, Columns(label_separator=""))


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".txt"])
def test_json_lines_under_the_name_of_a_table_are_read_as_json_lines(tmp_path, suffix):
    path = tmp_path / f"rows{suffix}"
    path.write_text("".join(json.dumps({"text": f"good, {n}", "label": n % 2}) + "\n" for n in range(4)))
    layout = inspect(path)
    assert layout.reader == "jsonl"
    assert read_all(layout, max_bad_rows=0)[0][1].labels == ("1",)


def test_a_table_whose_cells_hold_braces_stays_a_table(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("{name} is good,yes\n{name} is bad,no\n{town} is good,yes\n{town} is bad,no\n")
    assert inspect(path).reader == "csv"


@pytest.mark.parametrize("features", [[1], {"label": [1]}, {"label": None}, {"label": {"feature": 3}}])
def test_a_parquet_file_with_odd_features_is_read_as_it_is(tmp_path, features):
    table = pyarrow.table({"text": ["so good", "so bad"] * 4, "label": [0, 1] * 4})
    odd = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    pyarrow.parquet.write_table(table.replace_schema_metadata(odd), tmp_path / "rows.parquet")
    assert read_all(inspect(tmp_path / "rows.parquet"), max_bad_rows=0)[0][0].labels == ("0",)


def test_too_few_rows_left_says_where_they_went(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("text,label\n" + "same,yes\nsame,no\n" * 20 + "\u200b,yes\n" * 3, encoding="utf-8")
    rows, _ = read_all(inspect(path), max_bad_rows=0)
    with pytest.raises(DataError, match="3 empty, 38 duplicates, 2 the same text with different labels"):
        prepare(rows, None, None, PrepareSettings(), 0)


@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
def test_json_lines_whose_first_row_is_long(suffix, tmp_path):
    path = tmp_path / f"rows{suffix}"
    path.write_text("".join(json.dumps({"text": "long " * 20_000 + str(n), "label": "ab"[n % 2]}) + "\n"
                            for n in range(10)), encoding="utf-8")
    rows, _ = read_all(inspect(path), max_bad_rows=0)
    assert [row.labels[0] for row in rows] == list("ababababab")


def test_breaks_that_only_unicode_knows_end_no_line(tmp_path):
    path = tmp_path / "rows.jsonl"
    rows = [{"text": "a\u2028b\x85" * 20_000 + str(n), "label": "ab"[n % 2]} for n in range(10)]
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    assert len(read_all(inspect(path), max_bad_rows=0)[0]) == 10
    table = tmp_path / "rows.txt"
    lines = [f"one\u2028line {n}\t{'ab'[n % 2]}\n" for n in range(10)]
    table.write_text("text\tlabel\n" + "".join(lines), encoding="utf-8")
    assert read_all(inspect(table), max_bad_rows=0)[0][1].text == "one\u2028line 1"


def test_tabs_win_where_commas_are_as_steady(tmp_path):
    path = tmp_path / "rows.txt"
    lines = [f"{'city' if n % 2 else 'land'}\tParis, in France, {n}\n" for n in range(12)]
    path.write_text("".join(lines), encoding="utf-8")
    assert read_all(inspect(path), max_bad_rows=0)[0][1].labels == ("city",)
