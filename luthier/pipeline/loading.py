"""Read and prepare what a recipe names, and settle what it leaves open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

from luthier import plugins
from luthier.data import BadRow, Columns, DataReport, Layout, inspect, kind_of, prepare, read_all
from luthier.data.descriptions import described
from luthier.errors import DataError, RecipeError
from luthier.pipeline.prompting import pace, settle_prompt
from luthier.pipeline.rates import settle_rates
from luthier.pipeline.settings import settings_of
from luthier.recipe import AUTO, NEW_MODEL, Recipe, choose, spawn
from luthier.schema import Dataset, Example, LabelSet, ProblemType
from luthier.tuning.validation import check_metric

MODEL_FOR_LANGUAGE = {"en": "minilm-l6"}
"""Language of the text -> packaged model; every other language takes the multilingual one."""
MULTILINGUAL = "e5-small"
LANGUAGE_MODEL = "smollm2-135m"

EPOCHS, MOST_EPOCHS = 3, 20


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
    layout = inspect(recipe.data.train, _columns(recipe), encoding=recipe.data.encoding, task=_asked_task(recipe))
    settled = recipe.override(data=recipe.data.model_copy(update={
        "text": layout.text, "text_b": layout.text_b, "label": layout.label, "label_separator": layout.label_separator,
    }))
    problem_type = layout.problem_type or "single_label_classification"
    task = _asked_task(recipe) or kind_of(problem_type).TASK
    limit = recipe.data.max_bad_rows
    train, bad = read_all(layout, max_bad_rows=limit, learning=True)
    unreadable = {layout.path.name: bad}  # by name: the report leaves this machine with the bundle
    given: dict[str, list[Example] | None] = {"valid": None, "test": None}
    for split in given:
        path = getattr(recipe.data, split)
        if path is not None:
            other = _like(settled, recipe, path, task)
            given[split], bad = read_all(other, max_bad_rows=limit, learning=split != "test")
            unreadable.setdefault(other.path.name, []).extend(bad)
    return settle(settled, train, given["valid"], given["test"], notes=layout.notes, bad=unreadable,
                  problem_type=problem_type)


def _asked_task(recipe: Recipe) -> str | None:
    """Return the task as whose files those of the recipe's task are read; ``None`` when the data shall tell."""
    name: str = recipe.task["name"]
    return None if name == AUTO else read_as(name)


def read_as(name: str) -> str:
    """Return the task as whose files those of a task are read: one of ours with the same kind of labels."""
    return kind_of(plugins.load("tasks", name).PROBLEMS[0]).TASK


def _like(settled: Recipe, asked: Recipe, path: str, task: str) -> Layout:
    """Look for the train file's columns in another file, or for what the caller asked for where it has other names."""
    encoding = asked.data.encoding
    try:
        return inspect(path, _columns(settled), encoding=encoding, task=task)
    except DataError:
        return inspect(path, _columns(asked), encoding=encoding, task=task)


def settle(
    recipe: Recipe,
    train: list[Example],
    valid: list[Example] | None = None,
    test: list[Example] | None = None,
    *,
    notes: Sequence[str] = (),
    bad: Mapping[str, list[BadRow]] | None = None,
    problem_type: ProblemType = "single_label_classification",
) -> Loaded:
    """Prepare examples that are already in memory and settle the recipe's open entries."""
    dataset, report = prepare(train, valid, test, recipe.prepare, spawn(recipe.seed, "split"),
                              problem_type=problem_type, number=recipe.data.label or "score",
                              levels=recipe.data.level_separator)
    labels, described_notes = described(dataset.labels, recipe.data.labels)
    dataset = replace(dataset, labels=labels)
    report = report.with_bad_rows(bad or {})
    recipe, decided = _settle_model(recipe, report, dataset.labels)
    recipe, told = _settle_task(recipe, problem_type, dataset)
    recipe, prompted = settle_prompt(recipe, report, dataset)
    dataset = replace(dataset, labels=_labels(recipe, dataset.labels))
    _check_grades(recipe, dataset.labels)
    recipe, rate = settle_rates(recipe)
    recipe, epochs = _settle_epochs(recipe, dataset.train)
    return Loaded(dataset, report, recipe, (*notes, *described_notes, *told, *decided, *prompted, *rate, *epochs))


def _columns(recipe: Recipe) -> Columns:
    data = recipe.data
    return Columns(text=data.text, text_b=data.text_b, label=data.label, label_separator=data.label_separator)


def _settle_task(recipe: Recipe, problem_type: ProblemType, dataset: Dataset) -> tuple[Recipe, list[str]]:
    """Name the task that the rows are for, and the metric that it is steered by."""
    notes = []
    if recipe.task["name"] == AUTO:
        name, why = _task_of(problem_type, [*dataset.train, *dataset.valid])
        asked = {field: value for field, value in recipe.task.items() if field != "name"}
        recipe = recipe.override(task=choose("task", name, asked, settings_of))
        notes = [f"task: {name}, because {why}"]
    task = plugins.load("tasks", recipe.task["name"])
    if problem_type not in task.PROBLEMS:
        raise DataError(f"the rows are labelled for {problem_type.replace('_', ' ')}, which is not the task "
                        f"{recipe.task['name']}", "leave the task out, or give rows that are labelled for it")
    _check_smoothing(task, recipe)
    if hasattr(task, "settle"):  # the rows decide some of its own settings
        settings, told = task.settle(_own(task, recipe), dataset.train, recipe.model.name)
        recipe = recipe.override(task={"name": recipe.task["name"], **settings.model_dump(mode="json")})
        notes += told
    if recipe.validation.metric_for_best_model is None:
        best = task.best_metric(dataset.labels) if hasattr(task, "best_metric") else task.BEST_METRIC
        chosen = recipe.validation.model_copy(update={"metric_for_best_model": best})
        recipe = recipe.override(validation=chosen)
    elif hasattr(task, "metrics_of"):
        check_metric(task.metrics_of(dataset.labels), recipe.validation.metric_for_best_model)
    return recipe, notes


def _check_smoothing(task: ModuleType, recipe: Recipe) -> None:
    """Refuse label smoothing where the task's loss has nothing to smooth.

    Raises:
        RecipeError: says why, and which tasks take it.
    """
    why = getattr(task, "UNSMOOTHED", "")
    if not why or not recipe.train.label_smoothing_factor:
        return
    able = [name for name in plugins.names("tasks") if not getattr(plugins.load("tasks", name), "UNSMOOTHED", "")]
    raise RecipeError(f"train.label_smoothing_factor is {recipe.train.label_smoothing_factor:g}, and the task "
                      f"{recipe.task['name']} has no use for it: {why}",
                      f"leave it out; tasks that take it: {', '.join(able)}")


def _task_of(problem_type: ProblemType, rows: Sequence[Example]) -> tuple[str, str]:
    """Return the task that learns from such rows, and why it is that one."""
    kind = kind_of(problem_type)
    own = getattr(kind, "task_for", None)
    found: tuple[str, str] | None = own(rows) if own else None
    return found or (kind.TASK, "of how the rows are labelled")


def _labels(recipe: Recipe, labels: LabelSet) -> LabelSet:
    """Return the label set as the task's own settings want it."""
    task = plugins.load("tasks", recipe.task["name"])
    if not hasattr(task, "label_set"):
        return labels
    found: LabelSet = task.label_set(labels, _own(task, recipe))
    return found


def _own(task: ModuleType, recipe: Recipe) -> Any:
    """Return the typed settings of the recipe's task."""
    return task.Settings(**{key: value for key, value in recipe.task.items() if key != "name"})


def _check_grades(recipe: Recipe, labels: LabelSet) -> None:
    if recipe.validation.metric_for_best_model == "qwk" and not (labels.scale and labels.scale.grades):
        raise RecipeError("validation.metric_for_best_model is qwk, but the numbers are no grades: it compares whole "
                          "numbers of which there are few", "choose mse, mae, pearson or spearman")


def _settle_model(recipe: Recipe, report: DataReport, labels: LabelSet) -> tuple[Recipe, list[str]]:
    if recipe.model.name != "auto":
        return recipe, []
    if labels.of_dialogues or (labels.of_tokens and not labels.of_masks):
        return _settle_language_model(recipe, report)
    if labels.of_texts:
        raise RecipeError("which model shall write the texts is not said, and each kind asks for other rows and time",
                          f"name one: --model {LANGUAGE_MODEL} (a decoder with a prompt, English, a package; add "
                          "--method lora), --model google-t5/t5-small (any T5, mT5, BART, Pegasus or Marian from a hub "
                          f"or a directory), or --model {NEW_MODEL}, which starts from nothing and needs many rows")
    code = report.language
    name = MODEL_FOR_LANGUAGE.get(code, MULTILINGUAL)
    why = {"en": "the text is English", "zh": "the text is Chinese"}.get(code, "the text is not in one known language")
    settled = recipe.override(model=recipe.model.model_copy(update={"name": name}))
    return settled, [f"model: {name}, because {why}"]


def _settle_language_model(recipe: Recipe, report: DataReport) -> tuple[Recipe, list[str]]:
    """Take the packaged language model, which writes English.

    Raises:
        RecipeError: the text is in a language that it does not write.
    """
    if report.language != "en":
        raise RecipeError("this task takes a causal language model, and the only packaged one, "
                          f"{LANGUAGE_MODEL}, writes English; the text is not English",
                          "name one: --model Qwen/Qwen3-0.6B (Chinese and many others; any Llama, Qwen, Mistral or "
                          f"Gemma from a hub or a directory), or --model {LANGUAGE_MODEL} all the same")
    settled = recipe.override(model=recipe.model.model_copy(update={"name": LANGUAGE_MODEL}))
    return settled, [f"model: {LANGUAGE_MODEL}, because the text is English"]


def _settle_epochs(recipe: Recipe, train: Sequence[Example]) -> tuple[Recipe, list[str]]:
    """Choose the passes over the rows: 3, or what makes the task's fewest steps; early stopping ends needless ones."""
    if recipe.train.num_train_epochs is not None:
        return recipe, []
    task = plugins.load("tasks", recipe.task["name"])
    # A query with five passages is learned from five times.
    rows = len(task.rows_of(train, _own(task, recipe)) if hasattr(task, "rows_of") else train)
    if hasattr(task, "learned_rows"):  # documents are learned from in blocks
        rows = task.learned_rows(train, recipe.model.max_length, _own(task, recipe))
    batch = recipe.train.per_device_train_batch_size * recipe.train.gradient_accumulation_steps
    per_epoch = -(-rows // batch)
    _, least = pace(recipe)
    epochs = min(max(EPOCHS, -(-least // per_epoch)), MOST_EPOCHS)
    settled = recipe.override(train=recipe.train.model_copy(update={"num_train_epochs": epochs}))
    why = "the default" if epochs == EPOCHS else f"because an epoch over {rows} rows has only {per_epoch} steps"
    return settled, [f"epochs: {epochs}, {why}"]
