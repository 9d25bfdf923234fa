"""Conversations that begin others, as where one is written out turn by turn: a row for each answer.

A row holds what was said and the answer; a longer one that begins with all of it holds its answer, too. Turns are
compared without case, width, punctuation and spaces, as rows are.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from luthier.data.clean import Found
from luthier.data.ties import Ties, alike, joined, most_of
from luthier.schema import Example
from luthier.text import loose_key

Node = int
"""What was said up to a turn: equal for conversations that are the same so far."""


class _Tree:
    """What is said after what, over all rows that it was shown."""

    def __init__(self) -> None:
        self._nodes: dict[tuple[Node, str, str], Node] = {}

    def path(self, row: Example) -> list[Node]:
        """Return a node for each turn of a row; the last is behind its answer, the one before behind its prompt."""
        turns = [(turn.role, turn.content) for turn in row.conversation.turns] if row.conversation else []
        at, path = 0, []
        for role, content in (*turns, ("assistant", (row.targets or ("",))[0])):
            at = self._nodes.setdefault((at, role, loose_key(content)), len(self._nodes) + 1)
            path.append(at)
        return path


def ties(rows: Sequence[Example]) -> Ties:
    """Return which conversations stand in one split.

    Those with one prompt do, and one with the conversation that goes on from it. Where several go on differently, all
    of them do while they are few; where they are many, as after a greeting, what they begin with stands in the first
    split, where it is learned and not asked.
    """
    tree = _Tree()
    paths = [tree.path(row) for row in rows]
    sets = alike([path[-2] if len(path) > 1 else 0 for path in paths])
    of_row = {row: number for number, members in enumerate(sets) for row in members}
    whose = {path[-1]: of_row[row] for row, path in enumerate(paths)}
    below: dict[int, dict[int, None]] = defaultdict(dict)
    for row, path in enumerate(paths):
        for node in path[:-1]:
            if node in whose and whose[node] != of_row[row]:
                below[whose[node]][of_row[row]] = None
    ends = {number: [other for other in further if other not in below] for number, further in below.items()}
    depth = {number: len(paths[sets[number][0]]) for number in ends}
    forks = sorted((number for number in ends if len(ends[number]) > 1), key=lambda number: -depth[number])
    groups, left = joined(sets, [(number, *last) for number, last in ends.items() if len(last) == 1],
                          [(number, *ends[number]) for number in forks])
    begin = {row for tie in left for row in sets[tie[0]]}
    first = frozenset(number for number, members in enumerate(groups) if not begin.isdisjoint(members))
    told = (f"{len(begin):,} rows are beginnings from which many conversations go on differently, as from a greeting: "
            "they stand in train, and their conversations in any split",) if begin else ()
    return Ties(groups, first, told)


def leaking(early: Sequence[Example], late: Sequence[Example], found: Found) -> list[bool]:
    """Tell which early rows have the prompt of a late row, or hold it with its answer.

    A late row with which more early conversations begin than a tie may bring together is a greeting or the like: they
    are kept, and told.
    """
    tree = _Tree()
    paths = [tree.path(row) for row in late]
    prompts, whole = {path[-2] for path in paths if len(path) > 1}, {path[-1] for path in paths}
    early_paths = [tree.path(row) for row in early]
    inner = {node for path in early_paths for node in path[:-1]}
    ends = {path[-1]: path for path in early_paths if path[-1] not in inner}
    begun = Counter(node for path in ends.values() for node in path if node in whole)
    common = {node for node, count in begun.items() if count > most_of(len(ends))}
    if common:
        found.notes.append(
            f"{sum(path[-1] in common for path in paths):,} rows are beginnings, such as greetings, that "
            f"{sum(not common.isdisjoint(path) for path in early_paths):,} rows of an earlier split have: both are "
            "kept, so their answers are learned")
    return [path[-2] in prompts or not (whole - common).isdisjoint(path) if len(path) > 1 else False
            for path in early_paths]
