"""Settling what a task leaves open until its model is known: the prompt of a decoder, and how fast it learns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from luthier import plugins
from luthier.data import DataReport
from luthier.models.chat import has_template
from luthier.models.seq2seq import continues
from luthier.models.sources import resolve
from luthier.pipeline.settings import choice_settings
from luthier.recipe import NEW_MODEL, Recipe, spawn
from luthier.schema import Dataset
from luthier.tasks import Known


def settle_prompt(recipe: Recipe, report: DataReport, dataset: Dataset) -> tuple[Recipe, list[str]]:
    """Settle what the recipe's task leaves open until its model is known, and return what there is to say of it.

    Raises:
        ModelError: the model cannot be found, or cannot write.
        RecipeError: a setting is for models of another kind.
    """
    task = plugins.load("tasks", recipe.task["name"])
    if not hasattr(task, "settle_model"):
        return recipe, []
    known = replace(_known(recipe, report), held_out=(*dataset.valid, *dataset.test))
    settings, told = task.settle_model(choice_settings(recipe, "task"), dataset.train, known)
    return recipe.override(task={"name": recipe.task["name"], **settings.model_dump(mode="json")}), told


def pace(recipe: Recipe) -> tuple[Mapping[str, float], int]:
    """Return the task's learning rates by method, and the fewest steps in which it learns something."""
    task = plugins.load("tasks", recipe.task["name"])
    if not hasattr(task, "pace"):
        return task.LEARNING_RATES, task.LEAST_STEPS
    found: tuple[Mapping[str, float], int] = task.pace(choice_settings(recipe, "task"))
    return found


def _known(recipe: Recipe, report: DataReport) -> Known:
    columns, seed = (recipe.data.text or "", recipe.data.label or ""), spawn(recipe.seed, "examples")
    if recipe.model.name == NEW_MODEL:
        return Known(NEW_MODEL, continues=False)
    directory = resolve(recipe.model.name, offline=recipe.offline).path
    return Known(recipe.model.name, continues(directory), has_template(directory), columns, report.language, seed)
