"""Learning rates that a recipe leaves open: they follow method, task and the width of the model."""

from __future__ import annotations

from luthier import plugins
from luthier.models.files import read_json
from luthier.models.sources import list_models, resolve
from luthier.pipeline.prompting import pace
from luthier.recipe import NEW_MODEL, Recipe

NEW_LEARNING_RATE = 1e-3
"""Of a model made from nothing."""
MEASURED_WIDTH = {"encoder": 384, "decoder": 576}
"""Width of the packaged models, on which the defaults were measured. Wider ones may diverge at such rates: what a step
of Adam does to a layer's output grows with its width, so the rate falls as the width rises (Yang et al., "Tensor
Programs V", 2022). For a width of 768 that gives half, near what Devlin et al. (2019) tune BERT with."""
_BY_WIDTH = ("full",)
"""Methods whose rates are for the model's own weights. What is put beside these has rates that hold for most widths."""


def settle_rates(recipe: Recipe) -> tuple[Recipe, list[str]]:
    """Fill in learning rates, and say where they are from.

    Raises:
        ModelError: the model cannot be found.
    """
    name, notes, train = recipe.method["name"], list[str](), recipe.train
    task = plugins.load("tasks", recipe.task["name"])
    head: float | None = task.HEAD_LEARNING_RATE
    share, why = 1.0, ""
    if train.learning_rate is None or (train.head_learning_rate is None and head is not None):
        share, why = _share(recipe)
    if train.learning_rate is None and recipe.model.name == NEW_MODEL:
        train = train.model_copy(update={"learning_rate": NEW_LEARNING_RATE})
        notes.append(f"learning rate: {NEW_LEARNING_RATE:g}, the default of a model made from nothing")
    elif train.learning_rate is None:
        own: float = plugins.load("tuning.methods", name).LEARNING_RATE
        rates, _ = pace(recipe)
        rate = share * float(rates.get(name, own))
        train = train.model_copy(update={"learning_rate": rate})
        notes.append(f"learning rate: {rate:g}, the default of method {name}"
                     + (f" for task {recipe.task['name']}" if name in rates else "") + why)
    if train.head_learning_rate is None and head is not None:
        train = train.model_copy(update={"head_learning_rate": share * head})
        notes.append(f"learning rate of the new head: {share * head:g}, the default of task {recipe.task['name']}{why}")
    return recipe.override(train=train), notes


def _share(recipe: Recipe) -> tuple[float, str]:
    """Return the share of the default rates that suits the model, and why."""
    packaged = {info.name for info in list_models()}
    if recipe.method["name"] not in _BY_WIDTH or recipe.model.name in (NEW_MODEL, *packaged):
        return 1.0, ""
    config = read_json(resolve(recipe.model.name, offline=recipe.offline).path / "config.json")
    width = next((config[key] for key in ("hidden_size", "d_model", "n_embd", "dim") if key in config), None)
    causal = any(str(name).endswith(("ForCausalLM", "LMHeadModel")) for name in config.get("architectures") or ())
    usual = MEASURED_WIDTH["decoder" if causal else "encoder"]
    if config.get("is_encoder_decoder") or not isinstance(width, int) or width <= usual:
        return 1.0, ""
    return usual / width, f", times {usual}/{width} for a model that is {width} wide"
