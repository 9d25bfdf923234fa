"""The directory beside a bundle where a run keeps what it needs until the bundle stands.

``runs/reviews`` is the bundle; ``runs/reviews.run`` holds the recipe, the events and the checkpoints while the run goes
on. A finished run leaves only the bundle; a killed one leaves what ``--resume`` needs.
"""

from __future__ import annotations

import fcntl
import os
import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from luthier import recipe as recipes
from luthier.bundle import MANIFEST
from luthier.bundle.write import refuse_foreign
from luthier.errors import TuningError
from luthier.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Workplace:
    """Where one run keeps its unfinished business."""

    path: Path

    @property
    def recipe(self) -> Path:
        """The resolved recipe, written before the first step."""
        return self.path / "recipe.yaml"

    @property
    def events(self) -> Path:
        """The JSONL event stream."""
        return self.path / "events.jsonl"

    def write_recipe(self, recipe: Recipe) -> None:
        """Store the resolved recipe, whole or not at all."""
        temporary = self.recipe.with_suffix(".tmp")
        temporary.write_text(recipes.dump(recipe), encoding="utf-8")
        os.replace(temporary, self.recipe)

    def checkpoints(self) -> list[Path]:
        """Return the checkpoint directories that are there, in no order."""
        return list(self.path.glob("checkpoint-*"))


@contextmanager
def workplace(out: Path, *, resume: bool, restart: bool) -> Iterator[Workplace]:
    """Open the run directory of a bundle for one run, and remove it when the run has finished.

    Args:
        out: the bundle's directory.
        resume: go on from what is there.
        restart: throw away what is there.

    Raises:
        TuningError: another run is at work there, an unfinished run would be lost, or there is nothing to resume.
    """
    refuse_foreign(out)
    place = Workplace(out.with_name(out.name + ".run"))
    if resume and not place.recipe.exists():
        state = "it is finished" if (out / MANIFEST).exists() else "no run was started there"
        raise TuningError(f"nothing to resume for {out}: {state}", "run it again without --resume")
    place.path.mkdir(parents=True, exist_ok=True)
    with _lock(place.path):
        if place.checkpoints() and not resume:
            _clear(place, out, restart=restart)
        try:
            yield place
        except BaseException as error:
            if not place.checkpoints():
                shutil.rmtree(place.path)  # nothing in it that the same command would not make again
            elif isinstance(error, KeyboardInterrupt):
                raise KeyboardInterrupt(f"stopped\n  -> {_how_to_go_on(place)}") from None
            raise
        shutil.rmtree(place.path)


def _how_to_go_on(place: Workplace) -> str:
    return f"go on with `luthier train {shlex.quote(str(place.recipe))} --resume`"


def _clear(place: Workplace, out: Path, *, restart: bool) -> None:
    if not restart:
        raise TuningError(
            f"{place.path} holds an unfinished run with {len(place.checkpoints())} checkpoints",
            f"{_how_to_go_on(place)}, throw it away with --restart, or give another --out than {out}",
        )
    for checkpoint in place.checkpoints():
        shutil.rmtree(checkpoint)
    place.events.unlink(missing_ok=True)


@contextmanager
def _lock(directory: Path) -> Iterator[None]:
    """Hold the directory for this process; the system lets go of it however the process ends."""
    with (directory / "lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TuningError(f"another run is at work in {directory}", "wait for it, or give another --out") from None
        yield
