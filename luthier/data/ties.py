"""Rows that tell one another's answers, and so belong in one split: which they are, and groups of them by union-find.

Rows that are asked the same stand together whatever comes of it. What ties such sets of rows together is taken only
while the group stays small, since one greeting or one common phrase would else tie half of a file together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

SHARED = 0.05
"""What more than this share of the rows has in common is nobody's own, such as a greeting: it ties nothing together."""
FEW = 4
"""Rows that may be tied together however small the file is."""


@dataclass(frozen=True, slots=True)
class Ties:
    """Rows in groups, each for one split."""

    groups: list[list[int]]
    """Numbers of the rows, every row in one group."""
    first: frozenset[int] = frozenset()
    """Groups that must stand in the first split, because rows of others hold their answers."""
    notes: tuple[str, ...] = ()
    """What could not be kept together, in sentences."""


def most_of(rows: int) -> int:
    """Return the most rows that a tie may bring together."""
    return max(FEW, int(SHARED * rows))


def alike(keys: Sequence[Hashable]) -> list[list[int]]:
    """Return the numbers of the rows of each key, in the order in which the keys come."""
    found: dict[Hashable, list[int]] = defaultdict(list)
    for number, key in enumerate(keys):
        found[key].append(number)
    return list(found.values())


def joined(sets: Sequence[Sequence[int]], always: Iterable[Sequence[int]],
           small: Iterable[Sequence[int]]) -> tuple[list[list[int]], list[Sequence[int]]]:
    """Join sets of rows to groups.

    Args:
        sets: disjoint sets of the N rows.
        always: ties, each the numbers of sets that belong together.
        small: further ties, taken in this order while a group has no more rows than ``most_of(N)``.

    Returns:
        The groups, each with its rows in their order, and the ties of ``small`` that were not taken.
    """
    above = list(range(len(sets)))
    size = [len(rows) for rows in sets]
    most = most_of(sum(size))

    def root(number: int) -> int:
        while above[number] != number:
            above[number] = number = above[above[number]]
        return number

    def join(roots: Sequence[int]) -> None:
        for other in roots[1:]:
            above[other] = roots[0]
            size[roots[0]] += size[other]

    for tie in always:
        join(sorted({root(number) for number in tie}))
    left = []
    for tie in small:
        roots = sorted({root(number) for number in tie})
        if len(roots) > 1 and sum(size[number] for number in roots) > most:
            left.append(tie)
        else:
            join(roots)
    groups: dict[int, list[int]] = defaultdict(list)
    for number, rows in enumerate(sets):
        groups[root(number)].extend(rows)
    return [sorted(rows) for rows in groups.values()], left


def either_way(one: str, other: str) -> tuple[str, str]:
    """Return two texts in an order of their own: a pair is the same whichever comes first."""
    return (one, other) if one <= other else (other, one)
