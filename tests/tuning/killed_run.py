"""Tune the toy model in processes of their own, which kill themselves where told: a run for each line of the input.

A line is JSON, ``[DIRECTORY, OPTIONS]``. Options are the keyword arguments of ``Toy.job``, ``noise``, ``shape`` of the
model, and ``kill``, a place and a step. When a run ends, the hash of the final weights is written to ``result.json``,
and what computed the layers. The exit code of each run is a line of the output.

Runs are forks of this process, which has loaded the libraries: that takes longer than they do. It computes on one
thread alone, because a fork has no other, and waits for ever for the team its parent had.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from toy import make_toy

from luthier.tuning import Events, checkpoints, fit


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Killer:
    """Kills the process at a step, at an event of a step, or while a file of that step's checkpoint is half written."""

    def __init__(self, place: str, step: int) -> None:
        self.place, self.step, self.now = place, step, 0
        self._write, self._rename, self._prune = checkpoints._write, os.rename, checkpoints._prune

    def __call__(self, event: Mapping[str, Any]) -> None:
        self.now = event.get("step", self.now)
        if self.now == self.step and event["event"] == self.place:
            die()

    def install(self) -> None:
        checkpoints._write = self.write
        checkpoints._prune = self.prune
        os.rename = self.rename

    def write(self, path: Path, tensors: Any) -> str:
        digest = self._write(path, tensors)
        if self.now == self.step and self.place in path.name:
            with path.open("r+b") as file:
                file.truncate(path.stat().st_size // 2)
            die()
        return digest

    def rename(self, source: Path, target: Path) -> None:
        if self.now == self.step and self.place == "rename":
            die()
        self._rename(source, target)

    def prune(self, directory: Path, step: int, limit: int) -> None:
        if self.now == self.step and self.place == "prune":
            die()
        self._prune(directory, step, limit)


def main(directory: Path, options: dict[str, Any]) -> None:
    killer = Killer(*options.pop("kill", ("never", 0)))
    killer.install()
    toy = make_toy(directory, noise=options.pop("noise", 0.0), **options.pop("shape", {}))
    job = toy.job(directory / "checkpoints", **options)
    with Events.open(directory / "events.jsonl", [killer], resume=job.resume) as events:
        fitted = fit(job, events)
    digest = hashlib.sha256()
    for name, tensor in sorted(job.model.state_dict().items()):
        digest.update(name.encode() + tensor.contiguous().numpy().tobytes())
    result = {"sha256": digest.hexdigest(), "best_step": fitted.best_step, "history": fitted.history,
              "stopped_early": fitted.stopped_early, "layers": fitted.decisions["layers"].value}
    (directory / "result.json").write_text(json.dumps(result), encoding="utf-8")


def load() -> None:
    """Load what a run loads on its way, so that its forks need not."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as place:
        make_toy(Path(place)).job(Path(place))


def forked(directory: str, options: dict[str, Any]) -> int:
    """Return the exit code of a run in a process of its own; minus the signal that ended it."""
    child = os.fork()
    if not child:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # the output is for exit codes
        signal.alarm(120)
        try:
            torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
            main(Path(directory), options)
        except BaseException:  # noqa: BLE001 - whatever it is, the process must end here
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    load()
    for line in sys.stdin:
        sys.stdout.write(f"{forked(*json.loads(line))}\n")
        sys.stdout.flush()
