"""From prepared rows and a model's name to everything that tuning needs."""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import numpy as np

from luthier import plugins
from luthier import recipe as recipes
from luthier.errors import RecipeError
from luthier.inference import Predictor
from luthier.inference.inputs import reach_of
from luthier.models.blocks import BlockEncoder
from luthier.models.building import Built, refuse_unknown_ids
from luthier.models.chat import ChatEncoder
from luthier.models.encoding import Encoder, Ragged, spread
from luthier.models.files import ModelFiles
from luthier.models.from_nothing import made_new
from luthier.models.hardware import cores
from luthier.models.sources import resolve
from luthier.pipeline import encoded, lengths
from luthier.pipeline.candidates import with_candidates
from luthier.pipeline.conversations import encoded_whole
from luthier.pipeline.documents import encoded_documents
from luthier.pipeline.loading import Loaded
from luthier.pipeline.origins import said_of
from luthier.pipeline.settings import choice_settings
from luthier.pipeline.targets import encoded_targets
from luthier.recipe import Recipe
from luthier.schema import Example, LabelSet, TextInput
from luthier.tasks import pools
from luthier.tuning import Encoded

OVERLAP = 0.25
"""Share of a window's tokens that stand in the next one, too."""


@dataclass(frozen=True, slots=True)
class Opened:
    """An untuned model with its encoder, its task and the encoded rows."""

    base: ModelFiles
    build: Callable[[], Built]
    """Makes the model with its new head once more, the same each time."""
    built: Built
    encoder: Encoder
    task: ModuleType
    task_settings: Any
    train: Encoded
    valid: Encoded
    notes: tuple[str, ...]

    def predictor(self, labels: LabelSet, *, pair: bool | None, model: Any) -> Predictor:
        """Return a predictor over a model in memory: the very code that serves, without a bundle."""
        from luthier.inference.backends.torch import from_model

        backend = from_model(model)
        return Predictor(backend, self.encoder, labels, self.task, self.task_settings, pair=pair, name="in-memory")


def open_model(loaded: Loaded) -> Opened:
    """Find the model, put a new head on it and turn the train and valid rows into ids.

    Raises:
        ModelError: the model cannot be found or opened.
    """
    with _keeping_garbage():
        return _opened(loaded)


@contextmanager
def _keeping_garbage() -> Iterator[None]:
    """Leave garbage where it is within the block.

    Importing torch and transformers makes a million objects that all stay, and looking for garbage among them again and
    again is a sixth of the time until the first step.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _opened(loaded: Loaded) -> Opened:
    recipe = loaded.recipe
    set_threads(recipe.threads)
    base = _base(loaded)
    task = plugins.load("tasks", recipe.task["name"])
    settings = choice_settings(recipe, "task")
    loaded, drawn = with_candidates(loaded, task, settings)
    loaded = _taught(loaded, task, settings)
    dataset = loaded.dataset
    encoder, chosen = _sized_encoder(loaded, base.path, task, settings)
    ragged, told = _read(loaded, base.path, encoder, task, settings)
    told = [*drawn, *chosen, *told]

    def build() -> Built:
        found: Built = task.build(base, dataset.labels, dropout=recipe.model.dropout,
                                  attention_dropout=recipe.model.attention_dropout,
                                  seed=recipes.spawn(recipe.seed, "head"))
        return found

    wanted = ragged
    if dataset.labels.of_texts and not hasattr(encoder, "learned"):
        wanted, notes = encoded_targets(loaded, base.path, settings)
        told += notes
    train, valid = (Encoded(ragged[name], task.targets(getattr(dataset, name), dataset.labels, wanted[name]))
                    for name in ("train", "valid"))
    if hasattr(task, "hidden"):
        train = replace(train, targets=task.hidden(train.ragged, encoder, seed=recipes.spawn(recipe.seed, "masks")))
        valid = replace(valid, targets=task.hidden(valid.ragged, encoder, seed=None))
    if hasattr(task, "remarks"):
        told += task.remarks(dataset.train, ragged["train"], train.targets, dataset.labels, settings)
    built = build()
    for part in (train, valid):
        refuse_unknown_ids(built.model, part.ragged.ids, base.path)
    told += said_of(base, dataset.labels.problem_type, built.new_modules)
    return Opened(base, build, built, encoder, task, settings, train, valid, tuple(told))


def _taught(loaded: Loaded, task: ModuleType, settings: Any) -> Loaded:
    """Return the train and valid rows as the task learns from them, where that is other rows than it is asked with."""
    if not hasattr(task, "taught"):
        return loaded
    train, valid = (tuple(task.taught(rows, settings)) for rows in (loaded.dataset.train, loaded.dataset.valid))
    return replace(loaded, dataset=replace(loaded.dataset, train=train, valid=valid))


def _read(loaded: Loaded, directory: Path, encoder: Encoder, task: ModuleType,
          settings: Any) -> tuple[dict[str, Ragged], list[str]]:
    """Return the token ids of the train and valid rows, and what there is to say of them and their lengths."""
    if hasattr(encoder, "learned"):
        return encoded_whole(loaded, cast(ChatEncoder, encoder))
    if loaded.dataset.labels.of_tokens:
        return encoded_documents(loaded, cast(BlockEncoder, encoder), together=settings.pack)
    ragged, told = {}, []
    for name, rows in loaded.dataset.splits():
        if name != "test":
            ragged[name], note = _ragged(encoder, directory, rows, task, settings)
            told += [note] if note else []
    told += _length_notes(ragged, encoder)
    if pools(task):
        most = loaded.recipe.model.max_train_windows
        every, ragged["train"] = len(ragged["train"]), spread(ragged["train"], most)
        left = every - len(ragged["train"])
        told += [f"length: {left:,} windows of training texts with more than {most} are not learned from "
                 "(model.max_train_windows)"] if left else []
    return ragged, told


def _ragged(encoder: Encoder, directory: Path, rows: Sequence[Example], task: ModuleType,
            settings: Any) -> tuple[Ragged, str | None]:
    """Return the token ids of examples as the task learns from them, and what there is to say of where they were."""
    if not hasattr(task, "sequences"):
        return encoded.encode(encoder, directory, inputs(rows), offsets=task.OFFSETS, reach=reach_of(task, settings))
    texts, owners = task.sequences(task.rows_of(rows, settings), settings)
    ragged, note = encoded.encode(encoder, directory, texts, offsets=task.OFFSETS)
    return replace(ragged, owners=owners), note


def _base(loaded: Loaded) -> ModelFiles:
    """Find the model, or make it of the training rows where the recipe asks for a new one.

    Raises:
        RecipeError: a new model is asked for where nothing is written, or with a method that needs a pretrained one.
    """
    recipe, labels = loaded.recipe, loaded.dataset.labels
    if recipe.model.name != recipes.NEW_MODEL:
        return resolve(recipe.model.name, offline=recipe.offline)
    if labels.problem_type != "text_generation":
        raise RecipeError(f"model.name is {recipes.NEW_MODEL}, which writes texts, and the task is "
                          f"{recipe.task['name']}", "leave model.name out, or see `luthier models`")
    if plugins.load("tuning.methods", recipe.method["name"]).KIND != "full":
        raise RecipeError(f"method {recipe.method['name']} adapts what a model has learned, and {recipes.NEW_MODEL} "
                          "has learned nothing", "set method=full, or take a pretrained model")
    texts = [text for row in loaded.dataset.train for text in (row.text, *(row.targets or ())[:1])]
    return made_new(texts, recipe.model.new or recipes.NewModelSettings(), seed=recipes.spawn(recipe.seed, "head"))


def _encoder(recipe: Recipe, directory: Path, task: ModuleType, settings: Any) -> Encoder:
    """Open the tokenizer. Windows share a quarter of their tokens where the recipe leaves that open.

    Raises:
        RecipeError: the task cannot treat long texts as the recipe asks.
    """
    _check_policy(recipe, task)
    if hasattr(task, "encoder"):
        own: Encoder = task.encoder(directory, settings, max_length=recipe.model.max_length,
                                    normalize=recipe.prepare.normalize)
        return own
    windows = task.WINDOWS and recipe.model.long_texts != "cut"
    overlap = OVERLAP if windows and recipe.model.overlap is None else recipe.model.overlap
    return Encoder.load(directory, max_length=recipe.model.max_length, normalize=recipe.prepare.normalize,
                        overlap=overlap)


def _sized_encoder(loaded: Loaded, directory: Path, task: ModuleType, settings: Any) -> tuple[Encoder, list[str]]:
    """Open the tokenizer; of a model that could read a book, with a length that the training rows decide."""
    recipe = loaded.recipe
    encoder = _encoder(recipe, directory, task, settings)
    if recipe.model.max_length is not None or hasattr(task, "encoder") or getattr(task, "GENERATES", False):
        return encoder, []
    if encoder.max_length <= lengths.LONG:
        return encoder, []
    ragged, _ = _ragged(encoder, directory, loaded.dataset.train, task, settings)
    length, why = lengths.chosen(encoder.max_length, ragged.lengths, recipe.model.overlap)
    model = recipe.model.model_copy(update={"max_length": length})
    return _encoder(recipe.override(model=model), directory, task, settings), [why]


def _check_policy(recipe: Recipe, task: ModuleType) -> None:
    """Refuse windows where a task has none, and cuts where it cannot do without windows.

    Raises:
        RecipeError: says which setting, and why.
    """
    model = recipe.model
    asks = ("model.overlap" if model.overlap is not None else
            "model.long_texts=windows" if model.long_texts == "windows" else None)
    if asks and hasattr(task, "sequences"):
        raise RecipeError(f"{asks} asks for windows, and a text that is compared has one vector",
                          f"leave {asks.partition('=')[0]} out, or cut long texts into passages of their own")
    if asks and hasattr(task, "learned_rows"):
        raise RecipeError(f"{asks} asks for windows, and documents are laid out in blocks, each of which goes on where "
                          "the one before it ends",
                          f"leave {asks.partition('=')[0]} out; model.max_length is a block's")
    if asks and getattr(task, "GENERATES", False):
        raise RecipeError(f"{asks} asks for windows, and a text that is written for another is written once, for "
                          f"all of it", f"leave {asks.partition('=')[0]} out; model.max_length tells how much is read")
    if model.long_texts == "cut" and getattr(task, "NEEDS_WINDOWS", False):
        raise RecipeError(f"model.long_texts is cut, and what task {recipe.task['name']} asks about may stand behind "
                          "the cut", "leave model.long_texts out: a long text has one window around what is asked")


def inputs(examples: Sequence[Example]) -> list[TextInput]:
    """Return what a predictor takes for these examples: texts, or pairs of texts."""
    return [row.text_input for row in examples]


def asked(examples: Sequence[Example], labels: LabelSet) -> list[TextInput]:
    """Return the same, but where passages are ordered each query with the first of its own."""
    if not labels.of_candidates:
        return inputs(examples)
    return [(row.text, row.passages.positive[0]) for row in examples if row.passages]


def is_pair(examples: Sequence[Example], labels: LabelSet) -> bool | None:
    """Return whether the rows are pairs of texts; ``None`` where texts are compared, one or two at a time."""
    if labels.of_candidates:
        return True
    return None if labels.of_embeddings else bool(examples) and examples[0].text_b is not None


def set_threads(threads: int | None) -> int:
    """Use the asked number of CPU threads, or every core this process may use, and return it."""
    import torch

    wanted = threads or cores()
    torch.set_num_threads(wanted)
    return wanted


def fingerprint(loaded: Loaded, base: ModelFiles) -> str:
    """Return a hash of all that decides the weights: settings, rows and base model.

    A checkpoint of another fingerprint is never resumed. Where the bundle goes, who listens and what is evaluated
    afterwards do not count.
    """
    settings = loaded.recipe.model_dump(mode="json", exclude={"out", "report_to", "offline", "evaluation", "threads"})
    settings.pop("data")  # the rows themselves are what counts
    return hashlib.sha256(repr((settings, loaded.dataset.content_hash, base.sha256)).encode()).hexdigest()


def _length_notes(ragged: dict[str, Ragged], encoder: Encoder) -> tuple[str, ...]:
    limit = encoder.max_length
    windows = sum(len(part) for part in ragged.values())
    if encoder.overlap is not None:
        counts = np.concatenate([np.bincount(part.owners) for part in ragged.values() if part.owners is not None])
        if (counts <= 1).all():
            return (f"length: every train and valid text fits into {limit} tokens",)
        several = counts[counts > 1]
        return (f"length: {len(several):,} of {len(counts):,} train and valid texts do not fit into a window and are "
                f"read in {several.sum():,}, of up to {limit} tokens that share up to {encoder.overlap}",)
    cut = sum(int(part.truncated.sum()) for part in ragged.values())
    if not cut:
        return (f"length: every train and valid text fits into {limit} tokens",)
    return (f"length: {cut} of {windows} train and valid texts have more than {limit} tokens and lose their end",)
