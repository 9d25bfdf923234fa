"""Files as people have them."""

import json
from dataclasses import replace

import pytest

from luthier.data import BadRow, Columns, Record, inspect, read, read_all
from luthier.data.readers import csv as csv_reader
from luthier.data.readers import tsv as tsv_reader
from luthier.data.readers import xlsx
from luthier.errors import DataError


@pytest.fixture
def file(tmp_path):
    def write(name, content, encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return path

    return write


def values(path, reader=csv_reader):
    return [row.values for row in reader.records(path, None) if isinstance(row, Record)]


def rows_of(path, max_bad_rows=0):
    examples, bad = read_all(inspect(path), max_bad_rows=max_bad_rows)
    return [(row.text, row.labels) for row in examples], bad


def test_excel_csv_of_a_european_office(file):
    path = file("a.csv", "sep=;\r\nReview;Sentiment\r\ngood, very good;pos\r\nbad, very bad;neg\r\n", "utf-8-sig")
    assert rows_of(path)[0] == [("good, very good", ("pos",)), ("bad, very bad", ("neg",))]


def test_excel_unicode_text(file):
    path = file("a.txt", "文本\t标签\r\n\"他说\"\"好\"\"\r\n第二行\"\t好\r\n很差\t坏\r\n", "utf-16")
    layout = inspect(path)
    assert (layout.reader, layout.encoding, layout.text, layout.label) == ("csv", "utf-16", "文本", "标签")
    assert "cells are separated by tabs" in layout.notes
    assert rows_of(path)[0] == [('他说"好"\r\n第二行', ("好",)), ("很差", ("坏",))]


def test_lines_are_physical_lines(file):
    path = file("a.csv", 'text,label\n"one\ntwo\nthree",a\n\nfour,b\n')
    assert [row.line for row in csv_reader.records(path, None)] == [2, 6]


def test_one_unclosed_quote_costs_one_row(file):
    lines = ['text,label', 'fine,a', '"never closed, oh dear,b', *[f"row {i},a" for i in range(300)]]
    found = list(csv_reader.records(file("a.csv", "\n".join(lines)), None))
    bad = [row for row in found if isinstance(row, BadRow)]
    assert [row.line for row in bad] == [3]
    assert "a quote opens here" in bad[0].reason
    assert len(found) == 302


def test_quotes_in_tab_files_are_the_writers_own(file):
    path = file("a.tsv", 'sentence\tlabel\n"hello there\t0\n5" screen\t1\n"so-called" help\t0\nit said "no"\t1\n')
    assert [row["sentence"] for row in values(path, tsv_reader)] == [
        '"hello there', '5" screen', '"so-called" help', 'it said "no"']


def test_quotes_that_begin_and_end_texts_join_no_rows_of_a_tab_file(file):
    path = file("a.tsv", 'text\tlabel\n"Good, she said\tpos\nfine\tneg\nand left"\tneg\n"two\nlines"\tpos\n')
    assert [(row.line, row.values["text"]) for row in tsv_reader.records(path, None)] == [
        (2, '"Good, she said'), (3, "fine"), (4, 'and left"'), (5, "two\nlines")]


def test_ragged_rows(file):
    path = file("a.csv", "text,label,note\ngood,a,x\nshort,b\nlong,a,x,,,\nspilled, over,a,x\nbare\n,,\n")
    examples, bad = rows_of(path, max_bad_rows=5)
    assert examples == [("good", ("a",)), ("short", ("b",)), ("long", ("a",))]
    assert [(row.line, row.reason[:22]) for row in bad] == [
        (5, "4 cells where the head"), (6, "'label' is empty: the ")]


def test_a_header_is_missed_and_said(file):
    path = file("a.csv", "positive,这家宾馆很好\nnegative,太差了\npositive,不错\nnegative,不行\n")
    layout = inspect(path)
    assert (layout.text, layout.label) == ("column_2", "column_1")
    assert any("no header" in note for note in layout.notes)
    assert len(rows_of(path)[0]) == 4


def test_data_frames_without_names_have_a_header(file):
    path = file("a.csv", ",0,1\n0,good film indeed,pos\n1,bad film indeed,neg\n2,fine film,pos\n3,poor film,neg\n")
    layout = inspect(path)
    assert (layout.text, layout.label) == ("0", "1")


def test_unknown_names_are_told_from_data(file):
    path = file("a.csv", "Kundentext,Urteil\nsehr gut,ja\nsehr schlecht,nein\nprima,ja\nmies,nein\n")
    layout = inspect(path)
    assert (layout.text, layout.label) == ("Kundentext", "Urteil")


def test_duplicate_and_empty_names(file):
    path = file("a.csv", "text,text,,label\na,b,c,d\ne,f,g,h\n")
    assert list(values(path)[0]) == ["text", "text_2", "column_3", "label"]
    assert any("stand twice" in note for note in inspect(path).notes)


def test_nul_bytes_and_huge_cells(file):
    big = "很" * 3_500_000
    path = file("a.csv", f'text,label\n"a\x00b",x\n"{big}",y\n{big},x\nc,y\n')
    assert [len(row["text"]) for row in values(path)] == [3, len(big), len(big), 1]


def test_late_gb18030_is_found(file):
    chinese = "中文内容在很后面，还不少。,b\n".encode("gb18030")
    path = file("a.csv", b"text,label\n" + b"plain ascii,a\n" * 20_000 + chinese)
    assert inspect(path).encoding == "gb18030"


def test_western_code_pages_are_not_taken_for_chinese(file):
    path = file("a.csv", "text,label\nvoilà, c'est déjà naïve été,a\nçà et là,b\n".replace("là, c", "là c"), "cp1252")
    with pytest.raises(DataError, match="neither UTF-8, UTF-16 nor GB18030") as caught:
        inspect(path)
    assert "data.encoding=cp1252" in caught.value.fix
    assert inspect(path, encoding="cp1252").text == "text"
    with pytest.raises(DataError, match="there is no encoding 'klingon'"):
        inspect(path, encoding="klingon")


@pytest.mark.parametrize("content", [
    json.dumps([{"text": "a b", "label": "x"}, {"text": "c d", "label": "y"}]),
    json.dumps({"data": [{"text": "a b", "label": "x"}, {"text": "c d", "label": "y"}]}),
    json.dumps({"version": 1, "data": [{"text": "a b", "label": "x"}, {"text": "c d", "label": "y"}]}, indent=2),
    json.dumps({"text": ["a b", "c d"], "label": ["x", "y"]}),
    json.dumps({"text": {"0": "a b", "1": "c d"}, "label": {"0": "x", "1": "y"}}),
    json.dumps({"columns": ["text", "label"], "index": [0, 1], "data": [["a b", "x"], ["c d", "y"]]}),
    json.dumps({"k1": {"text": "a b", "label": "x"}, "k2": {"text": "c d", "label": "y"}}),
    json.dumps([["text", "label"], ["a b", "x"], ["c d", "y"]]),
    '{"text": "a b", "label": "x"}\n{"text": "c d", "label": "y"}\n',
    '\ufeff[{"text": "a b", "label": "x"},\r\n {"text": "c d", "label": "y"}]\r\n',
])
def test_shapes_of_json(content, file):
    assert rows_of(file("a.json", content))[0] == [("a b", ("x",)), ("c d", ("y",))]


def test_json_rows_have_their_lines_and_unique_ids(file):
    spread = file("a.json", '[\n{"text": "a", "label": "x"},\n\n{"text": "b",\n "label": "y"}\n]')
    assert [row.id for row in read_all(inspect(spread), max_bad_rows=0)[0]] == ["a.json:2", "a.json:4"]
    dense = file("b.json", '[{"text": "a", "label": "x"}, {"text": "b", "label": "y"}]')
    assert [row.id for row in read_all(inspect(dense), max_bad_rows=0)[0]] == ["b.json:1", "b.json:2"]


def test_broken_json_names_the_line(file):
    with pytest.raises(DataError, match=r"a\.json:3: not JSON: Expecting ',' delimiter") as caught:
        inspect(file("a.json", '[\n{"text": "a"}\n{"text": "b"}\n]'))
    assert "JSON Lines" in caught.value.fix
    with pytest.raises(DataError, match="expected a list of rows, came an object with the keys a"):
        inspect(file("b.json", '{\n"a": 1\n}'))


def test_bad_lines_of_jsonl(file):
    good = '{"text": "a", "label": "x"}\n'
    path = file("a.jsonl", good + '{"text": "b", \n[1, 2]\n{"text": "half \\ud83d", "label": "x"}\n\n'
                '{"label": "y"}\n{"text": ["a"], "label": "y"}\n{"text": "b", "label": NaN}\n' + good)
    examples, bad = rows_of(path, max_bad_rows=10)
    assert len(examples) == 2
    assert [(row.line, row.reason.split(":")[0]) for row in bad] == [
        (2, "not JSON"), (3, "expected an object {…}, came list"), (4, "'text'"), (6, "has no 'text'"), (7, "'text'"),
        (8, "'label' is empty")]


def test_hugging_face_class_numbers_get_their_names(tmp_path):
    import pyarrow
    import pyarrow.parquet

    features = {"text": {"dtype": "string", "_type": "Value"},
                "label": {"names": ["neg", "pos"], "_type": "ClassLabel"}}
    table = pyarrow.table({"text": ["a b", "c d", "e f"], "label": [1, 0, -1]})
    metadata = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    pyarrow.parquet.write_table(table.replace_schema_metadata(metadata), tmp_path / "a.parquet")
    examples, bad = rows_of(tmp_path / "a.parquet", max_bad_rows=1)
    assert examples == [("a b", ("pos",)), ("c d", ("neg",))]
    assert [row.line for row in bad] == [3]


def test_a_workbook_is_opened_once_a_reading(tmp_path, monkeypatch):
    import openpyxl

    book = openpyxl.Workbook()
    for title in ("empty", "also empty", "rows"):
        sheet = book.create_sheet(title)
    for row in (("text", "label"), ("good", "x"), ("bad", "y")):
        sheet.append(row)
    book.save(tmp_path / "rows.xlsx")
    opened, load = [], openpyxl.load_workbook
    monkeypatch.setattr(openpyxl, "load_workbook", lambda *a, **k: opened.append(1) or load(*a, **k))
    assert "passed over empty sheets: Sheet, empty, also empty" in xlsx.notes(tmp_path / "rows.xlsx", None)
    assert [row.values["text"] for row in xlsx.records(tmp_path / "rows.xlsx", None)] == ["good", "bad"]
    assert len(opened) == 2


def test_a_workbook_of_the_office(tmp_path):
    import openpyxl

    book = openpyxl.Workbook()
    book.active.title = "空"
    sheet = book.create_sheet("数据")
    for row in [["第一季度评论"], [], ["评论", "评分", None], ["很好", 5], ["一般", 3.0], [None, None], ["坏", "#N/A"],
                [404, 3]]:
        sheet.append(row)
    book.save(tmp_path / "a.xlsx")
    layout = inspect(tmp_path / "a.xlsx")
    assert (layout.text, layout.label, layout.encoding) == ("评论", "评分", None)
    assert any("title row" in note for note in layout.notes)
    assert any("empty sheets: 空" in note for note in layout.notes)
    examples, bad = read_all(layout, max_bad_rows=1)
    assert [(row.id, row.text, row.labels) for row in examples] == [
        ("a.xlsx:4", "很好", ("5",)), ("a.xlsx:5", "一般", ("3",)), ("a.xlsx:8", "404", ("3",))]
    assert [row.line for row in bad] == [7]


@pytest.mark.parametrize(("name", "content", "message", "fix"), [
    ("a.xls", b"\xd0\xcf\x11\xe0" + b"\x00" * 600, "old .xls", "save it as .xlsx"),
    ("a.csv.gz", b"\x1f\x8b\x08" + bytes(range(256)), "compressed with gzip and damaged", "gzip -t"),
    ("a.bin", bytes(range(256)) * 8, "none that Luthier reads", "save it as CSV"),
    ("a.xlsx", b"PK\x03\x04" + b"\x00" * 600, "not a workbook", "save it again"),
    ("a.parquet", b"PAR1" + b"\x00" * 600, "not a Parquet file", "write the file again"),
    ("a.csv", b"\n\n  \n", "is empty", "header"),
    ("a.csv", b"\xef\xbb\xbf", "is empty", "header"),
])
def test_files_that_cannot_be_read(name, content, message, fix, file):
    with pytest.raises(DataError, match=message) as caught:
        inspect(file(name, content))
    assert fix in caught.value.fix


def test_annotations_of_brat_are_refused_with_what_to_write_instead(file):
    for first in ("T1\tPER 0 3\tAnn\n", "R1\tlives Arg1:T1 Arg2:T2\n", "*\tEquiv T1 T2\n"):
        with pytest.raises(DataError, match="annotations of brat without their text") as caught:
            inspect(file("doc.ann", first + "T2\tLOC 13 17\tRome\n"))
        assert '"entities"' in caught.value.fix
    assert inspect(file("rows.ann", "text\tlabel\nfine\tpos\nbad\tneg\n")).text == "text"


def test_one_text_a_line(file):
    path = file("a.txt", 'I like this, a lot\nIt is bad, truly\n"No," he said\n你好，世界\nok\n')
    layout = inspect(path, labelled=False)
    rows = list(read(layout, on_bad=pytest.fail))
    assert [row.text for row in rows] == ["I like this, a lot", "It is bad, truly", '"No," he said', "你好，世界", "ok"]
    single = file("a.csv", 'text\nhello, world\n"quoted, too"\n')
    rows = list(read(inspect(single, labelled=False), on_bad=pytest.fail))
    assert [row.text for row in rows] == ["hello, world", "quoted, too"]


def test_cells_that_are_no_text_and_rows_too_wide_say_what_came(file):
    path = file("a.jsonl", '{"text": "a", "label": "x"}\n{"text": ["b"], "label": "x"}\n'
                '{"text": "c", "label": ["x"]}\n')
    layout = replace(inspect(path, Columns(text="text", label="label")), problem_type="single_label_classification")
    _, bad = read_all(layout, max_bad_rows=2)
    assert [row.reason for row in bad] == ["'text': expected text, came list",
                                           "'label': expected one label, came a list of 1"]
    _, bad = read_all(inspect(file("b.csv", "text,label\na,x\nb,y\na, b,x\n")), max_bad_rows=1)
    assert "3 cells where the header has 2: a text with the delimiter in it needs quotes" in bad[0].reason


def test_labels_inside_labels_are_refused(file):
    path = file("a.jsonl", '{"text": "a", "label": ["x"]}\n{"text": "b", "label": [["x"]]}\n')
    _, bad = rows_of(path, max_bad_rows=1)
    assert bad[0].reason == "a label is list, expected text or a number"


def test_a_number_beyond_pythons_digits_costs_only_its_row(file):
    path = file("a.jsonl", '{"text": "a", "label": "x"}\n{"text": "b", "label": ' + "9" * 5000 + "}\n")
    _, bad = rows_of(path, max_bad_rows=1)
    assert bad[0].reason.startswith("not JSON that can be read: ")


def test_a_file_that_may_not_be_read_is_told(file, monkeypatch):
    path = file("a.csv", "text,label\na,x\n")

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", refuse)
    with pytest.raises(DataError, match=r"a\.csv cannot be read: Permission denied\n  -> check the path and its perm"):
        inspect(path)


def test_lists_of_rows_beside_those_that_are_read_are_named(file):
    rows = [{"text": f"text {number}", "label": "ab"[number % 2]} for number in range(4)]
    said = "the rows below 'train' are read, and not those below 'test'"
    both = inspect(file("both.json", json.dumps({"version": "1", "train": rows, "test": rows})))
    assert any(said in note for note in both.notes)
    assert len(read_all(both, max_bad_rows=0)[0]) == 4
    alone = inspect(file("alone.json", json.dumps({"version": "1", "train": rows})))
    nested = inspect(file("nested.json", json.dumps({"train": [{**row, "seen": [{"by": "x"}]} for row in rows]})))
    assert not any("are read, and not" in note for layout in (alone, nested) for note in layout.notes)
