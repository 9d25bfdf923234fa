"""Labels in levels: counted by hand, against scikit-learn, and through reading, scoring and the report."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.data import Columns, inspect, prepare, read_all
from luthier.data.cells.paths import columns_in, joined, levelled, separator_in
from luthier.errors import DataError
from luthier.evaluation.classes import judge_labels
from luthier.evaluation.levels import level_counts
from luthier.pipeline import load_data, make_recipe
from luthier.recipe import PrepareSettings
from luthier.schema import LabelSet, Prediction

NAMES = ("Home > Garden", "Home > Kitchen", "Home > Kitchen > Knives", "Toys > Trains", "Toys > Dolls", "Other")
LABELS = LabelSet(NAMES, path_separator=" > ")


@pytest.mark.parametrize(("names", "separator"), [
    (NAMES, " > "),
    (("a/b", "a/c", "d/e", "d/f"), "/"),
    (("体育→足球", "体育→篮球", "财经→股票", "财经→基金"), "→"),
    (("yes/no", "in/out", "up", "down"), None),  # nothing is shared
    (("a/b", "a/c", "x", "y", "z"), None),  # too few are paths
    (("a//b", "a/c"), None),  # an empty level
    (("good", "bad"), None),
    (("TCP/IP", "I/O"), None),
    (("TCP/IP", "TCP/UDP"), None),  # one parent, by a sign that stands in names for other reasons, too
    (("TCP/IP", "TCP/UDP", "TCP/HTTP", "TCP"), None),
    (("TCP/IP", "TCP/UDP", "R&D/QA", "R&D/IT", "Sales"), None),  # one is no path
    (("a/b", "a/c", "d/e", "d/f", "a"), "/"),
    (("en->de", "en->fr", "de->en"), None),
    (("core::io", "core::net"), "::"),
])
def test_paths_are_told_from_names(names: tuple[str, ...], separator: str | None) -> None:
    assert separator_in(names) == separator


def test_the_caller_says_what_stands_between_levels_or_that_there_are_none() -> None:
    flat = LabelSet(("TCP/IP", "TCP/UDP"))
    assert levelled(flat, "/").path_separator == "/"
    assert levelled(LABELS, "none").path_separator is None
    assert levelled(LABELS, None) is LABELS
    with pytest.raises(DataError, match=r"is '\|', which stands in none of the 2 labels, such as 'TCP/IP'"):
        levelled(flat, "|")
    with pytest.raises(DataError, match=r"level_separator is '/', and 'TCP/' has an empty level") as error:
        levelled(LabelSet(("TCP/", "TCP/UDP")), "/")
    assert "('none': labels have no levels)" in str(error.value)


@pytest.mark.parametrize(("said", "wanted"), [({}, None), ({"level_separator": "/"}, "/")])
def test_levels_that_are_asked_for_are_told_in_the_data_report(
    said: dict[str, str], wanted: str | None, tmp_path: Path,
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"text": f"text {n}", "label": f"TCP/{'ab'[n % 2]}"}) + "\n" for n in range(60)))
    loaded = load_data(make_recipe(path, {"data": {"train": str(path), **said}}))
    assert loaded.dataset.labels.path_separator == wanted
    assert any("labels are paths with '/'" in note for note in loaded.report.notes) is (wanted is not None)


def answers(chosen: list[str], labels: LabelSet = LABELS) -> list[Prediction]:
    shares = [np.where([name == one for name in labels.names], 0.9, 0.02).astype(np.float32) for one in chosen]
    return [Prediction((one,), labels.names, share) for one, share in zip(chosen, shares, strict=True)]


def truth_of(names: list[str], labels: LabelSet = LABELS) -> np.ndarray:
    return np.array([[one == name for one in labels.names] for name in names])


def test_a_wrong_leaf_still_counts_for_the_levels_above() -> None:
    true = ["Home > Garden", "Home > Kitchen > Knives", "Toys > Trains", "Other"]
    said = ["Home > Kitchen", "Home > Kitchen", "Toys > Trains", "Toys > Dolls"]
    values = judge_labels(answers(said), truth_of(true), LABELS).scores.values
    assert values["f1_level_1"] == pytest.approx(3 / 4)
    # Level 2: said Kitchen, Kitchen, Trains, Dolls; true Garden, Kitchen, Trains and nothing.
    assert (values["precision_level_2"], values["recall_level_2"]) == (pytest.approx(2 / 4), pytest.approx(2 / 3))
    # All levels: true nodes 2 + 3 + 2 + 1, said 2 + 2 + 2 + 2, in both 1 + 2 + 2 + 0.
    assert (values["precision_path"], values["recall_path"]) == (pytest.approx(5 / 8), pytest.approx(5 / 8))
    assert values["accuracy"] == pytest.approx(1 / 4)


def test_flat_labels_have_no_levels() -> None:
    flat = LabelSet(("a", "b"))
    values = judge_labels(answers(["a", "b"], flat), truth_of(["a", "a"], flat), flat).scores.values
    assert not any("level" in name or "path" in name for name in values)


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), min_size=1, max_size=30))
def test_levels_agree_with_sets_of_ancestors(pairs: list[tuple[str, str]]) -> None:
    true, said = ([pair[side] for pair in pairs] for side in (0, 1))

    def above(name: str) -> set[str]:
        parts = name.split(" > ")
        return {" > ".join(parts[:depth]) for depth in range(1, len(parts) + 1)}

    both = sum(len(above(a) & above(b)) for a, b in pairs)
    sizes = sum(len(above(name)) for name in said), sum(len(above(name)) for name in true)
    counted = level_counts(truth_of(true), truth_of(said), LABELS)["path"].sum(axis=(0, 2))
    assert counted.tolist() == [both, sizes[0] - both, sizes[1] - both]
    values = judge_labels(answers(said), truth_of(true), LABELS).scores.values
    assert values["f1_path"] == pytest.approx(2 * both / sum(sizes))


def test_levels_in_columns_of_their_own_make_paths(tmp_path: Path) -> None:
    file = tmp_path / "shop.csv"
    rows = [("Home", "Garden"), ("Home", "Kitchen"), ("Toys", ""), ("Toys", "Trains")] * 10
    file.write_text("text,category,sub category\n" + "".join(
        f"item number {number},{one},{two}\n" for number, (one, two) in enumerate(rows)), encoding="utf-8")
    layout = inspect(file, Columns(label="Category, Sub category"))
    assert layout.label == "category,sub category"
    examples, bad = read_all(layout, max_bad_rows=0)
    assert not bad
    assert {row.labels for row in examples} == {("Home > Garden",), ("Home > Kitchen",), ("Toys",), ("Toys > Trains",)}
    dataset, report = prepare(examples, None, None, PrepareSettings(), 0)
    assert dataset.labels.path_separator == " > "
    assert any("labels are paths with ' > ' between up to 2 levels" in note for note in report.notes)
    with pytest.raises(DataError, match="there is no column 'level' for label"):
        inspect(file, Columns(label="category,level"))
    with pytest.raises(DataError, match="is named for text and for label"):
        inspect(file, Columns(text="text", label="category,text"))


def test_a_missing_level_above_another_is_a_bad_row() -> None:
    assert columns_in("a, b") == ["a", "b"]
    assert joined({"a": "x", "b": None}, ["a", "b"]) == "x"
    assert joined({"a": None, "b": ""}, ["a", "b"]) is None
    with pytest.raises(ValueError, match="'a' is empty, and a level below it is not"):
        joined({"a": "", "b": "y"}, ["a", "b"])


@pytest.mark.slow
def test_a_run_on_paths_tells_each_level(tmp_path: Path, tiny_model: Path) -> None:
    from typer.testing import CliRunner

    import luthier
    from luthier.cli import app

    words = {"Home > Garden": "spade", "Home > Kitchen": "knife", "Toys > Trains": "engine", "Toys > Dolls": "doll"}
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps({"text": f"{word} number {number}", "label": name}) + "\n"
                            for number in range(20) for name, word in words.items()), encoding="utf-8")
    run = luthier.train(file, model=str(tiny_model), out=tmp_path / "out", progress=False, seed=1,
                        train={"num_train_epochs": 2}, evaluation={"bootstrap": 100, "untuned": False})
    scores = run.scores["systems"]["tuned"]
    assert set(scores["intervals"]) >= {"f1_level_1", "f1_level_2", "f1_path"}
    assert scores["metrics"]["f1_level_1"] >= scores["metrics"]["f1_level_2"] == scores["metrics"]["accuracy"]
    page = (run.path / "report" / "index.html").read_text(encoding="utf-8")
    assert "F1, level 2" in page
    assert "F1，第 2 级" in page
    assert luthier.load(run.path).labels.path_separator == " > "
    told = CliRunner().invoke(app, ["evaluate", str(run.path), str(file)])
    assert told.exit_code == 0, told.output
    assert "level 1 F1" in told.output
