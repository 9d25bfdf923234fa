"""Settings of a task that only decide how a bundle answers, changed where it is used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from luthier.bundle import Manifest
from luthier.errors import RecipeError
from luthier.inference.opening import open_encoder, open_task
from luthier.inference.predictor import Predictor
from luthier.plugins import did_you_mean


def asked_otherwise(manifest: Manifest, changes: Mapping[str, Any]) -> Manifest:
    """Return a bundle's manifest with other settings of its task, checked before anything is opened.

    Args:
        manifest: the bundle's.
        changes: settings below ``task`` that the task lists as ``ANSWERING``, such as ``{"threshold": 0.7}`` or
            ``{"decoding": {"num_beams": 4}}``; of ``decoding`` what is not named stays.

    Raises:
        BundleError: the bundle's task cannot be opened.
        RecipeError: a setting is not known, decides what is learned, or has a value that it cannot have.
    """
    from pydantic import ValidationError

    task, settings = open_task(manifest)
    allowed: tuple[str, ...] = getattr(task, "ANSWERING", ())
    values = settings.model_dump(mode="json")
    for name, value in changes.items():
        if name not in allowed:
            raise RecipeError(f"{name!r} cannot be changed where a bundle of {manifest.task.name} is used; what can: "
                              f"{', '.join(allowed) or 'nothing'}", did_you_mean(name, allowed))
        both = isinstance(value, Mapping) and isinstance(values[name], Mapping)
        values[name] = {**values[name], **value} if both else value
    try:
        task.Settings.model_validate(values)
    except ValidationError as error:
        fault = error.errors()[0]
        raise RecipeError(f"task.{'.'.join(map(str, fault['loc']))}: {fault['msg']}",
                          "the page of the task describes its settings") from None
    return replace(manifest, task=replace(manifest.task, settings=values))


def answering(predictor: Predictor, directory: Path, manifest: Manifest) -> Predictor:
    """Return an opened bundle that answers as ``asked_otherwise`` says; it was proved with its own settings."""
    _, settings = open_task(manifest)
    return replace(predictor, task_settings=settings, encoder=open_encoder(directory, manifest))
