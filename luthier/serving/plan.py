"""Which waiting rows go into the next batch. Plain arithmetic, no clock and no threads."""

from __future__ import annotations

from collections.abc import Sequence

from luthier.schema import TextInput, parts

MAX_CHARS = 32_768
"""Weight of one batch: 64 texts of 512 characters. Characters stand in for tokens, which only the encoder knows."""

_LONGEST = 2_048
"""Characters after which a text weighs no more: about 512 tokens of English, where common encoders cut."""


def weigh(text: TextInput) -> int:
    """Return the weight of one row in characters: at least 1, and no more than the model is going to read."""
    chars = sum(map(len, parts(text)))
    return max(1, min(chars, _LONGEST))


def deal(waiting: Sequence[Sequence[int]], *, max_rows: int, max_weight: int = MAX_CHARS) -> list[int]:
    """Decide how many rows of each waiting request go into the next batch.

    Rows are dealt in turns, one a request, in order of arrival: a lone text never waits behind another client's 256.

    Args:
        waiting: for each request, oldest first, the weights of the rows it still waits for.
        max_rows: most rows of the batch.
        max_weight: most weight of the batch; the first row goes in whatever it weighs.

    Returns:
        Rows taken from each request, from its front.
    """
    taken = [0] * len(waiting)
    rows = weight = 0
    while True:
        before = rows
        for place, weights in enumerate(waiting):
            if taken[place] == len(weights):
                continue
            next_weight = weights[taken[place]]
            if rows == max_rows or (rows and weight + next_weight > max_weight):
                return taken
            taken[place] += 1
            rows += 1
            weight += next_weight
        if rows == before:
            return taken
