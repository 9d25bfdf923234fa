"""Settings of a task that only decide how a bundle answers, changed where it is used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luthier.errors import RecipeError
from luthier.plugins import did_you_mean

if TYPE_CHECKING:
    from luthier.inference.predictor import Predictor

CHANGEABLE = ("decoding", "threshold", "null_threshold", "top_k", "max_pairs")
"""What nothing is learned from: how texts are written, from which share on a label is given, how much an answer must be
likelier than none, how many tokens are told for a mask, how many pairs are looked at."""


def changed(predictor: Predictor, directory: Path, changes: Mapping[str, Any]) -> Predictor:
    """Return an opened bundle that answers with other settings of its task.

    It was proved with its own: the weights are the same.

    Args:
        predictor: as it was opened.
        directory: of the bundle.
        changes: settings below ``task``, such as ``{"threshold": 0.7}`` or ``{"decoding": {"num_beams": 4}}``; of
            ``decoding`` what is not named stays.

    Raises:
        RecipeError: one is not known, decides what is learned, or has a value that it cannot have.
    """
    from pydantic import ValidationError

    from luthier.inference.opening import open_encoder

    task, manifest = predictor.task, predictor.manifest
    assert manifest is not None  # noqa: S101 - it was opened from a bundle
    allowed = [name for name in CHANGEABLE if name in task.Settings.model_fields]
    for name in changes:
        if name not in allowed:
            raise RecipeError(f"{name!r} cannot be changed where a bundle of {manifest.task.name} is used; what can: "
                              f"{', '.join(allowed) or 'nothing'}", did_you_mean(name, allowed))
    values = predictor.task_settings.model_dump(mode="json")
    for name, value in changes.items():
        both = isinstance(value, Mapping) and isinstance(values.get(name), Mapping)
        values[name] = {**values[name], **value} if both else value
    try:
        settings = task.Settings.model_validate(values)
    except ValidationError as error:
        fault = error.errors()[0]
        raise RecipeError(f"task.{'.'.join(map(str, fault['loc']))}: {fault['msg']}",
                          "the setting is told in the page of the task") from None
    record = replace(manifest.task, settings=values)
    return replace(predictor, task_settings=settings, encoder=open_encoder(directory, replace(manifest, task=record)))
