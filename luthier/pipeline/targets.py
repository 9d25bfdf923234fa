"""Texts that shall be written, as token ids."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from luthier.errors import ModelError
from luthier.models.encoding import Encoder, Ragged
from luthier.models.seq2seq import target_tokens_of
from luthier.pipeline import encoded
from luthier.pipeline.loading import Loaded
from luthier.tasks import first_targets
from luthier.text.normalize import Form

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
    # What is written keeps its width and its signs, whatever is done to what is read.
    form: Form = "none" if loaded.recipe.prepare.normalize == "none" else "nfc"
    longest = Encoder.load(directory).max_length
    limit: int = settings.max_target_length or min(longest, USUAL)
    try:
        encoder = Encoder.load(directory, max_length=limit, normalize=form, language=settings.target_language)
    except ModelError as error:
        if limit <= longest:
            raise
        raise ModelError(f"task.max_target_length is {limit}, and the model has places for {longest} tokens",
                         f"set task.max_target_length={longest} or less, or leave it out") from error
    end = target_tokens_of(directory).eos[0]
    found, told = {}, []
    for name, rows in loaded.dataset.splits():
        if name != "test":
            ragged, note = encoded.encode(encoder, directory, first_targets(rows))
            found[name] = _ended(ragged, end)
            told += [note] if note else []
    cut, count = (sum(int(part(split)) for split in found.values()) for part in (lambda one: one.truncated.sum(), len))
    return found, [*told, f"targets: {cut} of {count} train and valid targets have more than {limit} tokens, and the "
                          "rest of them is not learned (task.max_target_length)" if cut else
                          f"targets: every train and valid target fits into {limit} tokens"]


def _ended(ragged: Ragged, end: int) -> Ragged:
    """Let targets end with the end: put it behind those of a tokenizer that does not, leave out what others put behind.

    What was cut is left without, where the tokenizer puts none.
    """
    return replace(ragged, ids=[ids[: ids.index(end) + 1] if end in ids else ids if cut else [*ids, end]
                                for ids, cut in zip(ragged.ids, ragged.truncated.tolist(), strict=True)])
