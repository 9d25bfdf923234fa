"""How many tokens of a text are read where nobody says so and the model could read a book."""

from __future__ import annotations

import numpy as np

from luthier.schema import Int64

LONG = 1024
"""Tokens up to which a model is left to read what it can."""
SHARE = 0.995
"""Share of the training rows that shall be read whole."""
_STEP, _LEAST = 64, 128


def chosen(limit: int, lengths: Int64) -> tuple[int, str]:
    """Choose the tokens of a text from the training rows, for a model that could read more than ``LONG``.

    Proving a bundle reads texts as long as it allows, and so does whoever calls it: the time of a row grows with the
    square of its length.

    Args:
        limit: most tokens that the model can read.
        lengths: (N,) int64, tokens of the training rows, N > 0.

    Returns:
        The tokens, a multiple of 64 and 128 at least, and the reason.
    """
    enough = int(np.quantile(lengths, SHARE, method="inverted_cdf"))
    length = min(limit, max(_LEAST, -(-enough // _STEP) * _STEP))
    return length, (f"length: {length:,} tokens are read, because {SHARE:.1%} of the train rows have {enough:,} or "
                    f"fewer (the model could read {limit:,}; model.max_length sets another)")
