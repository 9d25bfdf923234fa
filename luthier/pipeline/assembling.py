"""Writing the bundle: weights, reload and compare, probes, final evaluation, report, card, manifest."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luthier import plugins
from luthier import recipe as recipes
from luthier.bundle import (
    Base,
    LengthPolicy,
    Licence,
    Manifest,
    TaskRecord,
    model_card,
    seal,
    staged,
    write_probes,
)
from luthier.data import learned
from luthier.evaluation import Evaluation, Report, write_report
from luthier.inference import Opening, compare_with_memory, make_probes, open_fastest
from luthier.models.encoding import Encoder
from luthier.models.files import ModelFiles
from luthier.pipeline.assessing import assess, summarise
from luthier.pipeline.loading import Loaded
from luthier.pipeline.opening import Opened, asked, is_pair
from luthier.pipeline.origins import licence_chain, parent_hash
from luthier.pipeline.result import Run
from luthier.recipe import Recipe
from luthier.tuning import Events, Fitted, read_events

if TYPE_CHECKING:
    import torch

HISTORY = ("step", "validation", "early_stop")


@dataclass(frozen=True, slots=True)
class Finished:
    """A tuned model and all that is known of it, not yet on disk."""

    loaded: Loaded
    opened: Opened
    model: torch.nn.Module
    fitted: Fitted
    systems: dict[str, Evaluation]
    """Evaluations that were made before tuning."""
    seconds: dict[str, float]
    events: Path


def write_bundle(done: Finished, events: Events) -> Run:
    """Write, reload, compare, prove, evaluate and seal the bundle of a finished tuning run.

    Raises:
        BundleError: the reloaded model is not the tuned one, or the disk is full; nothing is replaced then.
    """
    recipe = done.loaded.recipe
    out = Path(recipe.out)
    with staged(out) as directory:
        _write_model(done, directory)
        _prove(done, directory)
        events.emit("note", text="verified: the reloaded bundle gives the same ids, labels and logits")
        # Scored as it will be served: on the backend that `luthier serve` and `predict` take here.
        predictor, chosen = open_fastest(directory, Opening(threads=recipe.threads, offline=recipe.offline))
        events.emit("note", text=f"scored as it is served, {chosen}")
        systems = {**done.systems, "tuned": assess(predictor, done.loaded)}
        predictor.close()
        scores = summarise(systems, done.loaded)
        warnings = _warnings(done, systems)
        for warning in warnings:
            events.emit("warning", text=warning)
        _write_reports(done, directory, systems, warnings)
        shutil.copyfile(done.events, directory / "events.jsonl")
        manifest = replace(_manifest(done, systems), warnings=warnings)
        card = model_card(manifest, scores, done.loaded.report.to_dict())
        (directory / "README.md").write_text(card, encoding="utf-8")
        seal(directory, manifest)
    return Run(out, recipe, scores, done.loaded.report, warnings, dict(done.seconds))


def _write_model(done: Finished, directory: Path) -> None:
    recipe = done.loaded.recipe
    method = plugins.load("tuning.methods", recipe.method["name"])
    method.save(done.model, directory, base=done.opened.base)
    done.opened.encoder.save(directory)
    _write_companions(done, directory)
    (directory / "recipe.yaml").write_text(recipes.dump(recipe), encoding="utf-8")


def _write_companions(done: Finished, directory: Path) -> None:
    """Write what other libraries need beside the model, where the task knows of some."""
    task, encoder = done.opened.task, done.opened.encoder
    if not hasattr(task, "companions"):
        return
    width = int(done.model.config.hidden_size)  # type: ignore[union-attr, arg-type]  # nn.Module types it as a Tensor
    for name, value in task.companions(done.opened.task_settings, width, encoder.max_length).items():
        file = directory / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(_json(value), encoding="utf-8")


def _prove(done: Finished, directory: Path) -> None:
    """Store what the model in memory answers, open what was written and compare the two."""
    dataset = done.loaded.dataset
    memory = done.opened.predictor(dataset.labels, pair=is_pair(dataset.train, dataset.labels), model=done.model)
    write_probes(directory, make_probes(memory, asked(dataset.valid, dataset.labels)))
    seal(directory, _manifest(done, {}))
    compare_with_memory(directory, memory, offline=done.loaded.recipe.offline).close()


def _manifest(done: Finished, systems: Mapping[str, Evaluation]) -> Manifest:
    recipe, base, labels = done.loaded.recipe, done.opened.base, done.loaded.dataset.labels
    outputs = done.opened.task.outputs(labels).names
    task = {name: value for name, value in recipe.task.items() if name != "name"}
    kind = plugins.load("tuning.methods", recipe.method["name"]).KIND
    # An adapter has to find its base again, wherever it is opened; a full bundle need not tell where one lay here.
    own = str(base.path.resolve()) if base.source == "directory" else base.name
    name = own if kind == "adapter" else _public_name(base)
    return Manifest(
        kind=kind,
        task=TaskRecord(recipe.task["name"], task),
        labels=labels,
        outputs=None if outputs == labels.names else outputs,
        length=_length_policy(done.opened.encoder),
        normalize=recipe.prepare.normalize,
        pair=is_pair(done.loaded.dataset.train, labels),
        base=Base(name, base.source, base.sha256, base.revision, base.licence),
        data_hash=done.loaded.dataset.content_hash,
        recipe=recipe.model_dump(mode="json"),
        scores={name: _short(system) for name, system in systems.items()},
        parent=parent_hash(base),
        licences=(*licence_chain(base, _public_name(base)),
                  Licence("training data", Path(recipe.data.train).name, None)),
    )


def _length_policy(encoder: Encoder) -> LengthPolicy:
    if encoder.overlap is None:
        return LengthPolicy(encoder.max_length)
    return LengthPolicy(encoder.max_length, "window", encoder.overlap)


def _public_name(base: ModelFiles) -> str:
    """Return a base model's name without the path of this machine."""
    return Path(base.name).name if base.source == "directory" else base.name


def _short(system: Evaluation) -> dict[str, float]:
    """Return the scores worth keeping in the manifest."""
    kind, values = system.kind, system.scores.values
    # What is in the caller's unit may be small, and is kept whole.
    return {name: values[name] if kind.METRICS[name] == "amount" else round(values[name], 6)
            for name in kind.SHORT if name in values}


def _write_reports(
    done: Finished, directory: Path, systems: Mapping[str, Evaluation], warnings: tuple[str, ...]
) -> None:
    recipe, report = done.loaded.recipe, done.loaded.report
    folder = directory / "report"
    folder.mkdir()
    (folder / "data.json").write_text(_json(report.to_dict()), encoding="utf-8")
    (folder / "splits.json").write_text(_json(report.split_ids), encoding="utf-8")
    (folder / learned.FILE).write_text(_json(learned.hashed(done.loaded.dataset)), encoding="utf-8")
    history = [event for event in read_events(done.events) if event["event"] in HISTORY]
    write_report(folder, Report(
        title=Path(recipe.out).name, systems=dict(systems), created=datetime.now(UTC).isoformat(timespec="seconds"),
        settings=recipe.evaluation, seed=recipes.spawn(recipe.seed, "bootstrap"), data_report=report.to_dict(),
        recipe=recipe.model_dump(mode="json"), history=history, best_step=done.fitted.best_step,
        decisions={name: f"{choice.value} — {choice.reason}" for name, choice in done.fitted.decisions.items()},
        warnings=list(warnings), commands=_commands(recipe),
        languages=("zh", "en") if report.language == "zh" else ("en", "zh"),
    ))


def _commands(recipe: Recipe) -> dict[str, str]:
    """Return the commands that reproduce the figures of the report."""
    out = shlex.quote(recipe.out)
    again = {} if recipe.data.train == recipes.MEMORY else {"train": f"luthier train {out}/recipe.yaml"}
    return {**again, "verify": f"luthier verify {out}"}


def _warnings(done: Finished, systems: Mapping[str, Evaluation]) -> tuple[str, ...]:
    tuned = systems["tuned"]
    return (*done.fitted.warnings, *tuned.kind.doubts(tuned))


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1)
