"""From raw values to a checked recipe and back: YAML, overrides, environment, faults told together."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from luthier.errors import LuthierError, RecipeError
from luthier.recipe.settings import AUTO, Recipe

SettingsOf = Callable[[str, str], type[BaseModel]]
"""(seam, name) -> the settings class of that choice; raises ``UnknownNameError``."""

CHOICES = {"task": "tasks", "method": "tuning.methods"}
"""Recipe key -> seam whose files own the settings below it."""

_MOST_VALUES = 100_000
"""In one recipe; weights for tens of thousands of labels fit."""

_OTHER_NAMES = {
    "lr": "train.learning_rate", "epochs": "train.num_train_epochs", "batch_size": "train.per_device_train_batch_size",
    "warmup": "train.warmup_ratio", "fp16": "train.precision", "bf16": "train.precision",
    "patience": "validation.early_stopping_patience", "threshold": "task.threshold",
}
"""Names that settings have elsewhere."""
_WRITTEN = (".csv", ".jsonl", ".xlsx")
"""How files end that answers are written to."""


def build(values: Mapping[str, Any], settings_of: SettingsOf) -> Recipe:
    """Check raw values and return the recipe, with every choice's settings filled in.

    Args:
        values: nested mapping as YAML gives it.
        settings_of: finds the settings class of a task or method.

    Raises:
        RecipeError: every fault at once, each with its path.
    """
    faults: list[str] = []
    raw: dict[str, Any] = _expand(dict(values), "", faults)
    for key, seam in CHOICES.items():
        raw[key] = _choice(raw.get(key), key, seam, settings_of, faults)
    recipe: Recipe | None = None
    try:
        recipe = Recipe.model_validate(raw)
    except ValidationError as error:
        faults.extend(_explain(error, Recipe, ""))
    if faults or recipe is None:
        raise _refusal(faults)
    return recipe


def choose(key: str, name: str, own: Mapping[str, Any], settings_of: SettingsOf) -> dict[str, Any]:
    """Return a choice that was left open, with its settings: those that were asked for, checked, and its defaults.

    Args:
        key: ``task`` or ``method``.
        name: what was chosen.
        own: what was asked for.
        settings_of: as for ``build``.

    Raises:
        RecipeError: every fault at once, each with its path.
    """
    faults: list[str] = []
    chosen = _choice({"name": name, **own}, key, CHOICES[key], settings_of, faults)
    if faults:
        raise _refusal(faults)
    return chosen


def _refusal(faults: Iterable[str]) -> RecipeError:
    return RecipeError("the recipe has faults:\n" + "\n".join(f"  - {fault}" for fault in faults),
                       "mend them in the recipe or on the command line (section.key=value)")


def read(path: Path) -> dict[str, Any]:
    """Read the raw values of a YAML recipe.

    Raises:
        RecipeError: the file is missing or is not YAML settings.
    """
    try:
        values = _yaml(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        unfinished = path.parent.with_name(path.parent.name + ".run") / path.name
        fix = f"that run is unfinished; its recipe is {unfinished}" if unfinished.is_file() else ""
        raise RecipeError(f"no recipe at {path}", fix or "give a data file or a recipe.yaml that exists") from None
    except OSError as error:
        raise RecipeError(f"the recipe {path} cannot be read: {error.strerror}",
                          "check the path and its permissions") from None
    except ValueError as error:
        raise RecipeError(f"{path} is not readable YAML: {error}", "mend the file, or start from a run's own") from None
    if not isinstance(values, dict):
        raise RecipeError(f"{path} holds {type(values).__name__}, not settings", "start from a run's recipe.yaml")
    return values


def apply_overrides(values: Mapping[str, Any], overrides: Iterable[str]) -> dict[str, Any]:
    """Return the nested values with dotted ``key=value`` overrides set; values are read as YAML.

    Raises:
        RecipeError: an override has no ``=`` or leads through something that is not a section.
    """
    result = _deep_copy(values)
    for override in [overrides] if isinstance(overrides, str) else overrides:
        dotted, found, raw = override.partition("=")
        if not found or not dotted.strip():
            raise RecipeError(f"{override!r} is not an override",
                              f"to write there: --out {override}" if override.endswith(_WRITTEN) else
                              "write section.key=value, such as train.num_train_epochs=5; of several columns --label "
                              "FIRST,SECOND")
        set_dotted(result, dotted.strip(), parse_value(raw))
    return result


def set_dotted(values: dict[str, Any], dotted: str, value: Any) -> None:
    """Set one nested value by its dotted path, in place.

    Raises:
        RecipeError: the path leads through something that is not a section.
    """
    *sections, key = dotted.split(".")
    node = values
    for section in sections:
        child = node.setdefault(section, {})
        if not isinstance(child, dict):
            raise RecipeError(f"{dotted}: {section!r} is not a section", "write section.key=value")
        node = child
    node[key] = value


def parse_value(raw: str) -> Any:
    """Read one override's value as YAML, with ``3e-5`` a number (YAML 1.1 takes it for text)."""
    if re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)[eE][+-]?\d+", raw.strip()):
        return float(raw)
    try:
        return _yaml(raw)
    except ValueError:
        return raw


def dump(recipe: Recipe) -> str:
    """Return the recipe as YAML that ``read`` and ``build`` turn back into an equal recipe."""
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def _yaml(text: str) -> Any:
    """Read YAML; ``ValueError`` for all that is wrong with it, a few anchors that unfold without end included."""
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, AttributeError, RecursionError) as error:  # the last two: what the parser falls over
        raise ValueError(str(error)) from None
    waiting = [value]
    for _ in range(_MOST_VALUES):
        if not waiting:
            return value
        node = waiting.pop()
        waiting.extend(node.values() if isinstance(node, dict) else node if isinstance(node, list) else ())
    raise ValueError(f"its anchors unfold to more than {_MOST_VALUES:,} values")


def _deep_copy(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _deep_copy(value) if isinstance(value, Mapping) else value for key, value in values.items()}


def _expand(value: Any, path: str, faults: list[str]) -> Any:
    """Replace ``${NAME}`` by the environment's value, everywhere."""
    if isinstance(value, dict):
        return {key: _expand(child, f"{path}.{key}" if path else str(key), faults) for key, child in value.items()}
    if isinstance(value, list):
        return [_expand(child, path, faults) for child in value]
    if isinstance(value, str) and "\0" in value:
        faults.append(f"{path}: holds a NUL character, which no path and no column name has")
    if not isinstance(value, str) or "${" not in value:
        return value

    def replace(match: re.Match[str]) -> str:
        found = os.environ.get(match[1])
        if found is None:
            faults.append(f"{path}: the environment variable {match[1]} is not set")
            return match[0]
        return found

    expanded = re.sub(r"\$\{(\w+)\}", replace, value)
    return parse_value(expanded) if value.startswith("${") and value.endswith("}") else expanded


def _choice(value: Any, key: str, seam: str, settings_of: SettingsOf, faults: list[str]) -> dict[str, Any]:
    """Check ``{name: …, own fields}`` (or a bare name) against the named file's settings and fill in defaults."""
    default: str = Recipe.model_fields[key].default["name"]
    if value is None:
        value = {"name": default}
    if isinstance(value, str):
        value = {"name": value}
    if default == AUTO and isinstance(value, Mapping):
        value = {"name": AUTO, **value}
    if not isinstance(value, Mapping) or not isinstance(value.get("name"), str):
        faults.append(f"{key}: needs a name, such as {key}: {{name: {default}}}")
        return {"name": ""}
    own = {field: child for field, child in value.items() if field != "name"}
    if value["name"] == AUTO and not own:
        return {"name": AUTO}
    try:
        settings = settings_of(seam, value["name"])
        # Of a choice that is left open only what was said is known.
        chosen = settings.model_validate(own).model_dump(mode="json", exclude_unset=value["name"] == AUTO)
        return {"name": value["name"], **chosen}
    except ValidationError as error:
        faults.extend(_explain(error, settings, key))
    except LuthierError as error:
        faults.append(f"{key}.name: {error.problem} ({error.fix})")
    return dict(value)


def _explain(error: ValidationError, root: type[BaseModel], prefix: str) -> list[str]:
    """Turn pydantic's faults into lines ``path: what is wrong``."""
    lines = []
    for fault in error.errors():
        location = [str(part) for part in fault["loc"]]
        path = ".".join([prefix, *location] if prefix else location)
        if fault["type"] == "extra_forbidden":
            near = _meant(root, location)
            lines.append(f"{path}: unknown setting" + (f", did you mean {near!r}?" if near else ""))
        elif fault["type"] == "missing":
            lines.append(f"{path}: missing")
        else:
            lines.append(f"{path}: {fault['msg'].removeprefix('Value error, ')}, got {_short(fault['input'])}")
    return list(dict.fromkeys(lines))


def _meant(root: type[BaseModel], location: list[str]) -> str | None:
    """Return the setting that an unknown name means: one of another section under its path."""
    *outer, name = location
    sections = {field: f"{section}.{field}" for section in root.model_fields for field in _fields_at(root, [section])}
    if root is Recipe and name in {**sections, **_OTHER_NAMES}:
        return _OTHER_NAMES.get(name) or sections[name]
    near = get_close_matches(name, _fields_at(root, outer), n=1, cutoff=0.5)
    far = get_close_matches(name, sections, n=1, cutoff=0.8) if root is Recipe and not outer else []
    return sections[far[0]] if far else next(iter(near), None)


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 80 else f"{shown[:80]}…"


def _fields_at(root: type[BaseModel], location: list[str]) -> list[str]:
    for part in location:
        field = root.model_fields.get(part)
        annotation: Any = field.annotation if field else None
        # Settings that may be left out are a class or None.
        found = [one for one in (annotation, *get_args(annotation)) if isinstance(one, type)
                 and issubclass(one, BaseModel)]
        if not found:
            return []
        root = found[0]
    return list(root.model_fields)
