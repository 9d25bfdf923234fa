"""Texts that stand on both sides of pairs: ``a`` with ``b`` in one row, ``b`` with ``a`` or ``c`` in another.

Where questions are paired with answers no text is both, and an answer may well belong to questions of several splits.
Where equals are paired, such as paraphrases or two languages, a pair the other way round tells the answer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

from luthier.data.ties import SHARED, Ties, alike, either_way, joined
from luthier.schema import Example
from luthier.text import loose_key

Others = Callable[[Example], Sequence[str]]
"""Gives what is paired with a row's text."""


def ties(rows: Sequence[Example], others: Others) -> Ties:
    """Return which rows stand in one split: those of one text, and while they are few, those in which the text of a row
    stands on the other side."""
    sides = [[loose_key(text) for text in others(row)] for row in rows]
    texts = [loose_key(row.text) for row in rows]
    sets = alike(texts)
    of_text = {texts[members[0]]: number for number, members in enumerate(sets)}
    held: dict[int, dict[int, None]] = defaultdict(dict)
    for row, side in enumerate(sides):
        for text in side:
            if text in of_text:
                held[of_text[text]][of_text[texts[row]]] = None
    turned = [(one, other) for one, holders in held.items() for other in holders if one in held.get(other, ())]
    groups, left = joined(sets, (), [*turned, *((one, *holders) for one, holders in held.items())])
    return Ties(groups, notes=(
        f"{len(left):,} texts stand on both sides of so many pairs that these cannot all stand in one split (more than "
        f"{SHARED:.0%} of the rows): some are in several",) if left else ())


def leaking(early: Sequence[Example], late: Sequence[Example], others: Others) -> list[bool]:
    """Tell which early rows have nearly the text of a late row, or its pair the other way round."""
    texts = {loose_key(row.text) for row in late}
    pairs = {pair for row in late for pair in _pairs(row, others)}
    return [loose_key(row.text) in texts or not pairs.isdisjoint(_pairs(row, others)) for row in early]


def _pairs(row: Example, others: Others) -> list[tuple[str, str]]:
    text = loose_key(row.text)
    return [either_way(text, loose_key(other)) for other in others(row)]
