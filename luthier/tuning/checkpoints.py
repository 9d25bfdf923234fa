"""Checkpoints that are whole or not there: a run killed at any moment goes on from the newest whole one.

A checkpoint is a directory ``checkpoint-<step>`` with the weights that train, the optimiser's state and, written last,
``state.json`` with the hashes of both. It is made under another name and renamed. The weights of the best step stand
beside the checkpoints, since their own checkpoint may be gone by the time they are needed. Nothing else has to be kept:
batches, learning rate and dropout follow from seed and step alone. No fsync: after a power cut the hashes tell what is
damaged, and the run goes on from the checkpoint before.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luthier.errors import TuningError
from luthier.models.files import sha256_of

if TYPE_CHECKING:
    import torch

WEIGHTS = "weights.safetensors"
OPTIMIZER = "optimizer.safetensors"
STATE = "state.json"
FORMAT = 1

_OURS = re.compile(r"\.tmp-(checkpoint|best)-.*|checkpoint-\d+|best-\d+\.safetensors")
_SEPARATOR = "|"


@dataclass
class Progress:
    """How far a run has come; all of the loop's state besides weights and optimiser."""

    step: int = 0
    """Optimiser steps taken."""
    best_step: int = 0
    best_metric: float | None = None
    best_loss: float | None = None
    """Validation loss at the best step: it decides between equal metrics."""
    learned_loss: float | None = None
    """That of the last validation that showed learning: from it later ones have to fall."""
    stale: int = 0
    """Validations since the last that showed learning."""
    stopped_early: bool = False
    seconds: float = 0.0
    recent_losses: list[float] = field(default_factory=list)
    """Of the steps since the last validation."""
    history: list[dict[str, Any]] = field(default_factory=list)
    """One entry a validation."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A whole checkpoint found on disk."""

    path: Path
    progress: Progress


def clear(directory: Path) -> None:
    """Remove the checkpoints of an earlier run; other files stay."""
    for path in _ours(directory):
        _remove(path)


def save(
    directory: Path,
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    progress: Progress,
    *,
    fingerprint: str,
    limit: int,
) -> None:
    """Write ``checkpoint-<step>`` whole or not at all, then remove all but the newest ``limit``.

    Raises:
        TuningError: the disk is full or not writable.
    """
    directory.mkdir(parents=True, exist_ok=True)
    target = directory / f"checkpoint-{progress.step}"
    temporary = directory / f".tmp-{target.name}"
    _remove(temporary)
    try:
        temporary.mkdir()
        files = {
            WEIGHTS: _write(temporary / WEIGHTS, trainable(model)),
            OPTIMIZER: _write(temporary / OPTIMIZER, dict(_optimizer_tensors(model, optimizer))),
        }
        state = {"format": FORMAT, "fingerprint": fingerprint, "files": files,
                 "best": _best_record(directory, progress), "progress": asdict(progress)}
        (temporary / STATE).write_text(json.dumps(state), encoding="utf-8")
        _remove(target)
        os.rename(temporary, target)
    except OSError as error:
        raise _unwritable(directory, error) from error
    _prune(directory, progress.step, limit)


def save_best(directory: Path, model: torch.nn.Module, step: int) -> None:
    """Write the weights of the best step so far, then remove those that neither it nor a checkpoint needs.

    The file is complete once it has its name.

    Raises:
        TuningError: the disk is full or not writable.
    """
    directory.mkdir(parents=True, exist_ok=True)
    target = _best_path(directory, step)
    temporary = directory / f".tmp-{target.name}"
    try:
        _write(temporary, trainable(model))
        os.replace(temporary, target)
    except OSError as error:
        raise _unwritable(directory, error) from error
    needed = {target.name, *map(_best_of, _checkpoints(directory))}
    for path in _ours(directory):
        if path.name.startswith("best-") and path.name not in needed:
            _remove(path)


def newest(directory: Path, fingerprint: str) -> Checkpoint | None:
    """Return the newest checkpoint whose files are all as they were written, or ``None``.

    Raises:
        TuningError: it belongs to a run with another recipe or other data.
    """
    for path in reversed(_checkpoints(directory)):
        state = _read_whole(path)
        if state is None:
            continue
        if state["fingerprint"] != fingerprint:
            raise TuningError(
                f"{path} belongs to a run with another recipe or other data",
                "resume with the recipe and files of that run, or start anew with --restart",
            )
        return Checkpoint(path, Progress(**state["progress"]))
    return None


def restore(checkpoint: Checkpoint, model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Put a checkpoint's weights and optimiser state back, in place."""
    from safetensors.torch import load_file

    _fill(model, checkpoint.path / WEIGHTS)
    parameters = trainable(model)
    for key, tensor in load_file(checkpoint.path / OPTIMIZER).items():
        name, _, part = key.rpartition(_SEPARATOR)
        optimizer.state[parameters[name]][part] = tensor.to(parameters[name].device)


def restore_best(directory: Path, model: torch.nn.Module, step: int) -> None:
    """Put the best step's weights back, in place."""
    _fill(model, _best_path(directory, step))


def trainable(model: torch.nn.Module) -> dict[str, torch.nn.Parameter]:
    """Return the parameters that train, by name, in the model's order."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def _fill(model: torch.nn.Module, path: Path) -> None:
    import torch
    from safetensors.torch import load_file

    stored = load_file(path)
    with torch.no_grad():
        for name, parameter in trainable(model).items():
            parameter.copy_(stored[name])


def _optimizer_tensors(
    model: torch.nn.Module, optimizer: torch.optim.Optimizer
) -> Iterator[tuple[str, torch.Tensor]]:
    for name, parameter in trainable(model).items():
        for part, tensor in optimizer.state.get(parameter, {}).items():
            yield f"{name}{_SEPARATOR}{part}", tensor


def _write(path: Path, tensors: Mapping[str, torch.Tensor]) -> str:
    """Write tensors and return the file's sha256."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    try:
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, path)
    except SafetensorError as error:
        # The library wraps the system's error (a full disk, mostly) in one of its own.
        raise OSError(str(error)) from error
    return sha256_of(path)


def _best_path(directory: Path, step: int) -> Path:
    return directory / f"best-{step}.safetensors"


def _best_record(directory: Path, progress: Progress) -> dict[str, str] | None:
    if not progress.best_step:
        return None
    path = _best_path(directory, progress.best_step)
    return {"file": path.name, "sha256": sha256_of(path)}


def _state_of(path: Path) -> dict[str, Any] | None:
    """Return a checkpoint's state as it stands there; ``None`` where it is damaged or of another format."""
    try:
        state = json.loads((path / STATE).read_text(encoding="utf-8"))
        return state if state["format"] == FORMAT else None
    except (OSError, ValueError, KeyError, TypeError):
        # Damaged or cut short: this is what the checkpoint before it is kept for.
        return None


def _read_whole(path: Path) -> dict[str, Any] | None:
    """Return a checkpoint's state when every file has the hash that it was written with."""
    state = _state_of(path)
    if state is None:
        return None
    try:
        hashes = {path / name: digest for name, digest in state["files"].items()}
        if state["best"] is not None:
            hashes[path.parent / state["best"]["file"]] = state["best"]["sha256"]
        return state if all(sha256_of(file) == digest for file, digest in hashes.items()) else None
    except (OSError, KeyError):
        return None


def _best_of(path: Path) -> str:
    """Return the name of the best weights that a checkpoint needs; none where it is damaged or has none."""
    state = _state_of(path)
    best = state and state["best"]
    return best["file"] if best else ""


def _prune(directory: Path, step: int, limit: int) -> None:
    """Remove all but the newest checkpoints up to a step; later ones are damaged, for a run has passed over them."""
    kept = [path for path in _checkpoints(directory) if _step_of(path) <= step and _state_of(path) is not None][-limit:]
    needed = {*(path.name for path in kept), *map(_best_of, kept)}
    for path in _ours(directory):
        if path.name not in needed:
            _remove(path)


def _step_of(path: Path) -> int:
    return int(path.name.rpartition("-")[2])


def _checkpoints(directory: Path) -> list[Path]:
    """Return the checkpoint directories from old to new."""
    found = [path for path in _ours(directory) if path.name.startswith("checkpoint-")]
    return sorted(found, key=_step_of)


def _ours(directory: Path) -> list[Path]:
    if not directory.is_dir():
        return []
    return [path for path in directory.iterdir() if _OURS.fullmatch(path.name)]


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _unwritable(directory: Path, error: OSError) -> TuningError:
    return TuningError(
        f"a checkpoint could not be written to {directory}: {error}",
        "free some disk space, then go on with --resume; the checkpoint before this one is untouched",
    )
