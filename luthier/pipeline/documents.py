"""Documents as blocks of token ids, and what there is to say of them."""

from __future__ import annotations

from luthier.models.blocks import BlockEncoder
from luthier.models.encoding import Ragged
from luthier.pipeline.loading import Loaded


def encoded_documents(loaded: Loaded, encoder: BlockEncoder, *, together: bool) -> tuple[dict[str, Ragged], list[str]]:
    """Return the train and valid documents as blocks, and what to say of them.

    Args:
        loaded: the rows.
        encoder: lays them out.
        together: whether blocks go on with the next document.
    """
    found = {name: encoder.packed([row.text for row in rows], together=together)
             for name, rows in loaded.dataset.splits() if name != "test"}
    rows = sum(len(split) for name, split in loaded.dataset.splits() if name != "test")
    blocks, tokens = sum(map(len, found.values())), sum(int(one.lengths.sum()) for one in found.values())
    how = ("one after the other" if together else "each by itself")
    return found, [f"length: {rows:,} train and valid documents, {how}, are {blocks:,} blocks of up to "
                   f"{encoder.max_length} tokens, {tokens:,} in all; nothing is cut"]
