"""Reading and preparing what a recipe names: what is settled, and what may leave the machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from luthier.errors import RecipeError
from luthier.pipeline import load_data, make_recipe


def write(directory: Path, rows: int, *, word: str) -> Path:
    directory.mkdir()
    good = "".join(json.dumps({"text": f"{word} {n}", "label": "yn"[n % 2]}) + "\n" for n in range(rows))
    path = directory / "rows.jsonl"
    path.write_text(good + "{broken\n", encoding="utf-8")
    return path


def test_bad_rows_of_files_of_one_name_are_all_told_without_their_folders(tmp_path: Path) -> None:
    train, test = write(tmp_path / "a", 40, word="train"), write(tmp_path / "b", 12, word="test")
    loaded = load_data(make_recipe(train, {"test": str(test), "out": str(tmp_path / "out")}))
    assert loaded.report.bad_rows == 2
    places = [(row["file"], row["line"]) for row in loaded.report.bad_examples]
    assert places == [("rows.jsonl", 41), ("rows.jsonl", 13)]
    assert str(tmp_path) not in json.dumps(loaded.report.to_dict())


def test_what_was_left_open_is_settled_with_its_reason(tmp_path: Path) -> None:
    loaded = load_data(make_recipe(write(tmp_path / "a", 40, word="a good thing"), {"method": "lora"}))
    assert (loaded.recipe.data.text, loaded.recipe.data.label) == ("text", "label")
    assert loaded.recipe.model.name == "minilm-l6"
    assert loaded.recipe.train.learning_rate == 5e-4
    assert "model: minilm-l6, because the text is English" in loaded.notes
    assert "learning rate: 0.0005, the default of method lora" in loaded.notes


def test_settings_of_the_task_need_not_name_it(tmp_path: Path) -> None:
    data = write(tmp_path / "a", 40, word="a good thing")
    asked = make_recipe(data, {"task": {"threshold": 0.4}}, ["task.pooling=max"])
    assert load_data(asked).recipe.task == {"name": "text-classification", "threshold": 0.4, "pooling": "max"}
    with pytest.raises(RecipeError, match="task.null_threshold: unknown setting"):
        load_data(make_recipe(data, {}, ["task.null_threshold=1"]))


def test_few_rows_get_more_epochs_and_many_the_default(tmp_path: Path) -> None:
    few = load_data(make_recipe(write(tmp_path / "few", 200, word="a good thing"), {}))
    assert few.recipe.train.num_train_epochs == 20
    assert "epochs: 20, because an epoch over 120 rows has only 4 steps" in few.notes
    many = load_data(make_recipe(write(tmp_path / "many", 2000, word="a good thing"), {}))
    assert many.recipe.train.num_train_epochs == 3
    said = load_data(make_recipe(tmp_path / "few" / "rows.jsonl", {}, ["train.num_train_epochs=2"]))
    assert said.recipe.train.num_train_epochs == 2


def test_epochs_count_what_is_learned_from(tmp_path: Path) -> None:
    path = tmp_path / "passages.jsonl"
    rows = [{"query": f"question {n}", "pos": [f"answer {n} {place}" for place in range(8)]} for n in range(200)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    loaded = load_data(make_recipe(path, {}))
    assert len(loaded.dataset.train) == 120
    assert "epochs: 4, because an epoch over 960 rows has only 30 steps" in loaded.notes


@pytest.mark.parametrize("task", ["regression", "similarity", "nested-entities"])
def test_label_smoothing_is_refused_where_nothing_is_smoothed(tmp_path: Path, task: str) -> None:
    rows = {
        "regression": lambda n: {"text": f"text {n}", "score": n / 7},
        "similarity": lambda n: {"query": f"text {n}", "pos": f"passage {n}"},
        "nested-entities": lambda n: {"text": f"Oslo Opera {n}", "entities": [[0, 4, "LOC"], [0, 10, "ORG"]]},
    }[task]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(rows(n)) + "\n" for n in range(60)), encoding="utf-8")
    with pytest.raises(RecipeError, match=f"factor is 0.1, and the task {task} has no use for it: ") as error:
        load_data(make_recipe(path, {}, ["train.label_smoothing_factor=0.1"]))
    assert "tasks that take it: " in str(error.value)
    assert "text-classification" in str(error.value)
    assert task not in str(error.value).split("tasks that take it")[1]


def test_entities_within_others_choose_their_task(tmp_path: Path) -> None:
    def rows(path: Path, spans: list[list[object]]) -> Path:
        made = [{"text": f"Oslo Opera {n} is good", "entities": spans if n % 4 else []} for n in range(60)]
        path.write_text("".join(json.dumps(row) + "\n" for row in made), encoding="utf-8")
        return path

    nested = rows(tmp_path / "nested.jsonl", [[0, 4, "LOC"], [0, 10, "ORG"]])
    loaded = load_data(make_recipe(nested, {}))
    assert loaded.recipe.task == {"name": "nested-entities", "max_entity_characters": 15, "whole_words": True,
                                  "window_characters": 21, "window_sentences": 1}
    assert any(note.startswith("task: nested-entities, because ") and note.endswith("entities begin within another")
               for note in loaded.notes)
    flat = rows(tmp_path / "flat.jsonl", [[0, 10, "ORG"]])
    assert load_data(make_recipe(flat, {})).recipe.task["name"] == "named-entities"
    assert load_data(make_recipe(flat, {"task": "nested-entities"})).recipe.task["name"] == "nested-entities"
