"""Read and prepare what a recipe names, and settle what it leaves open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from luthier import plugins
from luthier.data import BadRow, Columns, DataReport, Layout, inspect, prepare, read_all
from luthier.errors import DataError
from luthier.recipe import Recipe, spawn
from luthier.schema import Dataset, Example

MODEL_FOR_LANGUAGE = {"en": "minilm-l6"}
"""Language of the text -> packaged model; every other language takes the multilingual one."""
MULTILINGUAL = "e5-small"

EPOCHS, MOST_EPOCHS = 3, 20
LEAST_STEPS = 100
"""Optimiser steps below which a new head has hardly begun to learn."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """Prepared data, and the recipe with nothing left open."""

    dataset: Dataset
    report: DataReport
    recipe: Recipe
    notes: tuple[str, ...]
    """What was decided for the user, each with its reason."""


def load_data(recipe: Recipe) -> Loaded:
    """Read the recipe's files, prepare them and settle columns, model and learning rate.

    Raises:
        DataError: a file or its rows cannot be used.
    """
    layout = inspect(recipe.data.train, _columns(recipe), encoding=recipe.data.encoding)
    settled = recipe.override(data=recipe.data.model_copy(update={
        "text": layout.text, "text_b": layout.text_b, "label": layout.label, "label_separator": layout.label_separator,
    }))
    limit = recipe.data.max_bad_rows
    train, bad = read_all(layout, max_bad_rows=limit)
    unreadable = {layout.path.name: bad}  # by name: the report leaves this machine with the bundle
    given: dict[str, list[Example] | None] = {"valid": None, "test": None}
    for split in given:
        path = getattr(recipe.data, split)
        if path is not None:
            other = _like(settled, recipe, path)
            given[split], bad = read_all(other, max_bad_rows=limit)
            unreadable.setdefault(other.path.name, []).extend(bad)
    return settle(settled, train, given["valid"], given["test"], notes=layout.notes, bad=unreadable,
                  multi_label=layout.multi_label)


def _like(settled: Recipe, asked: Recipe, path: str) -> Layout:
    """Look for the train file's columns in another file, or for what the caller asked for where it has other names."""
    encoding = asked.data.encoding
    try:
        return inspect(path, _columns(settled), encoding=encoding)
    except DataError:
        return inspect(path, _columns(asked), encoding=encoding)


def settle(
    recipe: Recipe,
    train: list[Example],
    valid: list[Example] | None = None,
    test: list[Example] | None = None,
    *,
    notes: Sequence[str] = (),
    bad: Mapping[str, list[BadRow]] | None = None,
    multi_label: bool = False,
) -> Loaded:
    """Prepare examples that are already in memory and settle the recipe's open entries."""
    dataset, report = prepare(train, valid, test, recipe.prepare, spawn(recipe.seed, "split"),
                              multi_label=multi_label)
    report = report.with_bad_rows(bad or {})
    recipe, decided = _settle_model(recipe, report)
    recipe, rate = _settle_learning_rate(recipe)
    recipe, epochs = _settle_epochs(recipe, len(dataset.train))
    return Loaded(dataset, report, recipe, (*notes, *decided, *rate, *epochs))


def _columns(recipe: Recipe) -> Columns:
    data = recipe.data
    return Columns(text=data.text, text_b=data.text_b, label=data.label, label_separator=data.label_separator)


def _settle_model(recipe: Recipe, report: DataReport) -> tuple[Recipe, list[str]]:
    if recipe.model.name != "auto":
        return recipe, []
    code = report.language
    name = MODEL_FOR_LANGUAGE.get(code, MULTILINGUAL)
    why = {"en": "the text is English", "zh": "the text is Chinese"}.get(code, "the text is not in one known language")
    settled = recipe.override(model=recipe.model.model_copy(update={"name": name}))
    return settled, [f"model: {name}, because {why}"]


def _settle_epochs(recipe: Recipe, rows: int) -> tuple[Recipe, list[str]]:
    """Choose the passes over the rows: 3, or what makes ``LEAST_STEPS``; early stopping ends the needless ones."""
    if recipe.train.num_train_epochs is not None:
        return recipe, []
    batch = recipe.train.per_device_train_batch_size * recipe.train.gradient_accumulation_steps
    per_epoch = -(-rows // batch)
    epochs = min(max(EPOCHS, -(-LEAST_STEPS // per_epoch)), MOST_EPOCHS)
    settled = recipe.override(train=recipe.train.model_copy(update={"num_train_epochs": epochs}))
    why = "the default" if epochs == EPOCHS else f"because an epoch over {rows} rows has only {per_epoch} steps"
    return settled, [f"epochs: {epochs}, {why}"]


def _settle_learning_rate(recipe: Recipe) -> tuple[Recipe, list[str]]:
    if recipe.train.learning_rate is not None:
        return recipe, []
    name = recipe.method["name"]
    rate: float = plugins.load("tuning.methods", name).LEARNING_RATE
    settled = recipe.override(train=recipe.train.model_copy(update={"learning_rate": rate}))
    return settled, [f"learning rate: {rate:g}, the default of method {name}"]
