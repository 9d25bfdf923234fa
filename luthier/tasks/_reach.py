"""How much of a text a window of a tagger holds: no more than the rows that it learned from.

A model that has seen single sentences finds far less in windows of twenty (docs/log.md), whatever length it can read.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

import numpy as np

from luthier.models.encoding import Reach
from luthier.schema import Example
from luthier.text import sentence_ends

USUAL = 0.99
"""Share of the training rows that stand in one window: a few very long ones do not teach long windows."""


def reach_of(characters: int | None, sentences: int | None) -> Reach | None:
    """Return what settings say; ``None`` where they bound nothing."""
    if characters is None and sentences is None:
        return None
    return Reach(characters or 1 << 62, sentences or 1 << 62)


def excerpt(text: str, ends: Sequence[int], start: int, end: int, reach: Reach) -> tuple[int, int]:
    """Return where the part of a text begins and ends in which two stretches of it are read together.

    Args:
        text: whole; it is its own part where it holds no more than a window may.
        ends: places behind its sentences, rising, that of the text not among them; see ``text.sentence_ends``.
        start: of the first stretch.
        end: of the last one.
        reach: what a window may hold.

    Returns:
        The sentences in which they stand, with as many behind and before these as may stand in a window with them.
    """
    borders = [0, *ends, len(text)]
    first, behind = bisect_right(ends, start), bisect_left(ends, end) + 1
    while True:
        wider = [(one, other) for one, other in ((first, behind + 1), (first - 1, behind))
                 if one >= 0 and other < len(borders) and other - one <= reach.sentences
                 and len(text[borders[one]:borders[other]].strip()) <= reach.characters]
        if not wider:
            break
        first, behind = wider[0]
    if len(borders) == behind - first + 1:
        return 0, len(text)
    part = text[borders[first]:borders[behind]]
    return (min(start, borders[behind] - len(part.lstrip())), max(end, borders[first] + len(part.rstrip())))


def settled(examples: Sequence[Example], characters: int | None, sentences: int | None,
            ) -> tuple[dict[str, int], list[str]]:
    """Fill in what the training rows decide: what all but the longest one in a hundred have no more of.

    Returns:
        The settings ``window_characters`` and ``window_sentences``, and what there is to say of them.
    """
    most = {"window_characters": characters, "window_sentences": sentences}
    known = {"window_characters": _usual([len(row.text.strip()) for row in examples]),
             "window_sentences": _usual([1 + len(sentence_ends(row.text)) for row in examples])}
    found = {name: known[name] if value is None else value for name, value in most.items()}
    several = "s" * (found["window_sentences"] > 1)
    told = (f"windows hold up to {found['window_characters']:,} characters and {found['window_sentences']} "
            f"sentence{several}, as training rows do (task.window_characters, task.window_sentences)")
    return found, [told] if None in most.values() else []


def _usual(sizes: Sequence[int]) -> int:
    return max(1, int(np.quantile(sizes, USUAL, method="higher"))) if sizes else 1
