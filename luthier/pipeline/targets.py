"""Texts that shall be written, as token ids."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from luthier.errors import ModelError
from luthier.models.encoding import Encoder, Ragged
from luthier.models.targets import TargetEncoder
from luthier.pipeline import encoded
from luthier.pipeline.loading import Loaded
from luthier.tasks import first_targets

USUAL = 128
"""Most tokens of a target where the settings leave it open and the model has places for more."""


def encoded_targets(loaded: Loaded, directory: Path, settings: Any) -> tuple[dict[str, Ragged], list[str]]:
    """Return the targets of the train and valid rows as token ids that end as the model's texts do, and what to say.

    Args:
        loaded: the rows.
        directory: of the model.
        settings: of the task: ``max_target_length``.

    Raises:
        DataError: a row has no target.
        ModelError: the model has no place for such long targets, or does not say how its texts end.
    """
    longest = Encoder.load(directory, written=True).max_length
    limit: int = settings.max_target_length or min(longest, USUAL)
    try:
        targets = TargetEncoder.load(directory, max_length=limit, normalize=loaded.recipe.prepare.normalize,
                                     language=settings.target_language)
    except ModelError as error:
        if limit <= longest:
            raise
        raise ModelError(f"task.max_target_length is {limit}, and the model has places for {longest} tokens",
                         f"set task.max_target_length={longest} or less, or leave it out") from error
    found, told = {}, []
    for name, rows in loaded.dataset.splits():
        if name != "test":
            ragged, note = encoded.encode(targets.encoder, directory, first_targets(rows))
            found[name] = targets.ended(ragged)
            told += [note] if note else []
    cut, count = (sum(int(part(split)) for split in found.values()) for part in (lambda one: one.truncated.sum(), len))
    return found, [*told, f"targets: {cut} of {count} train and valid targets have more than {limit} tokens, and the "
                          "rest of them is not learned (task.max_target_length)" if cut else
                          f"targets: every train and valid target fits into {limit} tokens"]
