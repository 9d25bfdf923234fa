"""How many tokens of a text are read where nobody says so and the model could read a book."""

from __future__ import annotations

import numpy as np

from luthier.schema import Int64

LONG = 1024
"""Tokens up to which a model is left to read what it can."""
SHARE = 0.995
"""Share of the training rows that shall be read whole."""
_STEP, _LEAST = 64, 128
_SHARED = 4
"""Windows have at least so many times the tokens that they share: else there are a great many of them."""


def chosen(limit: int, lengths: Int64, overlap: int | None = None) -> tuple[int, str]:
    """Choose the tokens of a text from the training rows, for a model that could read more than ``LONG``.

    Proving a bundle reads texts as long as it allows, and so does whoever calls it: the time of a row grows with the
    square of its length.

    Args:
        limit: most tokens that the model can read.
        lengths: (N,) int64, tokens of the training rows, N > 0.
        overlap: tokens that windows share, where somebody said how many.

    Returns:
        The tokens, 128 at least and a multiple of 64 where the rows decide, and the reason.
    """
    enough = int(np.quantile(lengths, SHARE, method="inverted_cdf"))
    needed, wide = max(_LEAST, -(-enough // _STEP) * _STEP), _SHARED * (overlap or 0)
    length = min(limit, max(needed, wide))
    why = (f"{SHARE:.1%} of the train rows have {enough:,} or fewer" if needed >= wide else
           f"windows that share {overlap:,} (model.overlap) are {_SHARED} times as long")
    return length, (f"length: {length:,} tokens are read, because {why} (the model could read {limit:,}; "
                    "model.max_length sets another)")
