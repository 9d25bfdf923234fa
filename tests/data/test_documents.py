"""Texts without labels: plain text files, near-duplicates, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from luthier.data import Columns, inspect, prepare, read_all
from luthier.data.clean import loose_of
from luthier.data.formats import find_reader
from luthier.errors import DataError
from luthier.recipe import PrepareSettings
from luthier.schema import Example

MASKED, CAUSAL = "masked-language-modelling", "causal-language-modelling"


def written(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_text(text, encoding=encoding)
    return path


def texts(path: Path, task: str = MASKED) -> list[str]:
    return [row.text for row in read_all(inspect(path, task=task), max_bad_rows=0)[0]]


def test_blank_lines_part_documents_whose_lines_stay_together(tmp_path: Path) -> None:
    path = written(tmp_path / "notes.txt",
                   "\n\nA title\nand its text, wrapped,\n  here.\n\n \n第二篇\n再一行\r\n\nend\n")
    layout = inspect(path, task=MASKED)
    assert (layout.reader, layout.notes[0]) == ("txt", "one document between two blank lines")
    rows, _ = read_all(layout, max_bad_rows=0)
    assert [(row.id, row.text) for row in rows] == [
        ("notes.txt:3", "A title\nand its text, wrapped,\n  here."), ("notes.txt:8", "第二篇\n再一行"),
        ("notes.txt:11", "end")]


@pytest.mark.parametrize("encoding", ["gbk", "utf-8-sig", "utf-16"])
def test_other_encodings_are_read(encoding: str, tmp_path: Path) -> None:
    path = written(tmp_path / "a.txt", "这家银行的服务很好。\n\n手续费太高了。\n", encoding)
    assert texts(path, CAUSAL) == ["这家银行的服务很好。", "手续费太高了。"]


def test_one_text_a_line_is_a_document_a_line(tmp_path: Path) -> None:
    path = written(tmp_path / "lines.txt", "the first one, of all\nthe second\nthe third\n")
    assert texts(path) == ["the first one, of all", "the second", "the third"]


def test_prose_with_a_comma_in_every_line_is_no_table(tmp_path: Path) -> None:
    path = written(tmp_path / "notes.txt", "\n\n".join(f"Note {n}, as they say; no more." for n in range(9)))
    assert texts(path)[0] == "Note 0, as they say; no more."


@pytest.mark.parametrize("count", [4, 100, 1000])
def test_a_slip_of_one_blank_line_does_not_make_two_documents_of_many(count: int, tmp_path: Path) -> None:
    lines = [f"line number {number} of the file" for number in range(count)]
    path = written(tmp_path / "lines.txt", "\n".join([*lines[:count // 2], "", *lines[count // 2:]]) + "\n")
    assert texts(path) == lines


@pytest.mark.parametrize(("name", "text"), [
    ("table.txt", "text\tlabel\na good one\tx\n\na bad one\ty\n"),
    ("table.txt", "a,b,c\n1,2,3\n\n4,5,6\n"),
    ("rows.txt", '{"text": "a"}\n\n{"text": "b"}\n'),
])
def test_tables_and_objects_with_blank_lines_are_no_plain_text(name: str, text: str, tmp_path: Path) -> None:
    assert find_reader(written(tmp_path / name, text))[0] != "txt"


def test_labels_are_not_read_and_not_asked_for(tmp_path: Path) -> None:
    path = written(tmp_path / "rows.csv", "text,label\nfirst of all,x\nsecond of all,y\n")
    assert texts(path) == ["first of all", "second of all"]
    for columns, option in ((Columns(label="label"), "--label"), (Columns(text="text", text_b="label"), "--text-b")):
        with pytest.raises(DataError, match=rf"learns from texts alone, and {option} names.*\n.*leave {option} out"):
            inspect(path, columns, task=MASKED)


def test_of_a_pair_the_first_text_is_learned(tmp_path: Path) -> None:
    path = written(tmp_path / "rows.csv", "premise,hypothesis\na man eats,he is awake\na dog runs,it sleeps\n")
    assert texts(path) == ["a man eats", "a dog runs"]


def test_few_documents_are_refused_without_asking_for_labels() -> None:
    with pytest.raises(DataError, match="only 2 usable rows.*\n.*give more documents, or part long ones"):
        prepare([Example("x:1", "a book"), Example("x:2", "another")], None, None, PrepareSettings(), 3,
                problem_type="causal_language_modelling")


def test_of_documents_that_are_nearly_equal_the_first_is_kept() -> None:
    rows = [Example(f"x:{n}", f"Document number {n // 2}{'!' * (n % 2)}") for n in range(60)]
    dataset, report = prepare(rows, None, None, PrepareSettings(), 3, problem_type="masked_language_modelling")
    kept = [row for _, split in dataset.splits() for row in split]
    assert len({loose_of(row) for row in kept}) == len(kept) == 30
    assert {int(row.id[2:]) % 2 for row in kept} == {0}
    assert (report.near_duplicate_groups, report.near_duplicate_rows) == (30, 60)
    assert "30 groups of near-duplicates (60 rows), of each of which the first is kept" in report.lines()
    kept_as_they_are = PrepareSettings(deduplicate=False)
    whole, _ = prepare(rows, None, None, kept_as_they_are, 3, problem_type="causal_language_modelling")
    assert sum(len(split) for _, split in whole.splits()) == 60


@pytest.mark.parametrize("task", ["masked-language-modelling", "causal-language-modelling"])
@pytest.mark.parametrize("first", ["", "Chapter one\n", "text\n"])
def test_a_line_of_prose_is_a_document_whatever_its_commas(task: str, first: str, tmp_path: Path) -> None:
    path = tmp_path / "texts.txt"
    lines = [f"The red dog ran {n} times, while Ann slept." for n in range(30)]
    path.write_text(first + "\n".join(lines), encoding="utf-8")
    found = read_all(inspect(path, task=task), max_bad_rows=0)[0]
    assert [row.text for row in found] == ["Chapter one"] * (first == "Chapter one\n") + lines


def test_a_table_under_a_name_of_text_stays_one(tmp_path: Path) -> None:
    path = tmp_path / "table.txt"
    path.write_text("text\tlabel\n" + "".join(f"a text, the {n}th\tb\n" for n in range(30)), encoding="utf-8")
    found = read_all(inspect(path, task="masked-language-modelling"), max_bad_rows=0)[0]
    assert found[1].text == "a text, the 1th"
