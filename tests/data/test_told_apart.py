"""Files of texts with labels stay such, whatever else their columns are called like."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from luthier.data import Columns, inspect

Row = Callable[[int], dict[str, Any]]
LABELS = ("good", "bad", "neither")


def file_of(folder: Path, row: Row) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row(number)) + "\n" for number in range(60)), encoding="utf-8")
    return path


def words(number: int, of: str) -> str:
    return f"{of} number {number} has some words of its own"


@pytest.mark.parametrize("names", [
    ("prompt", "response", "label"), ("prompt", "response", "toxic"), ("instruction", "response", "category"),
    ("text", "summary", "department_name"), ("article", "summary", "bias"),
    ("en", "zh", "mood"), ("anchor", "positive", "label"), ("query", "positive", "topic"),
])
def test_a_label_beside_two_texts_is_what_is_learned(tmp_path: Path, names: tuple[str, str, str]) -> None:
    path = file_of(tmp_path, lambda number: {names[0]: words(number, "first"), names[1]: words(number, "second"),
                                             names[2]: LABELS[number % 3]})
    layout = inspect(path)
    assert layout.problem_type == "single_label_classification"
    assert layout.label == names[2]


@pytest.mark.parametrize(("names", "kind"), [
    (("dialogue", "summary", "topic"), "text_generation"), (("src", "tgt", "domain"), "text_generation"),
    (("source", "target", "domain"), "text_generation"),
    (("source", "target", "category"), "single_label_classification"),
    (("对话", "摘要", "标签"), "single_label_classification"),
    (("src", "tgt", "label"), "single_label_classification"),
])
def test_what_stands_beside_a_source_is_said(tmp_path: Path, names: tuple[str, str, str], kind: str) -> None:
    layout = inspect(file_of(tmp_path, lambda number: {
        names[0]: words(number, "first"), names[1]: words(number, "second"), names[2]: LABELS[number % 3]}))
    assert layout.problem_type == kind
    assert layout.label == (names[1] if kind == "text_generation" else names[2])
    said = f"column {names[2]!r} is not learned" if kind == "text_generation" else "--task text-to-text learns"
    assert any(said in note for note in layout.notes)


def test_targets_that_are_labels_stay_labels(tmp_path: Path) -> None:
    path = file_of(tmp_path, lambda number: {"text": words(number, "a"), "target": f"class {number % 25}",
                                             "reason": words(number, "because")})
    assert inspect(path).label == "target"
    path = file_of(tmp_path, lambda number: {"text": words(number, "a"), "targets": "['dd', 'ff']",
                                             "rating": number % 5})
    assert inspect(path).label == "targets"


def test_a_number_beside_two_texts_is_what_is_learned(tmp_path: Path) -> None:
    layout = inspect(file_of(tmp_path, lambda number: {
        "prompt": words(number, "one"), "response": words(number, "two"), "score": number / 7}))
    assert (layout.problem_type, layout.label) == ("regression", "score")


@pytest.mark.parametrize(("names", "label"), [
    (("instruction", "output"), "output"), (("query", "pos"), "pos"), (("prompt", "completion"), "completion")])
def test_short_answers_that_repeat_are_labels(tmp_path: Path, names: tuple[str, str], label: str) -> None:
    path = file_of(tmp_path, lambda number: {names[0]: words(number, "text"), names[1]: LABELS[number % 3]})
    layout = inspect(path)
    assert (layout.problem_type, layout.label) == ("single_label_classification", label)


@pytest.mark.parametrize("column", ["prompt", "instruction"])
def test_a_text_that_is_called_like_a_prompt_is_a_text(tmp_path: Path, column: str) -> None:
    path = file_of(tmp_path, lambda number: {column: words(number, "text"), "label": LABELS[number % 3]})
    for columns in (Columns(), Columns(text=column), Columns(text=column, label="label")):
        assert inspect(path, columns).problem_type == "single_label_classification"


@pytest.mark.parametrize(("names", "kind"), [
    (("prompt", "response"), "dialogue"), (("instruction", "output"), "dialogue"),
    (("source", "target"), "text_generation"), (("anchor", "positive"), "retrieval")])
def test_two_texts_alone_are_told_by_their_names(tmp_path: Path, names: tuple[str, str], kind: str) -> None:
    path = file_of(tmp_path, lambda number: {"id": number, names[0]: words(number, "a"), names[1]: words(number, "b")})
    assert inspect(path).problem_type == kind


def test_texts_without_labels_are_texts_whatever_stands_beside_them(tmp_path: Path) -> None:
    path = file_of(tmp_path, lambda number: {"text": f"Ann met Bob {number}", "subject": "Ann", "object": "Bob"})
    layout = inspect(path, labelled=False)
    assert layout.problem_type is None
    assert not layout.more


@pytest.mark.parametrize("columns", [("head", "tail", "relation"), ("subject", "object", "relation")])
def test_one_relation_a_row_and_lists_of_them_are_told_apart(tmp_path: Path, columns: tuple[str, str, str]) -> None:
    verbs = ("met", "left", "saw")
    path = file_of(tmp_path, lambda number: {"text": f"Ann {verbs[number % 3]} Bob in {number}", columns[0]: "Ann",
                                             columns[1]: "Bob", columns[2]: verbs[number % 3]})
    assert inspect(path).problem_type == "relation_classification"
    path = file_of(tmp_path, lambda number: {
        "text": f"Ann met Bob in {number}", "entities": [[0, 3, "person"], [8, 11, "person"]],
        "relations": [{columns[0]: 0, columns[1]: 1, "label": "met"}][number % 2:]})
    assert inspect(path).problem_type == "joint_extraction"
    assert inspect(path, task="named-entities").problem_type == "token_classification"


def test_an_export_without_a_single_relation_holds_entities(tmp_path: Path) -> None:
    path = file_of(tmp_path, lambda number: {"text": f"Ann came {number}", "entities": [
        {"id": number, "label": "person", "start_offset": 0, "end_offset": 3}], "relations": []})
    assert inspect(path).problem_type == "token_classification"
    assert inspect(path, task="entities-and-relations").problem_type == "joint_extraction"


def test_several_labels_in_a_list_are_no_relations(tmp_path: Path) -> None:
    path = file_of(tmp_path, lambda number: {"text": words(number, "a"), "relations": [["a", "b"], ["c"]][number % 2]})
    assert inspect(path, Columns(label="relations")).problem_type == "multi_label_classification"
