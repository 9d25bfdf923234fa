"""Arrays by their element type, and what passes between texts and models as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from luthier.schema.marked import Marked

Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]
Logits = Float32 | list[Float32]
"""Of N texts, (N, C), or of the tokens of W windows, W arrays (T, C); embeddings of N texts are (N, D)."""

TextInput = str | tuple[str, str] | Sequence[str] | Marked
"""What a predictor takes for one row: a text, a pair of texts, or a text with two marked stretches; while texts are
compared, also a query with any number of passages; or a ``Conversation``, a sequence of what is said, or
``Candidates``, a query and the passages to be ordered for it."""


class Passage(str):
    """A text that is looked for, where others look for it: some models want another prefix before it."""

    __slots__ = ()


MASKS = ("[MASK]", "<mask>")
"""How a caller may write a mask, whatever the model calls it."""


class Document(str):
    """A text that a language model is asked the likelihood of, where it would else be filled in or gone on with."""

    __slots__ = ()


def parts(row: TextInput) -> tuple[str, ...]:
    """Return the texts of a row: one, or those that belong together."""
    if isinstance(row, Marked):
        return (row.text,)
    return (row,) if isinstance(row, str) else tuple(row)


@dataclass(frozen=True, slots=True)
class Batch:
    """Token ids of B texts, padded on the right to the longest, T."""

    ids: Int64
    """(B, T) int64 token ids."""
    mask: Bool
    """(B, T) bool, true where a token is real."""
    type_ids: Int64 | None
    """(B, T) int64 segment ids, or ``None`` when the model has no use for them."""
    truncated: Bool
    """(B,) bool, true where the text was longer than the length policy allows and lost its end."""
