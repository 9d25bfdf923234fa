"""The directory beside a bundle where a run keeps what it needs until the bundle stands.

``runs/reviews`` is the bundle; ``runs/reviews.run`` holds the recipe, the events and the checkpoints while the run goes
on. A finished run leaves only the bundle; a killed one leaves what ``--resume`` needs.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
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

_OURS = re.compile(r"lock|recipe\.(yaml|tmp)|\.?events\.jsonl(\.tmp)?|(\.tmp-)?(checkpoint|best)-.*")
"""Names of what a run keeps; its directory is removed when it has finished."""


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

    def stepped(self) -> bool:
        """Return whether optimiser steps are on record, which may show why a run failed."""
        return self.events.exists() and b'"event": "step"' in self.events.read_bytes()

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
    out = _checked(out)
    place = Workplace(out.with_name(out.name + ".run"))
    if resume and not place.recipe.exists():
        state = "it is finished" if (out / MANIFEST).exists() else "no run was started there"
        raise TuningError(f"nothing to resume for {out}: {state}", "run it again without --resume")
    _make(place.path)
    with _lock(place.path):
        if place.checkpoints() and not resume:
            _clear(place, out, restart=restart)
        try:
            yield place
        except BaseException as error:
            if place.checkpoints():
                if isinstance(error, KeyboardInterrupt):
                    raise KeyboardInterrupt(f"stopped\n  -> {_how_to_go_on(place)}") from None
            elif isinstance(error, KeyboardInterrupt) or not place.stepped():
                shutil.rmtree(place.path)  # nothing in it that the same command would not make again
            raise
        shutil.rmtree(place.path)


def _checked(out: Path) -> Path:
    """Return the bundle's directory, expanded, if a bundle can be put there.

    Raises:
        BundleError: other files stand there.
        TuningError: it is the directory at hand, or no path that the system takes.
    """
    out = Path(os.path.expanduser(out))
    try:
        refuse_foreign(out)
    except OSError as error:
        raise _unusable(out, error) from None
    if os.path.realpath(out) == os.getcwd():
        raise TuningError(f"{out} is the directory you are in, and a bundle takes the place of a whole directory",
                          "give a directory in it: --out NAME")
    return out


def _make(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        strangers = sorted(name for name in os.listdir(directory) if not _OURS.fullmatch(name))
    except OSError as error:
        raise _unusable(directory, error) from None
    if strangers:
        raise TuningError(f"{directory} holds files that no run put there, such as {strangers[0]}; they would be lost",
                          "move them away, or give another --out")
    if not os.access(directory.parent, os.W_OK | os.X_OK):
        raise _unusable(directory.parent, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))


def _unusable(path: Path, error: OSError) -> TuningError:
    return TuningError(f"a run cannot be kept at {path}: {error.strerror or error}",
                       "choose a directory that you may write to, on a disk with room: --out DIR")


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
