"""Numbers as labels: cells, files, contradictions, splits and the report."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from luthier.data import from_arrays, inspect, prepare, read_all
from luthier.data.cells.numbers import are_amounts, binned, consecutive, number_of, scale_of, unbinned
from luthier.errors import DataError
from luthier.recipe import PrepareSettings
from luthier.schema import Example


@pytest.mark.parametrize(("cell", "expected"), [
    (3, 3.0), (2.5, 2.5), ("4", 4.0), (" -1.25e2 ", -125.0), (".5", 0.5), ("3.", 3.0), ("４．５", 4.5), ("－２", -2.0),
    ("\N{MINUS SIGN}7", -7.0), ("1,234.5", 1234.5), ("1,234,567", 1234567.0), (np.float32(1.5), 1.5),
    (np.int64(2), 2.0),
])
def test_numbers_are_read_as_people_write_them(cell: object, expected: float) -> None:
    assert number_of(cell) == expected


@pytest.mark.parametrize(("cell", "reason"), [
    ("", "is empty"), (None, "is empty"), (float("nan"), "is empty"), ("nan", "is empty"), ("inf", "no number"),
    (float("inf"), "no number within"), ("1e40", "no number within"), (10 ** 400, "no number within"),
    ("85%", "may be 85 or a hundredth"), ("８５％", "may be 85"), ("1,234", "may be 1234 or 1.234"),
    ("3,5", "decimal point"), ("4 stars", "no number"), ("1_000", "no number"), ("5²", "no number"),
    ("三", "no number"),
    (True, "'true' is no number"), ([1], "expected one number"), ("[1, 2]", "expected one number"),
    ("0x10", "no number"), ("12,34.5", "no number"), ("4/5", "no number"),
])
def test_what_is_no_number_is_told(cell: object, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        number_of(cell)


def test_amounts_are_told_from_classes() -> None:
    assert are_amounts([n / 10 for n in range(30)])
    assert not are_amounts([0.0, 0.5, 1.0] * 20)
    assert not are_amounts([float(n) for n in range(150)])  # they may be the numbers of 150 intents
    assert consecutive([1.0, 2.0, 3.0, 2.0])
    assert not consecutive([0.0, 1.0])
    assert not consecutive([1.0, 2.0, 4.0])


def written(tmp_path: Path, values: list[object], label: str = "score") -> Path:
    path = tmp_path / "rows.csv"
    rows = [f"this is text number {n},{value}" for n, value in enumerate(values)]
    path.write_text("\n".join([f"text,{label}", *rows]) + "\n", encoding="utf-8")
    return path


def test_a_column_of_amounts_is_recognised(tmp_path: Path) -> None:
    layout = inspect(written(tmp_path, [n / 7 for n in range(40)]))
    assert (layout.problem_type, layout.label) == ("regression", "score")
    assert "learned as numbers" in " ".join(layout.notes)
    examples, bad = read_all(layout, max_bad_rows=0)
    assert not bad
    assert [row.value for row in examples[:2]] == [0.0, 1 / 7]
    assert examples[0].labels is None
    asked = inspect(layout.path, task="text-classification")
    assert asked.problem_type == "single_label_classification"


@pytest.mark.parametrize("values", [[1, 2, 3, 4, 5] * 8, [0, 1] * 20, list(range(40))])
def test_whole_numbers_stay_classes_unless_asked(tmp_path: Path, values: list[object]) -> None:
    path = written(tmp_path, values)
    layout = inspect(path)
    assert layout.problem_type == "single_label_classification"
    assert any("--task regression" in note for note in layout.notes) == (len(set(values)) > 2)
    asked = inspect(path, task="regression")
    assert asked.problem_type == "regression"
    assert read_all(asked, max_bad_rows=0)[0][1].value == values[1]


def test_bad_rows_are_told_with_their_reason(tmp_path: Path) -> None:
    layout = inspect(written(tmp_path, [*range(20), "85%", "many", "", "inf"]), task="regression")
    examples, bad = read_all(layout, max_bad_rows=4)
    assert len(examples) == 20
    assert [row.line for row in bad] == [22, 23, 24, 25]
    assert [row.reason.split(": ", 1)[1].split(":")[0] for row in bad] == [
        "'85%' may be 85 or a hundredth of it", "'many' is no number", "is empty", "'inf' is no number"]


def test_pairs_with_a_similarity_are_found_by_name(tmp_path: Path) -> None:
    path = tmp_path / "pairs.tsv"
    rows = [f"one text {n}\tanother text {n}\t{n % 51 / 10}" for n in range(60)]
    path.write_text("\n".join(["sentence1\tsentence2\tsimilarity_score", *rows]), encoding="utf-8")
    layout = inspect(path)
    assert (layout.text, layout.text_b, layout.label) == ("sentence1", "sentence2", "similarity_score")
    assert layout.problem_type == "regression"


def test_an_unnamed_column_of_numbers_is_found_when_asked(tmp_path: Path) -> None:
    path = written(tmp_path, [n * 1.5 for n in range(30)], label="price_in_yuan")
    assert inspect(path, task="regression").label == "price_in_yuan"
    with pytest.raises(DataError, match="found no label column"):
        inspect(path)


def test_what_cannot_be_learned_as_numbers_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, ["good", "bad"] * 10, label="label")
    with pytest.raises(DataError, match="holds no numbers"):
        inspect(path, task="regression")
    from luthier.data import Columns
    with pytest.raises(DataError, match="a text has one number"):
        inspect(written(tmp_path, [1, 2] * 10), Columns(label_separator=";"), task="regression")


def rows_of(values: list[float]) -> list[Example]:
    return from_arrays([f"text {'abcdefghij'[n % 10]} {n}" for n in range(len(values))], values,
                       problem_type="regression")


def test_rows_are_split_by_quantiles_and_described() -> None:
    values = np.random.default_rng(0).lognormal(size=400).tolist()
    dataset, report = prepare(rows_of(values), None, None, PrepareSettings(), 1, problem_type="regression",
                              number="price")
    assert dataset.labels.names == ("price",)
    scale = dataset.labels.scale
    assert scale is not None
    assert scale.grades == ()
    train = np.array([row.value for row in dataset.train])
    assert (scale.mean, scale.deviation) == (train.mean(), train.std())
    assert all(row.labels is None for _, split in dataset.splits() for row in split)
    medians = [np.median([row.value for row in split]) for _, split in dataset.splits()]
    assert np.ptp(medians) < 0.15
    assert report.values["train"]["max"] == train.max()
    assert report.label_counts == {}
    assert any(line.startswith("numbers: train ") for line in report.lines())
    again, _ = prepare(rows_of(values), None, None, PrepareSettings(), 1, problem_type="regression", number="price")
    assert again == dataset
    sampled, _ = prepare(rows_of(values), None, None, PrepareSettings(max_rows=100), 1, problem_type="regression")
    assert sum(len(split) for _, split in sampled.splits()) == 100


def test_different_numbers_of_a_text_are_averaged_and_counted() -> None:
    texts = [f"text {'abcdefghij'[n % 10]} {n}" for n in range(40)]
    halves = from_arrays([*texts, texts[0], texts[1], texts[1]], [*(n / 2 for n in range(40)), 1.0, 0.5, 3.5],
                         problem_type="regression")
    dataset, report = prepare(halves, None, None, PrepareSettings(), 0, problem_type="regression")
    kept = {row.text: row.value for _, split in dataset.splits() for row in split}
    assert (kept[texts[0]], kept[texts[1]], len(kept)) == (0.5, 2.0, 40)
    assert (report.duplicates, report.contradictory_texts, report.contradictory_rows) == (1, 2, 4)
    assert "2 texts with different numbers: 4 rows averaged to one a text" in report.lines()
    grades = from_arrays([*texts, texts[1]], [*(1 + n % 5 for n in range(40)), 5], problem_type="regression")
    graded, _ = prepare(grades, None, None, PrepareSettings(), 0, problem_type="regression")
    assert graded.labels.scale is not None
    assert graded.labels.scale.grades == (1, 2, 3, 4, 5)
    _, kept_all = prepare(grades, None, None, PrepareSettings(deduplicate=False), 0, problem_type="regression")
    assert kept_all.rows == 41


def test_bins_leave_the_rows_as_they_were() -> None:
    rows = rows_of([float(n % 4) for n in range(50)])
    assert unbinned(binned(rows)) == rows
    assert len({row.labels for row in binned(rows)}) > 1


@pytest.mark.parametrize(("values", "problem"), [
    ([2.0] * 20, "all 20 rows have the number 2"), ([1e9 + n for n in range(20)], "too close together"),
])
def test_numbers_that_teach_nothing_are_refused(values: list[float], problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        scale_of(rows_of(values))


def test_numbers_in_memory_are_checked() -> None:
    with pytest.raises(DataError, match="row 2: 'many' is no number"):
        from_arrays(["a", "b"], [1, "many"], problem_type="regression")
    with pytest.raises(DataError, match="expected a number, got None"):
        prepare(from_arrays(["a b"] * 12, None), None, None, PrepareSettings(), 0, problem_type="regression")
