"""Tune only the rows of the word table that the data uses.

A multilingual model has hundreds of thousands of word vectors, a data set uses a few thousand. The others get no
gradient, yet an optimiser would read and write them, and two moments of each, at every step: with e5-small that is most
of its work and of each checkpoint. For the length of a run the model holds a small table instead. What is learned is
the same, but for weight decay, which would shrink words that the data never shows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from luthier.schema import Decision, Int64

if TYPE_CHECKING:
    import torch

    from luthier.models.encoding import Ragged

RESERVED = 16
"""Ids below this keep their number: models look at their padding and end ids."""
WORTHWHILE = 0.75
"""Share of rows used up to which a small table is made."""


@dataclass(frozen=True, slots=True)
class SmallTable:
    """A word table reduced for one run."""

    numbers: Int64
    """(V,) int64, id -> row of the small table; 0 for ids that the data does not use."""
    used: Int64
    """(U,) int64, row of the small table -> id."""
    whole: torch.nn.Embedding
    """The table as it was, to be put back."""


def reduce_table(model: Any, splits: tuple[Ragged, ...], pad_id: int) -> SmallTable | None:
    """Give the model a table of the rows that the splits use; ``None`` where that cannot be done or is not worth it.

    Args:
        model: a transformers model; its word table is replaced in place.
        splits: every text that the run will show to the model.
        pad_id: what ``collate`` pads with.
    """
    import torch

    if model.get_output_embeddings() is not None:
        return None  # what writes has an output for each row, used or not
    table = model.get_input_embeddings()
    if type(table) is not torch.nn.Embedding or not table.weight.requires_grad or not _free_of_high_ids(model.config):
        return None
    used = _used(splits, pad_id, table.num_embeddings)
    if len(used) > WORTHWHILE * table.num_embeddings:
        return None
    numbers = np.zeros(table.num_embeddings, np.int64)
    numbers[used] = np.arange(len(used))
    rows = table.weight.detach()[torch.from_numpy(used).to(table.weight.device)]
    small = torch.nn.Embedding(len(used), table.embedding_dim, padding_idx=table.padding_idx, _weight=rows)
    model.set_input_embeddings(small)
    return SmallTable(numbers, used, table)


def restore_table(model: Any, small: SmallTable) -> None:
    """Put the whole table back, with what was learned written into it."""
    import torch

    with torch.no_grad():
        rows = torch.from_numpy(small.used)
        learned = model.get_input_embeddings().weight.detach().cpu()
        small.whole.to("cpu").weight[rows] = learned
    model.set_input_embeddings(small.whole)


def renumber(small: SmallTable | None) -> Callable[[Int64], Int64]:
    """Return what turns token ids (B, T) into rows of the table in use (B, T)."""
    return (lambda ids: ids) if small is None else (lambda ids: small.numbers[ids])


def describe_table(small: SmallTable | None) -> Decision:
    """Return what was decided about the word table, for the log."""
    if small is None:
        return Decision("whole", "it does not train, is mostly in use, or the model writes or looks for particular ids")
    share = f"{len(small.used)} of {len(small.numbers)} rows"
    return Decision("reduced", f"the data uses {share}; the others stay as they are")


def _free_of_high_ids(config: Any) -> bool:
    """Return whether the model looks for no special id that would get another number."""
    special = [value for name, value in config.to_dict().items() if name.endswith("_token_id")]
    return all(value is None or (isinstance(value, int) and value < RESERVED) for value in special)


def _used(splits: tuple[Ragged, ...], pad_id: int, rows: int) -> Int64:
    seen = np.zeros(rows, np.bool_)
    seen[[*range(min(RESERVED, rows)), pad_id]] = True
    for ragged in splits:
        for ids in ragged.ids:
            seen[ids] = True
    return np.flatnonzero(seen)
