"""Experiment trackers as listeners of the event stream: TensorBoard, MLflow, Weights & Biases."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from luthier.errors import RecipeError, TuningError
from luthier.plugins import did_you_mean, require
from luthier.tuning.events import Event, Listener

LogNumbers = Callable[[dict[str, float], int], None]
"""(name -> number, step) -> written."""


@dataclass(frozen=True, slots=True)
class Tracker:
    """Passes the numbers of each step and validation on to one tracker."""

    name: str
    log: LogNumbers
    finish: Callable[[bool], None]
    """Given whether the run failed."""

    def __call__(self, event: Event) -> None:
        """Log an event that carries numbers; leave the others.

        Raises:
            TuningError: the tracker cannot be reached, or whatever else is its fault.
        """
        found = dict(numbers(event))
        if found:
            with self._explained("go on with --resume, and without it: report_to=[]"):
                self.log(found, event["step"])

    def close(self, failed: bool) -> None:
        """Flush, and end the tracker's run.

        Raises:
            TuningError: the tracker cannot be reached, or whatever else is its fault.
        """
        with self._explained("what it was told last may be missing there; the bundle lacks nothing"):
            self.finish(failed)

    @contextmanager
    def _explained(self, fix: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            raise TuningError(f"the tracker {self.name} failed: {type(error).__name__}: {error}", fix) from error


def open_trackers(
    names: Iterable[str], run_name: str, directory: Path, settings: Mapping[str, Any]
) -> list[Listener]:
    """Open the trackers named in ``report_to``.

    Args:
        names: of ``tensorboard``, ``mlflow``, ``wandb``.
        run_name: what the run is called there.
        directory: where trackers that write files may do so.
        settings: the recipe, nested; logged as parameters with dotted names.

    Raises:
        RecipeError: an unknown name.
        MissingExtraError: the tracker's package is not installed.
    """
    names = tuple(names)
    for name in names:
        if name not in _OPEN:
            raise RecipeError(f"report_to names {name!r}; known: {', '.join(sorted(_OPEN))}", did_you_mean(name, _OPEN))
    parameters = dict(_flat(settings))
    opened = list[Listener]()
    with ExitStack() as stack:
        for name in names:
            tracker = _OPEN[name](run_name, directory, parameters)
            stack.callback(tracker.close, failed=True)
            opened.append(tracker)
        stack.pop_all()  # all are open: whoever gets them closes them
    return opened


def numbers(event: Event) -> Iterator[tuple[str, float]]:
    """Yield the numbers of an event under the names that trackers show: ``train/loss``, ``valid/f1_macro``, …"""
    if event["event"] == "step":
        for name in ("loss", "learning_rate", "grad_norm", "rows_per_second", "epoch"):
            yield f"train/{name}", float(event[name])
    elif event["event"] == "validation":
        for name, value in event["metrics"].items():
            yield f"valid/{name}", float(value)


def _open_tensorboard(run_name: str, directory: Path, parameters: dict[str, Any]) -> Tracker:
    require("torch", "tensorboard")
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(str(directory / "tensorboard" / run_name))
    rows = [f"| {name} | {value} |" for name, value in parameters.items()]
    writer.add_text("recipe", "\n".join(["| setting | value |", "|---|---|", *rows]))

    def log(found: dict[str, float], step: int) -> None:
        for name, value in found.items():
            writer.add_scalar(name, value, step)

    return Tracker("tensorboard", log, lambda _failed: writer.close())


def _open_mlflow(run_name: str, directory: Path, parameters: dict[str, Any]) -> Tracker:
    require("mlflow")
    import os
    import time

    from mlflow.entities import Metric
    from mlflow.tracking import MlflowClient

    # Its own client instead of mlflow's global run: two runs in one process do not mix.
    given = os.environ.get("MLFLOW_TRACKING_URI")
    if given is None:
        # Without a server: a folder of plain files, the only store that needs no database library, and that MLflow
        # opens only when told that it is meant.
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
    client = MlflowClient(tracking_uri=given or (directory / "mlruns").resolve().as_uri())
    experiment = os.environ.get("MLFLOW_EXPERIMENT_NAME", "luthier")
    known = client.get_experiment_by_name(experiment)
    number = known.experiment_id if known else client.create_experiment(experiment)
    run = client.create_run(number, run_name=run_name).info.run_id
    # Two names that become one would be refused.
    for name, value in {_mlflow_name(name): value for name, value in parameters.items()}.items():
        client.log_param(run, name, str(value)[:500])

    def log(found: dict[str, float], step: int) -> None:
        now = time.time_ns() // 1_000_000
        client.log_batch(run, [Metric(_mlflow_name(name, "/"), value, now, step) for name, value in found.items()])

    return Tracker("mlflow", log, lambda failed: client.set_terminated(run, "FAILED" if failed else "FINISHED"))


def _mlflow_name(name: str, also: str = "") -> str:
    """Return a name that MLflow takes: letters, digits, a few signs and those in ``also``, 250 of them at most."""
    return re.sub(rf"[^\w.\- {also}]", "_", name)[:250]


def _open_wandb(run_name: str, directory: Path, parameters: dict[str, Any]) -> Tracker:
    require("wandb")
    import wandb

    # Project, mode and key come from W&B's own environment variables.
    run = wandb.init(name=run_name, dir=str(directory), config=parameters, reinit="create_new")
    return Tracker("wandb", lambda found, step: run.log(found, step=step),
                   lambda failed: run.finish(exit_code=int(failed)))


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


_OPEN: dict[str, Callable[[str, Path, dict[str, Any]], Tracker]] = {
    "tensorboard": _open_tensorboard,
    "mlflow": _open_mlflow,
    "wandb": _open_wandb,
}
