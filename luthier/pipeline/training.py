"""One run, whole: read, prepare, score the baseline, tune, write a verified bundle, evaluate it, report."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from luthier import plugins
from luthier.bundle import MANIFEST
from luthier.evaluation import Evaluation, kind_of
from luthier.models.from_nothing import NEW
from luthier.pipeline.assembling import Finished, write_bundle
from luthier.pipeline.assessing import assess, assess_baseline
from luthier.pipeline.loading import Loaded, load_data
from luthier.pipeline.opening import Opened, fingerprint, is_pair, open_model
from luthier.pipeline.progress import ProgressView
from luthier.pipeline.result import Run
from luthier.pipeline.settings import choice_settings, make_recipe
from luthier.pipeline.workplace import Workplace, workplace
from luthier.recipe import AUTO, Recipe, spawn
from luthier.tuning import Events, Fitted, Job, Listener, open_trackers
from luthier.tuning.precision import choose_device
from luthier.tuning.validation import check_metric


def train(
    source: str | Path | Recipe,
    *,
    overrides: Iterable[str] = (),
    resume: bool = False,
    restart: bool = False,
    progress: bool = True,
    **settings: Any,
) -> Run:
    """Tune a model to a labelled file and write a verified bundle.

    Args:
        source: a data file, a YAML recipe, or a ``Recipe``.
        overrides: dotted settings such as ``"train.learning_rate=3e-5"``.
        resume: go on from the last checkpoint of an interrupted run.
        restart: throw an interrupted run away.
        progress: show notes and a progress bar on the terminal.
        settings: ``text``, ``label``, ``model``, ``method``, ``valid``, ``test``, ``out``, ``seed`` … as on the
            command line, or whole recipe sections as mappings.

    Returns:
        The finished run: ``.path``, ``.scores``, ``.report``.

    Raises:
        LuthierError: anything the caller can mend, with what to do.
    """
    recipe = source if isinstance(source, Recipe) else make_recipe(source, settings, overrides)
    return run(recipe, resume=resume, restart=restart, progress=progress)


def run(
    recipe: Recipe,
    *,
    resume: bool = False,
    restart: bool = False,
    progress: bool = True,
    listeners: Sequence[Listener] = (),
    loaded: Loaded | None = None,
) -> Run:
    """Carry out a checked recipe; ``loaded`` brings data that is already in memory."""
    plugins.require("torch", "transformers")
    if recipe.validation.metric_for_best_model is not None:
        tasks = plugins.names("tasks") if recipe.task["name"] == AUTO else (recipe.task["name"],)
        known = dict.fromkeys(metric for name in tasks for metric in plugins.load("tasks", name).METRICS)
        check_metric(known, recipe.validation.metric_for_best_model)
    with ExitStack() as stack:
        place = stack.enter_context(workplace(Path(recipe.out), resume=resume, restart=restart))
        view: list[Listener] = [stack.enter_context(ProgressView())] if progress else []
        out, settings = Path(recipe.out), recipe.model_dump(mode="json")
        events = stack.enter_context(Events.open(place.events, [*view, *listeners], resume=resume))
        events.listeners += tuple(open_trackers(recipe.report_to, out.name, out.parent, settings))
        return _Stages(place, events, resume).carry_out(recipe, loaded)


class _Stages:
    """The stages of one run, in order, each announced and timed."""

    def __init__(self, place: Workplace, events: Events, resume: bool) -> None:
        self._place = place
        self._events = events
        self._resume = resume
        self._seconds: dict[str, float] = {}

    def carry_out(self, recipe: Recipe, loaded: Loaded | None) -> Run:
        with self._stage("data", "Reading and preparing the data"):
            if (Path(recipe.out) / MANIFEST).exists():
                self._say([f"{recipe.out} holds a bundle; the new one takes its place once it is verified"])
            loaded = loaded or load_data(recipe)
            self._say([*loaded.notes, *loaded.report.lines()])
            if not (self._resume and self._place.checkpoints()):  # a resume that is refused must not spoil the next
                self._place.write_recipe(loaded.recipe)
        with self._stage("model", f"Opening {loaded.recipe.model.name}"):
            opened = open_model(loaded)
            self._say(opened.notes)
        with self._stage("tuning", f"Tuning (method: {loaded.recipe.method['name']})"):
            model, fitted = self._tune(loaded, opened)
        systems = self._compared(loaded, opened)
        with self._stage("bundle", "Writing, verifying and evaluating the bundle"):
            finished = Finished(loaded, opened, model, fitted, systems, self._seconds, self._place.events)
            return write_bundle(finished, self._events)

    def _compared(self, loaded: Loaded, opened: Opened) -> dict[str, Evaluation]:
        """Score what the tuned model is compared with: last, because somebody waits for the first step."""
        systems: dict[str, Evaluation] = {}
        if loaded.recipe.evaluation.baseline:
            simple = kind_of(loaded.dataset.labels.problem_type).BASELINE
            with self._stage("baseline", f"Scoring the baseline ({simple.long})"):
                systems["baseline"] = assess_baseline(loaded, opened.encoder)
        if opened.base.source == NEW:
            self._say(["the model as it was is not scored: it was made from nothing"])
        elif loaded.recipe.evaluation.untuned:
            with self._stage("untuned", "Scoring the model as it was"):
                labels = loaded.dataset.labels
                pair = is_pair(loaded.dataset.train, labels)
                built = opened.build()
                opened.task.finish(built.model, labels)
                built.model.to(choose_device().value)
                scored = assess(opened.predictor(labels, pair=pair, model=built.model), loaded)
                systems["untuned"] = replace(scored, new_head=bool(built.new_modules))
        return systems

    def _tune(self, loaded: Loaded, opened: Opened) -> tuple[Any, Fitted]:
        from luthier.tuning.fit import fit

        recipe = loaded.recipe
        method = plugins.load("tuning.methods", recipe.method["name"])
        model = method.prepare(opened.built, choice_settings(recipe, "method"), spawn(recipe.seed, "adapter"))
        job = Job(
            model=model, encoder=opened.encoder, task=opened.task, labels=loaded.dataset.labels,
            train=opened.train, valid=opened.valid, train_settings=recipe.train, validation=recipe.validation,
            head=opened.built.new_modules, seed=recipe.seed, directory=self._place.path,
            fingerprint=fingerprint(loaded, opened.base), task_settings=opened.task_settings, resume=self._resume,
        )
        fitted = fit(job, self._events)
        opened.task.finish(model, loaded.dataset.labels)
        return model, fitted

    @contextmanager
    def _stage(self, name: str, title: str) -> Iterator[None]:
        self._events.emit("stage", stage=name, title=title)
        started = time.perf_counter()
        yield
        self._seconds[name] = round(time.perf_counter() - started, 3)

    def _say(self, notes: Iterable[str]) -> None:
        for note in notes:
            self._events.emit("note", text=note)
