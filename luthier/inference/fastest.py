"""Opening a bundle on the backend that is fastest here, and on the reference when that one does not agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from luthier.bundle import read_manifest
from luthier.errors import LuthierError
from luthier.inference.answering import answering, asked_otherwise
from luthier.inference.choosing import REFERENCE, Purpose, choose
from luthier.inference.predictor import Predictor

AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Opening:
    """How a bundle is to be opened."""

    backend: str = AUTO
    """A name of ``inference/backends/``, or ``auto``: the fastest that answers the probes within its tolerance."""
    device: str | None = None
    """Where to run; chosen when ``None``."""
    threads: int | None = None
    """CPU threads; all cores when ``None``. Those of torch are the whole process's, and stay as they are then."""
    offline: bool = False
    """Never ask a model hub for an adapter's base."""
    task: Mapping[str, Any] = field(default_factory=dict)
    """Settings of the task that are changed; see ``answering.asked_otherwise``."""


def open_fastest(
    path: str | Path, opening: Opening | None = None, *, purpose: Purpose = "throughput", measuring: bool = False
) -> tuple[Predictor, str]:
    """Open a bundle for use; its files are checked and its probes replayed.

    Args:
        path: the bundle's directory.
        opening: backend, device and threads; all chosen when left out.
        purpose: what counts: many texts at once, or one at a time.
        measuring: try all backends when none was measured here yet; see ``choosing.choose``.

    Returns:
        The predictor, and a sentence for the log: which backend it is, where it runs and why.

    Raises:
        BundleError: missing, half-written, changed, or not what its manifest says.
        ProbeError: it answers its probes differently, on the reference or on the backend asked for.
        ModelError: an adapter's base cannot be found, or the device is not there.
        RecipeError: a setting of the task cannot be changed so.
    """
    opening = opening or Opening()
    directory = Path(path).expanduser()
    asked = asked_otherwise(read_manifest(directory), opening.task) if opening.task else None
    predictor, chosen = _proved(path, opening, purpose, measuring=measuring)
    return (predictor if asked is None else answering(predictor, directory, asked)), chosen


def _proved(path: str | Path, opening: Opening, purpose: Purpose, *, measuring: bool) -> tuple[Predictor, str]:
    """Open a bundle with its own settings."""
    where: dict[str, Any] = {
        "device": opening.device, "threads": opening.threads, "offline": opening.offline}
    if opening.backend != AUTO:
        return _opened(path, opening.backend, "asked for", where)
    directory = Path(path).expanduser()
    choice = choose(directory, read_manifest(directory), purpose, measuring=measuring, **where)
    reason = choice.reason
    for name in choice.names:
        try:
            return _opened(path, name, reason, where)
        except LuthierError as error:
            if name == REFERENCE:  # a fault of the bundle shows here too, and is told from here
                raise
            reason = f"{name} was chosen and refused: {error.problem}"
    raise AssertionError("the reference is always among the choices")


def _opened(path: str | Path, name: str, reason: str, where: dict[str, Any]) -> tuple[Predictor, str]:
    predictor = Predictor.open(path, backend=name, folded=True, **where)
    return predictor, f"backend: {name} on {predictor.backend.device} ({reason}; {predictor.backend.reason})"
