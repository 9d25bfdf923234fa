"""Typed settings: load, check, override, dump. A recipe is data, never code.

Hyper-parameters carry the names people know from Hugging Face. ``method`` and ``task`` are a name from a known list
plus that choice's own fields, which live in the choice's own file. All faults of a recipe are reported together.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from luthier.errors import LuthierError, RecipeError

SettingsOf = Callable[[str, str], type[BaseModel]]
"""(seam, name) -> the settings class of that choice; raises ``UnknownNameError``."""

CHOICES = {"task": "tasks", "method": "tuning.methods"}
"""Recipe key -> seam whose files own the settings below it."""


class Settings(BaseModel):
    """What every settings class shares: frozen, unknown keys refused, no silent casts of text to numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=(), str_strip_whitespace=True)


class DataSettings(Settings):
    """Which files, and what stands where in them; what is left out is inferred and said."""

    train: str
    """File with labelled rows; split three ways unless valid and test are given."""
    valid: str | None = None
    """File for choosing the best step."""
    test: str | None = None
    """File for the final scores."""
    text: str | None = None
    """Column with the text."""
    text_b: str | None = None
    """Column with the second text of a pair."""
    label: str | None = None
    """Column with the label or labels."""
    label_separator: str | None = None
    """What stands between several labels in one cell; makes the task multi-label."""
    encoding: str | None = None
    """Text encoding; found out from the bytes when left out."""
    max_bad_rows: int = Field(100, ge=0)
    """Unreadable rows tolerated before the run stops."""


class PrepareSettings(Settings):
    """How rows are cleaned and split."""

    normalize: Literal["nfc", "nfkc", "none"] = "nfc"
    """Unicode form given to every text, at prediction too; each but ``none`` also trims white space."""
    deduplicate: bool = True
    """Drop exact duplicates and rows that would stand in two splits; they are counted either way."""
    split: tuple[float, float, float] = (0.6, 0.2, 0.2)
    """Shares of train, valid and test when no files are given for them."""
    max_rows: int | None = Field(None, ge=10)
    """Use a stratified sample of this many rows."""

    @field_validator("split")
    @classmethod
    def _shares(cls, value: tuple[float, float, float]) -> tuple[float, float, float]:
        if any(share <= 0 for share in value) or abs(sum(value) - 1) > 1e-6:
            raise ValueError("needs three shares above 0 that sum to 1, such as [0.6, 0.2, 0.2]")
        return value


class ModelSettings(Settings):
    """The pretrained model."""

    name: str = "auto"
    """Packaged name, hub id or directory; ``auto`` chooses by the language of the text."""
    max_length: int | None = Field(None, ge=8)
    """Most tokens of one text, special ones included; the model's own limit when left out."""
    dropout: float | None = Field(None, ge=0, lt=1)
    """Dropout of hidden layers; the model's own when left out."""
    attention_dropout: float | None = Field(0.0, ge=0, lt=1)
    """Dropout of attention weights; 0 trains long texts several times faster, ``null`` takes the model's own."""


class TrainSettings(Settings):
    """The optimisation."""

    learning_rate: float | None = Field(None, gt=0)
    """Peak learning rate; the method's default when left out."""
    num_train_epochs: int = Field(3, ge=1)
    """Passes over the training rows."""
    per_device_train_batch_size: int = Field(32, ge=1)
    """Rows of one backward pass."""
    gradient_accumulation_steps: int = Field(1, ge=1)
    """Batches added up before each optimiser step."""
    max_tokens_per_batch: int = Field(4096, ge=64)
    """Padded tokens computed at once; a larger batch is computed in parts with the same gradient."""
    warmup_ratio: float = Field(0.1, ge=0, lt=1)
    """Share of the steps during which the learning rate rises from 0."""
    lr_scheduler_type: Literal["linear", "cosine"] = "linear"
    """How the learning rate falls to 0 after warm-up."""
    weight_decay: float = Field(0.01, ge=0)
    """AdamW weight decay, not applied to biases and norms."""
    max_grad_norm: float = Field(1.0, gt=0)
    """Gradients are scaled down to this norm."""
    label_smoothing_factor: float = Field(0.0, ge=0, lt=1)
    """Share of the target spread over all labels."""
    class_weights: Literal["auto", "none"] | dict[str, float] = "auto"
    """Loss weight of each label; ``auto`` balances them once the commonest has 3 times the rows of the rarest."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Number format of the matrix products; ``auto`` takes bf16 where the machine gains from it."""


class ValidationSettings(Settings):
    """When to validate, what to keep, when to stop."""

    metric_for_best_model: str = "f1_macro"
    """Validation metric by which the best step is chosen."""
    eval_steps: int | None = Field(None, ge=1)
    """Optimiser steps between validations; once an epoch when left out."""
    early_stopping_patience: int | None = Field(3, ge=1)
    """Validations without a better metric before the run stops; ``null`` never stops early."""
    save_steps: int | None = Field(None, ge=1)
    """Optimiser steps between checkpoints; with each validation when left out."""
    save_total_limit: int = Field(2, ge=1)
    """Checkpoints kept."""


class EvaluationSettings(Settings):
    """What the report holds."""

    bootstrap: int = Field(1000, ge=100)
    """Resamples of the test rows behind each confidence interval."""
    confidence: float = Field(0.95, gt=0.5, lt=1)
    """Coverage of the intervals."""
    baseline: bool = True
    """Score TF-IDF with logistic regression beside the model."""
    untuned: bool = True
    """Score the model as it was before tuning."""
    max_errors: int = Field(20, ge=0)
    """Most confident errors shown with their texts."""


class Recipe(Settings):
    """Everything that decides a run; the same recipe on the same machine gives the same weights."""

    format: Literal[1] = 1
    """Version of this file's layout."""
    data: DataSettings
    prepare: PrepareSettings = PrepareSettings()
    task: dict[str, Any] = {"name": "text-classification"}
    """A task's name and its own settings."""
    model: ModelSettings = ModelSettings()
    method: dict[str, Any] = {"name": "full"}
    """A tuning method's name and its own settings."""
    train: TrainSettings = TrainSettings()
    validation: ValidationSettings = ValidationSettings()
    evaluation: EvaluationSettings = EvaluationSettings()
    seed: int = Field(42, ge=0)
    """The one seed; each use spawns its own from it."""
    threads: int | None = Field(None, ge=1)
    """CPU threads; all cores when left out."""
    offline: bool = False
    """Never ask a model hub."""
    report_to: tuple[str, ...] = ()
    """Trackers that get every event: tensorboard, mlflow, wandb."""
    out: str
    """Directory of the finished bundle."""

    def override(self, **changes: Any) -> Recipe:
        """Return a copy with whole top-level entries replaced."""
        return self.model_copy(update=changes)


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
        raise RecipeError("the recipe has faults:\n" + "\n".join(f"  - {fault}" for fault in faults),
                          "mend them in the recipe or on the command line (section.key=value)")
    return recipe


def read(path: Path) -> dict[str, Any]:
    """Read the raw values of a YAML recipe.

    Raises:
        RecipeError: the file is missing or is not YAML settings.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise RecipeError(f"no recipe at {path}", "give a data file or a recipe.yaml that exists") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
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
    for override in overrides:
        dotted, found, raw = override.partition("=")
        if not found or not dotted.strip():
            raise RecipeError(f"{override!r} is not an override", "write section.key=value, such as seed=1")
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
        return yaml.safe_load(raw)
    except yaml.YAMLError:
        return raw


def dump(recipe: Recipe) -> str:
    """Return the recipe as YAML that ``load`` reads back to an equal recipe."""
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def _deep_copy(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _deep_copy(value) if isinstance(value, Mapping) else value for key, value in values.items()}


def _expand(value: Any, path: str, faults: list[str]) -> Any:
    """Replace ``${NAME}`` by the environment's value, everywhere."""
    if isinstance(value, dict):
        return {key: _expand(child, f"{path}.{key}" if path else str(key), faults) for key, child in value.items()}
    if isinstance(value, list):
        return [_expand(child, path, faults) for child in value]
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
    if value is None:
        value = dict(Recipe.model_fields[key].default)
    if isinstance(value, str):
        value = {"name": value}
    if not isinstance(value, Mapping) or not isinstance(value.get("name"), str):
        faults.append(f"{key}: needs a name, such as {key}: {{name: {Recipe.model_fields[key].default['name']}}}")
        return {"name": ""}
    own = {field: child for field, child in value.items() if field != "name"}
    try:
        settings = settings_of(seam, value["name"])
        return {"name": value["name"], **settings.model_validate(own).model_dump(mode="json")}
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
            near = get_close_matches(location[-1], _fields_at(root, location[:-1]), n=1, cutoff=0.5)
            lines.append(f"{path}: unknown setting" + (f", did you mean {near[0]!r}?" if near else ""))
        elif fault["type"] == "missing":
            lines.append(f"{path}: missing")
        else:
            lines.append(f"{path}: {fault['msg'].removeprefix('Value error, ')}, got {fault['input']!r}")
    return list(dict.fromkeys(lines))


def _fields_at(root: type[BaseModel], location: list[str]) -> list[str]:
    for part in location:
        field = root.model_fields.get(part)
        annotation = field.annotation if field else None
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        root = annotation
    return list(root.model_fields)
