"""Batches as one row of real tokens, for a GPU: no padding is computed, and attention keeps to each text.

Where rows begin is known on the host before the batch is sent, so nothing waits for the GPU.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from luthier.models.architecture import config_of
from luthier.models.kernels import packed_decoder, packed_encoder
from luthier.models.kernels.varlen import Rows
from luthier.schema import Batch, Decision

Arguments = dict[str, npt.NDArray[Any] | int]
"""What a model is called with, while it is still arrays."""
STARTS, LONGEST = "row_starts", "longest"
"""Arguments that a packed batch has beside the model's own."""


class _Layers(Protocol):
    """A model's layers over packed rows."""

    first_position: int
    """The position of a row's first token."""

    def compute(self, given: dict[str, Any], rows: Rows) -> Any:
        """Return what the model gives for a packed batch."""


class PackedRows:
    """Packs batches, and calls a model with them."""

    def __init__(self, model: Any, layers: _Layers) -> None:
        self._plain = model.forward
        self._layers = layers

    def arrange(self, batch: Batch) -> Arguments:
        """Return the model's arguments for a batch: (1, N) ids, positions and segments, and where rows begin."""
        real = batch.mask
        starts = np.concatenate(([0], np.cumsum(real.sum(1))))
        columns = np.nonzero(real)[1]
        found: Arguments = {"input_ids": batch.ids[real][None],
                            "position_ids": columns[None] + self._layers.first_position,
                            STARTS: starts.astype(np.int32), LONGEST: int(np.diff(starts).max())}
        return found if batch.type_ids is None else {**found, "token_type_ids": batch.type_ids[real][None]}

    def forward(self, *args: Any, **given: Any) -> Any:
        """Compute packed rows; padded ones go the model's own way."""
        if STARTS not in given:
            return self._plain(*args, **given)
        rows = Rows(given.pop(STARTS), given.pop(LONGEST))
        return self._layers.compute(given, rows)


def padded(batch: Batch) -> Arguments:
    """Return the model's arguments for a batch as it is: (B, T) int64 ids and mask, and segments where it has them."""
    found: Arguments = {"input_ids": batch.ids, "attention_mask": batch.mask.astype(np.int64)}
    return found if batch.type_ids is None else {**found, "token_type_ids": batch.type_ids}


@contextmanager
def packed_rows(model: Any, precision: str) -> Iterator[tuple[Decision, PackedRows | None]]:
    """Let a model compute packed rows within the block, where that gives the same but for rounding."""
    config = config_of(model)
    kind = packed_decoder if packed_decoder.is_decoder(config) else packed_encoder
    why = "attention over packed rows needs bf16" if precision != "bf16" else kind.obstacle(model, config)
    if why is not None:
        yield Decision("padded rows", why), None
        return
    with kind.installed(model, config) as layers:
        packed = PackedRows(model, layers)
        model.forward = packed.forward
        try:
            yield Decision("packed rows", "no padding is computed, and attention keeps to each row"), packed
        finally:
            del model.forward  # its class has its own
