"""One call for every way of decoding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from luthier.errors import LimitError, ModelError
from luthier.inference.generation.values import Marks, Stop, Written
from luthier.recipe import Decoding
from luthier.schema import Batch, Int64

if TYPE_CHECKING:
    import torch

_WITHOUT_PLACES = 4096
"""Most tokens written by models that count no places, such as T5, whose positions are relative and have no end. They
learned from texts of 512 tokens, and write nothing of use at eight times that; without a bound one row that never ends
would hold its batch, and a cache that grows, for 32,768 steps."""


def generate(
    model: torch.nn.Module,
    batch: Batch,
    decoding: Decoding,
    marks: Marks,
    *,
    text_of: Callable[[Sequence[int]], str],
    rows: Sequence[int],
    stop: Stop | None = None,
) -> list[Written]:
    """Write a text for each row of a batch.

    Args:
        model: a transformers model with a language modelling head, of an encoder and a decoder or of a decoder alone,
            in evaluation mode.
        batch: B texts, padded on the right as ever; models of a decoder alone get them padded on the left.
        decoding: how tokens are chosen.
        marks: the model's tokens that are no words.
        text_of: turns tokens into text, without special tokens.
        rows: B numbers that, with the seed, decide the draws of each row: the same row draws the same in any batch.
        stop: asked at each step for each row that goes on, by its place in the batch; a row ends as it stands where it
            says so.

    Returns:
        B results in the order of the batch.

    Raises:
        ModelError: the model is in training mode.
        LimitError: a prompt leaves no room for what is to be written; ``row`` is its place in the batch.
    """
    import torch

    from luthier.inference.generation import beams, single
    from luthier.inference.generation.ending import Ending, Room
    from luthier.inference.generation.rules import Rules
    from luthier.inference.generation.steps import begin

    if model.training:
        raise ModelError("the model is in training mode, in which dropout changes what it writes",
                         "call model.eval() before generating")
    if not len(rows):
        return []
    most = _room(model, batch, decoding, marks)
    with torch.inference_mode():
        steps = begin(model, batch, marks)
        device = steps.prompts.device
        room = Room(torch.from_numpy(most).to(device), stop)
        ending = Ending(marks, decoding.stop_strings, text_of, torch.tensor(marks.eos, device=device))
        rules = Rules(decoding, marks)
        if decoding.num_beams > 1:
            return beams.search(steps, rules, ending, room)
        return single.write(steps, rules, ending, room, rows)


def _room(model: torch.nn.Module, batch: Batch, decoding: Decoding, marks: Marks) -> Int64:
    """Return the most tokens that each row may get, (B,): those asked for, or fewer where the model has no more places.

    The last token written is never read, so it needs no place.
    """
    config: Any = model.config
    places = getattr(config.get_text_config(decoder=True), "max_position_embeddings", None)
    size = len(batch.mask)
    room: Int64 = np.full(size, decoding.max_new_tokens, np.int64)
    if places is None:
        return np.minimum(room, _WITHOUT_PLACES)
    taken: Int64 = np.full(size, len(marks.start)) if marks.start else batch.mask.sum(axis=1)
    room = np.minimum(room, places + 1 - taken)
    if (room < 1).any():
        worst = int(room.argmin())
        raise LimitError(f"its {taken[worst]} tokens leave no room to write: the model has {places} places",
                         "shorten the text, or cut it with a smaller max_length", row=worst)
    return room
