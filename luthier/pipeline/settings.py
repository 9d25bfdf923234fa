"""From what a caller says to a whole recipe."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, create_model

from luthier import plugins, recipe
from luthier.errors import RecipeError
from luthier.recipe import AUTO, CHOICES, Recipe

SHORTCUTS = {
    "valid": "data.valid",
    "test": "data.test",
    "text": "data.text",
    "text_b": "data.text_b",
    "label": "data.label",
    "label_separator": "data.label_separator",
    "encoding": "data.encoding",
    "model": "model.name",
    "method": "method.name",
    "task": "task.name",
}
"""Keyword or command-line option -> the recipe key it stands for."""

RECIPE_SUFFIXES = (".yaml", ".yml")


def settings_of(seam: str, name: str) -> type[BaseModel]:
    """Return the settings class of a task or method; task ``auto`` has the settings of all tasks, of any value.

    Raises:
        UnknownNameError: no such task or method.
    """
    if (seam, name) == (CHOICES["task"], AUTO):
        every = {field for task in plugins.names(seam) for field in plugins.load(seam, task).Settings.model_fields}
        fields: dict[str, Any] = dict.fromkeys(every, (Any, None))
        return create_model("AnyTask", __base__=recipe.Settings, **fields)
    settings: type[BaseModel] = plugins.load(seam, name).Settings
    return settings


def make_recipe(source: str | Path, shortcuts: Mapping[str, Any], overrides: Iterable[str] = ()) -> Recipe:
    """Build the recipe of a run from a data file or a recipe file, keywords and dotted overrides.

    Args:
        source: a data file, or a YAML recipe.
        shortcuts: keywords of ``SHORTCUTS``, or whole recipe entries (``seed=1``, ``train={…}``); ``None``: not said.
        overrides: ``section.key=value`` strings; they win over everything else.

    Raises:
        RecipeError: every fault at once.
    """
    said = {SHORTCUTS.get(key, key): value for key, value in shortcuts.items() if value is not None}
    if Path(source).suffix.lower() in RECIPE_SUFFIXES:
        values = recipe.read(Path(source))
    else:
        values = {"data": {"train": str(source)}, "out": default_out(source)}
    for dotted, value in said.items():
        _merge(values, dotted, value)
    return recipe.build(recipe.apply_overrides(values, overrides), settings_of)


def default_out(source: str | Path) -> str:
    """Return where the bundle of a data file goes when the caller does not say: ``runs/<file name>``."""
    return str(Path("runs") / Path(source).stem)


def _merge(values: dict[str, Any], dotted: str, value: Any) -> None:
    """Set a value; a mapping is laid over the section that is there, key by key."""
    if isinstance(value, Path):
        value = str(value)
    if dotted in ("method.name", "task.name", "model.name") and isinstance(value, Mapping):
        dotted = dotted.split(".")[0]
    if isinstance(value, Mapping) and isinstance(values.get(dotted), dict):
        values[dotted].update(value)
        return
    section = dotted.split(".")[0]
    if dotted in ("method.name", "task.name") and _name_of(values.get(section)) != value:
        # Another method has other settings: those of the old one would be refused.
        values[section] = {}
    if "." in dotted and values.get(section) is None:
        values[section] = {}
    if dotted in ("method.name", "task.name") and isinstance(values[section], str):
        values[section] = {"name": values[section]}
    if "." in dotted and not isinstance(values[section], dict):
        raise RecipeError(f"{section} is not a section of settings", "start from the recipe.yaml of a run")
    recipe.set_dotted(values, dotted, value)


def _name_of(choice: Any) -> Any:
    """Return the name in ``{name: lora, …}``, or the bare name."""
    return choice.get("name") if isinstance(choice, Mapping) else choice


def choice_settings(recipe: Recipe, key: str) -> Any:
    """Return the typed settings of the recipe's task or method."""
    choice = getattr(recipe, key)
    own = {name: value for name, value in choice.items() if name != "name"}
    return plugins.load(CHOICES[key], choice["name"]).Settings(**own)
