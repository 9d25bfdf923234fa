"""Putting a bundle's parts together as a predictor, and proving that it answers as on the day it was written."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from luthier import plugins
from luthier.bundle import RESTORE, Manifest, check_files, check_labels, check_tokenizer, read_manifest
from luthier.errors import BundleError, LuthierError
from luthier.inference.backend import Folds
from luthier.inference.modelling import check_fills, fills
from luthier.inference.predictor import Predictor
from luthier.inference.writing import check_writes, writes

if TYPE_CHECKING:
    from luthier.models.encoding import Encoder

_REPLACED_WHILE_OPENING = 3
"""Times that a bundle is looked at again because another was put in its place meanwhile."""


def open_bundle(path: Path, *, check: bool, **options: Any) -> Predictor:
    """Open a bundle; see ``Predictor.open``.

    Args:
        path: the bundle's directory.
        check: compare file hashes and the tokenizer, and replay the probes.
        options: those of ``assemble``.
    """
    directory = path.expanduser()
    for _ in range(_REPLACED_WHILE_OPENING):
        before = _identity(directory)
        try:
            return _proved(directory.resolve(), check=check, **options)
        except BundleError:
            # Half of the old bundle and half of a new one is no fault of either: look again.
            if _identity(directory) == before:
                raise
    return _proved(directory.resolve(), check=check, **options)


def _identity(directory: Path) -> tuple[int, int] | None:
    """Return what changes when another directory takes this one's place."""
    try:
        found = directory.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _proved(directory: Path, *, check: bool, **options: Any) -> Predictor:
    """Put a bundle together with the checks of ``Predictor.open``."""
    from luthier.inference.replaying import replay

    manifest = read_manifest(directory)
    if check:
        check_files(directory, manifest)
        check_tokenizer(directory)
    check_labels(directory, manifest)
    predictor = assemble(directory, manifest, **options)
    if check:
        replay(predictor, directory)
    return predictor


def assemble(
    directory: Path, manifest: Manifest, *, backend: str = "torch", device: str | None = None,
    threads: int | None = None, offline: bool = False, folded: bool = False,
) -> Predictor:
    """Put a bundle's parts together without any check; ``Predictor.open`` is what callers want.

    Raises:
        BundleError: a part cannot be opened.
        ModelError: an adapter's base model cannot be found, or the device is not there.
    """
    task, settings = open_task(manifest)
    encoder = open_encoder(directory, manifest)
    module = plugins.load("inference.backends", backend)
    if writes(task):
        check_writes(backend, module)
    if fills(task):
        check_fills(backend, module)
    opened = module.load(
        directory, manifest, threads=threads, device=device, offline=offline)
    if folded and isinstance(opened, Folds):
        opened.fold()
    return Predictor(opened, encoder, manifest.labels, task, settings, manifest.pair, directory.name, manifest)


def open_encoder(directory: Path, manifest: Manifest) -> Encoder:
    """Open the bundle's own tokenizer with its length policy and normalisation.

    Raises:
        BundleError: it cannot be read.
    """
    from luthier.models.encoding import Encoder

    task, settings = open_task(manifest)
    try:
        if hasattr(task, "encoder"):
            own: Encoder = task.encoder(directory, settings, max_length=manifest.length.max_length,
                                        normalize=manifest.normalize, stored=True)
            return own
        return Encoder.load(directory, max_length=manifest.length.max_length, normalize=manifest.normalize,
                            overlap=manifest.length.overlap)
    except LuthierError as error:
        raise BundleError(f"cannot open the tokenizer of the bundle at {directory}: {error.problem}",
                          RESTORE) from error


def open_task(manifest: Manifest) -> tuple[ModuleType, Any]:
    """Return the manifest's task and its settings.

    Raises:
        BundleError: this Luthier has no such task, or the settings are not the task's.
    """
    from pydantic import ValidationError

    try:
        task = plugins.load("tasks", manifest.task.name)
        settings = task.Settings.model_validate(manifest.task.settings)
    except LuthierError as error:
        raise BundleError(f"the bundle's task cannot be opened: {error.problem}",
                          "install the package that offers the task, or a newer Luthier") from error
    except ValidationError as error:
        fault = error.errors()[0]
        raise BundleError(f"the bundle's settings of task {manifest.task.name!r} are not valid: "
                          f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}", RESTORE) from error
    if (manifest.labels.problem_type not in task.PROBLEMS
            or task.outputs(manifest.labels).names != manifest.output_names):
        raise BundleError(f"the bundle's labels are not those of task {manifest.task.name!r}", RESTORE)
    return task, settings
