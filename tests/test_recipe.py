"""Recipes: what is refused and how, what is filled in, and that nothing is lost on the way to YAML and back."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from luthier import recipe
from luthier.errors import RecipeError
from luthier.pipeline.settings import make_recipe, settings_of
from luthier.recipe import choose

MINIMAL = {"data": {"train": "reviews.csv"}, "out": "runs/reviews"}


def build(values: dict[str, object]) -> recipe.Recipe:
    return recipe.build(values, settings_of)


def test_defaults_are_filled_in_down_to_the_methods_own_settings() -> None:
    built = build({**MINIMAL, "method": "lora"})
    assert built.method["name"] == "lora"
    assert built.method["lora_rank"] == 16
    assert built.train.num_train_epochs is None
    assert built.train.per_device_train_batch_size == 32


def test_the_home_directory_is_meant_by_a_tilde(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert build({**MINIMAL, "out": "~/runs/x"}).out == f"{tmp_path}/runs/x"
    assert make_recipe("reviews.csv", {"out": Path("~/y")}).out == f"{tmp_path}/y"
    assert build({**MINIMAL, "out": "runs/~x"}).out == "runs/~x"
    data = build({**MINIMAL, "data": {"train": "~/a.csv", "test": "~/b.csv"}}).data
    assert (data.train, data.valid, data.test) == (f"{tmp_path}/a.csv", None, f"{tmp_path}/b.csv")


def test_all_faults_come_together_each_with_its_path() -> None:
    with pytest.raises(RecipeError) as caught:
        build({"data": {"train": "x.csv", "txt": "review"}, "train": {"learning_rat": 1e-5, "num_train_epochs": 0},
               "method": {"name": "lora", "lora_rnk": 4}})
    message = str(caught.value)
    assert "data.txt: unknown setting, did you mean 'text'?" in message
    assert "train.learning_rat: unknown setting, did you mean 'learning_rate'?" in message
    assert "train.num_train_epochs: Input should be greater than or equal to 1, got 0" in message
    assert "method.lora_rnk: unknown setting, did you mean 'lora_rank'?" in message
    assert "out: missing" in message


def test_an_unknown_method_is_refused_with_the_list_and_the_nearest() -> None:
    with pytest.raises(RecipeError, match=r"method 'loar'; known: freeze, full, lora \(did you mean 'lora'\?\)"):
        build({**MINIMAL, "method": {"name": "loar"}})


def test_a_choice_without_a_name_is_refused() -> None:
    with pytest.raises(RecipeError, match="method: needs a name"):
        build({**MINIMAL, "method": {"lora_rank": 8}})


@pytest.mark.parametrize("task", [{"pooling": "max"}, {"name": "auto", "pooling": "max"}])
def test_settings_of_a_task_that_the_data_shall_tell_wait_for_it(task: dict[str, str]) -> None:
    found = build({**MINIMAL, "task": task})
    assert found.task == {"name": "auto", "pooling": "max"}
    assert choose("task", "text-classification", {"pooling": "max"}, settings_of) == {
        "name": "text-classification", "pooling": "max", "threshold": 0.5}
    with pytest.raises(RecipeError, match="task.pooling: unknown setting"):
        choose("task", "dialogue", {"pooling": "max"}, settings_of)
    with pytest.raises(RecipeError, match="task.pooling: Input should be 'mean' or 'max'"):
        choose("task", "text-classification", {"pooling": "least"}, settings_of)


def test_a_setting_that_no_task_has_is_refused_before_the_data_are_read() -> None:
    with pytest.raises(RecipeError, match="task.poling: unknown setting, did you mean 'pooling'"):
        build({**MINIMAL, "task": {"poling": "max"}})


def test_a_dotted_import_path_is_only_an_unknown_name() -> None:
    with pytest.raises(RecipeError, match="unknown method"):
        build({**MINIMAL, "method": {"name": "os.system"}})


def test_shares_that_do_not_sum_to_one_are_refused() -> None:
    with pytest.raises(RecipeError, match="prepare.split: needs three shares above 0 that sum to 1"):
        build({**MINIMAL, "prepare": {"split": [0.5, 0.2, 0.2]}})


def test_environment_variables_are_read_and_missing_ones_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUTHIER_TEST_FOLDER", "shelf")
    monkeypatch.setenv("LUTHIER_TEST_SEED", "7")
    built = build({"data": {"train": "${LUTHIER_TEST_FOLDER}/a.csv"}, "out": "runs/a", "seed": "${LUTHIER_TEST_SEED}"})
    assert built.data.train == "shelf/a.csv"
    assert built.seed == 7
    with pytest.raises(RecipeError, match="data.train: the environment variable NOT_THERE_AT_ALL is not set"):
        build({"data": {"train": "${NOT_THERE_AT_ALL}"}, "out": "x"})


def test_one_tracker_needs_no_list() -> None:
    for written in ("report_to=tensorboard", "report_to=[tensorboard]"):
        assert build(recipe.apply_overrides(MINIMAL, [written])).report_to == ("tensorboard",)


def test_overrides_reach_every_depth_and_read_exponents_as_numbers() -> None:
    values = recipe.apply_overrides(MINIMAL, ["train.learning_rate=3e-5", "seed=1", "prepare.split=[0.8,0.1,0.1]"])
    built = build(values)
    assert built.train.learning_rate == 3e-5
    assert built.seed == 1
    assert built.prepare.split == (0.8, 0.1, 0.1)
    assert "seed" not in MINIMAL


@pytest.mark.parametrize(("override", "meant"), [
    ("num_train_epochs=5", "train.num_train_epochs"), ("lr=1e-4", "train.learning_rate"),
    ("epochs=5", "train.num_train_epochs"), ("max_length=64", "model.max_length"),
    ("train.lr=1", "train.learning_rate"),
    ("threshold=0.6", "task.threshold"), ("learning_rat=1", "train.learning_rate"), ("sed=1", "seed"),
])
def test_settings_are_found_whatever_section_was_meant(override: str, meant: str) -> None:
    with pytest.raises(RecipeError, match=f"unknown setting, did you mean '{meant}'"):
        build(recipe.apply_overrides(MINIMAL, [override]))


def test_a_file_among_the_settings_is_to_be_written() -> None:
    with pytest.raises(RecipeError, match="to write there: --out out.csv"):
        recipe.apply_overrides(MINIMAL, ["out.csv"])


@pytest.mark.parametrize("override", ["train.learning_rate", "=3", " =x"])
def test_what_is_not_an_override_is_refused(override: str) -> None:
    with pytest.raises(RecipeError, match="is not an override"):
        recipe.apply_overrides(MINIMAL, [override])


def test_an_override_through_a_value_is_refused() -> None:
    with pytest.raises(RecipeError, match="out.x: 'out' is not a section"):
        recipe.apply_overrides(MINIMAL, ["out.x=1"])


def test_a_keyword_for_a_section_that_is_none_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text("data: reviews.csv\nout: x\n")
    with pytest.raises(RecipeError, match="data is not a section of settings\n  -> start from the recipe"):
        make_recipe(file, {"text": "review"})


@pytest.mark.parametrize(("content", "message"), [
    ("- a list", "holds list, not settings"), ("a: [", "is not readable YAML"), ("", "holds NoneType, not settings"),
])
def test_a_file_that_is_no_recipe_is_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(content)
    with pytest.raises(RecipeError, match=message):
        make_recipe(path, {})


def test_the_recipe_of_an_unfinished_run_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.run").mkdir()
    (tmp_path / "x.run" / "recipe.yaml").write_text("")
    with pytest.raises(RecipeError, match="that run is unfinished; its recipe is .*x.run/recipe.yaml"):
        make_recipe(tmp_path / "x" / "recipe.yaml", {})


def test_a_missing_recipe_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no recipe at"):
        make_recipe(tmp_path / "none.yaml", {})


@given(
    rate=st.one_of(st.none(), st.floats(1e-8, 1.0)), epochs=st.integers(1, 100), seed=st.integers(0, 2**32 - 1),
    path=st.text(st.characters(codec="utf-8", exclude_characters="$", exclude_categories=("Cc", "Cs")), min_size=1)
    .filter(lambda text: text.strip() == text),
    weights=st.one_of(st.just("auto"), st.dictionaries(st.text("ab好", min_size=1), st.floats(0.1, 10))),
)
def test_dump_and_read_give_the_same_recipe(tmp_path_factory: pytest.TempPathFactory, rate: float | None, epochs: int,
                                            seed: int, path: str, weights: object) -> None:
    built = build({"data": {"train": path}, "out": "runs/x", "seed": seed, "method": "lora",
                   "train": {"learning_rate": rate, "num_train_epochs": epochs, "class_weights": weights}})
    file = tmp_path_factory.mktemp("recipe") / "recipe.yaml"
    file.write_text(recipe.dump(built), encoding="utf-8")
    assert make_recipe(file, {}) == built


def test_keywords_stand_for_recipe_keys() -> None:
    built = make_recipe("d/reviews.csv", {"text": "review", "model": "minilm-l6", "method": "lora", "out": None},
                        ["method.lora_rank=4"])
    assert (built.data.text, built.model.name, built.method["lora_rank"], built.out) == (
        "review", "minilm-l6", 4, "runs/reviews")


def test_another_method_on_the_command_line_drops_the_old_ones_settings(tmp_path: Path) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text(recipe.dump(make_recipe("a.csv", {"method": "lora"})))
    assert make_recipe(file, {"method": "full"}).method == {"name": "full"}
    assert make_recipe(file, {"method": "lora"}).method["lora_rank"] == 16


def test_sections_given_as_mappings_are_laid_over_the_defaults() -> None:
    built = make_recipe("a.csv", {"train": {"num_train_epochs": 9}, "method": {"name": "lora", "lora_rank": 2}})
    assert built.train.num_train_epochs == 9
    assert built.train.weight_decay == 0.01
    assert built.method["lora_rank"] == 2


BILLION = "a: &a [x, x, x]\n" + "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in pairwise("abcdefghi"))


@pytest.mark.parametrize("text", [
    "data: &a {train: *a}\nout: o\n", BILLION,
    "seed: 2024-99-99\n", "seed: !!int x\n", "seed: !!timestamp x\n", "x: " + "[" * 5000, "seed: " + "9" * 5000,
])
def test_yaml_that_is_no_settings_is_refused_whatever_python_says_of_it(tmp_path: Path, text: str) -> None:
    (tmp_path / "recipe.yaml").write_text(text)
    with pytest.raises(RecipeError, match="is not readable YAML") as caught:
        recipe.read(tmp_path / "recipe.yaml")
    assert "start from a run's own" in str(caught.value)


def test_a_recipe_that_is_a_directory(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="cannot be read: Is a directory"):
        recipe.read(tmp_path)


@pytest.mark.parametrize("override", ["seed=2024-99-99", "seed=!!int x", "seed=" + "[" * 3000, "seed=&a [*a]"])
def test_an_override_that_is_no_yaml_is_text(override: str) -> None:
    with pytest.raises(RecipeError, match="seed: Input should be a valid integer"):
        make_recipe("rows.csv", {}, [override])


@pytest.mark.parametrize(("key", "value", "message"), [
    ("train", {"learning_rate": float("inf")}, "Input should be a finite number"),
    ("seed", 10**30, "Input should be less than 4294967296"),
    ("threads", 10**30, "Input should be less than or equal to 1024"),
    ("out", "a\0b", "out: holds a NUL character"),
    ("train", {"class_weights": {True: 2.0}}, "put quotes around it"),
])
def test_values_out_of_any_range(key: str, value: object, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        build({**MINIMAL, key: value})


def test_a_fault_shows_the_start_of_a_long_value_only() -> None:
    with pytest.raises(RecipeError) as caught:
        build({**MINIMAL, "seed": "x" * 10_000})
    assert len(str(caught.value)) < 400


def test_number_labels_may_have_weights() -> None:
    built = build({**MINIMAL, "train": {"class_weights": {0: 1, 1: 2.5}}})
    assert built.train.class_weights == {"0": 1.0, "1": 2.5}


def test_a_separator_may_be_a_space() -> None:
    assert make_recipe("rows.csv", {"label_separator": " "}).data.label_separator == " "


@pytest.mark.parametrize("written", ["lora", None, {"name": "lora", "lora_rank": 4}])
def test_a_method_named_by_the_caller_replaces_the_recipes(tmp_path: Path, written: object) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump({**MINIMAL, "method": written}))
    assert make_recipe(path, {"method": "full"}).method["name"] == "full"
    assert make_recipe(path, {"method": "lora"}).method["name"] == "lora"
