"""Cut rows into splits: every label in its share everywhere, and nearly equal rows together.

Greedy stratification after Sechidis, Tsoumakas and Vlahavas, "On the Stratification of Multi-label Data" (2011): the
rarest label is dealt out first, each group of rows to the split that lacks most of that label. Here a group is what
shares a loose key, or of questions an article or a context, or is tied together (``data/ties.py``), and the shares are
whole numbers of rows.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from luthier.data.clean import loose_of
from luthier.data.ties import Ties, alike
from luthier.schema import Example

_NO_LABEL = ""
"""Stands for the label of rows that are labelled with nothing; no real label is empty."""
_LEAST_GROUPS = 3
"""Articles from which each stands in one split, with all of its contexts."""

NONE_LEFT = ("no row is left for {name}: too few rows of each label",
             "label more rows of each label, or give a file for it: --{name} FILE")
"""What is wrong, and what mends it, where a split got no row."""


class Division(NamedTuple):
    """Rows cut into splits."""

    parts: dict[str, list[Example]]
    """Split -> its rows in their order; disjoint and complete."""
    whole: list[str]
    """Labels too rare to be split."""
    notes: list[str]
    """What a person should know of it, in sentences."""


def stratified(examples: Sequence[Example], shares: Mapping[str, float], seed: int, *,
               together: Callable[[Example], str] = loose_of, ties: Ties | None = None) -> Division:
    """Split the rows by the shares.

    Args:
        examples: N rows.
        shares: split -> its share, summing to 1; a label with fewer groups than splits goes wholly to the first.
        seed: the same rows and seed give the same splits.
        together: gives the key that rows share which must stand in one split.
        ties: the groups of rows that must, where more than a key decides it.

    Returns:
        The splits. Without groups of several rows, each label is within one row of its share in every split (and has at
        least one row in each).
    """
    ties = ties or Ties(_groups(examples, together))
    groups = ties.groups
    kinds = [sorted({label for row in group for label in _labels(examples[row])}) for group in groups]
    by_label: dict[str, list[int]] = defaultdict(list)
    for number, labels in enumerate(kinds):
        for label in labels:
            by_label[label].append(number)
    wanted, whole = _targets(examples, by_label, shares)
    where = dict.fromkeys(sorted(ties.first), next(iter(shares)))
    generator = random.Random(seed)  # noqa: S311  (reproducible, not secret)
    left = sum(len(group) for group in groups)
    room = {split: share * left for split, share in shares.items()}
    for number, split in where.items():
        _place(split, groups[number], examples, wanted, room)
    for label in sorted(by_label, key=lambda name: (len(by_label[name]), name)):
        members = [number for number in by_label[label] if number not in where]
        generator.shuffle(members)
        members.sort(key=lambda number: -len(groups[number]))  # stable: large groups first, while there is room
        for number in members:
            split = max(shares, key=lambda name: (wanted[name][label], room[name]))
            where[number] = split
            _place(split, groups[number], examples, wanted, room)
    found: dict[str, list[int]] = {split: [] for split in shares}
    for number, split in where.items():
        found[split].extend(groups[number])
    parts = {split: [examples[row] for row in sorted(rows)] for split, rows in found.items()}
    return Division(parts, whole, [*ties.notes, *_large(groups, shares)])


def sample(examples: Sequence[Example], size: int, seed: int) -> list[Example]:
    """Return ``size`` rows in their order, with every label in its share (at least one row each, if they fit)."""
    if len(examples) <= size:
        return list(examples)
    strata: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for number, example in enumerate(examples):
        strata[_labels(example)].append(number)
    generator = random.Random(seed)  # noqa: S311  (reproducible, not secret)
    least = 1 if len(strata) <= size else 0
    ideal = {kind: size * len(rows) / len(examples) for kind, rows in strata.items()}
    counts = {kind: max(least, int(share)) for kind, share in ideal.items()}
    _settle(counts, ideal, size, least)
    chosen: list[int] = []
    for kind, rows in sorted(strata.items()):
        chosen.extend(generator.sample(rows, counts[kind]))
    return [examples[number] for number in sorted(chosen)]


def _place(split: str, group: Sequence[int], examples: Sequence[Example], wanted: Mapping[str, Counter[str]],
           room: dict[str, float]) -> None:
    """Take a group of rows off what a split lacks."""
    room[split] -= len(group)
    for row in group:
        wanted[split].subtract(_labels(examples[row]))


def _large(groups: Sequence[Sequence[int]], shares: Mapping[str, float]) -> list[str]:
    """Say that a group is larger than the smallest split should be."""
    rows, largest = sum(map(len, groups)), max(map(len, groups), default=0)
    if largest <= min(shares.values()) * rows:
        return []
    return [f"{largest:,} of {rows:,} rows share what tells their answers and stand in one split, which is more than "
            f"the {min(shares.values()):.0%} that a split should have: the shares are rough"]


def _settle(counts: dict[tuple[str, ...], int], ideal: Mapping[tuple[str, ...], float], size: int, least: int) -> None:
    """Add or take single rows, where the ideal is farthest, until the counts sum to ``size``."""
    while (missing := size - sum(counts.values())) != 0:
        step = 1 if missing > 0 else -1
        able = [kind for kind in counts if step > 0 or counts[kind] > least]
        able.sort(key=lambda kind: (step * (counts[kind] - ideal[kind]), kind))
        for kind in able[:abs(missing)]:
            counts[kind] += step


def _groups(examples: Sequence[Example], together: Callable[[Example], str]) -> list[list[int]]:
    named = {example.group for example in examples if example.group is not None}
    # Too few articles cannot be dealt out: then each of their contexts stands in one split.
    return alike([f"{example.group}\n" if example.group and len(named) >= _LEAST_GROUPS else together(example)
                  for example in examples])


def _labels(example: Example) -> tuple[str, ...]:
    return example.labels or tuple(sorted(set(example.label_names))) or (_NO_LABEL,)


def _targets(examples: Sequence[Example], by_label: Mapping[str, list[int]],
             shares: Mapping[str, float]) -> tuple[dict[str, Counter[str]], list[str]]:
    """Return for each split how many rows of each label it should get, and the labels that stay whole."""
    rows = Counter(label for example in examples for label in _labels(example))
    wanted: dict[str, Counter[str]] = {split: Counter() for split in shares}
    carried = dict.fromkeys(shares, 0.0)
    whole = []
    first = next(iter(shares))
    for label, count in sorted(rows.items(), key=lambda item: (item[1], item[0])):
        if len(by_label[label]) < len(shares):
            whole.append(label)
            wanted[first][label] = count
            continue
        for split, number in _apportion(count, shares, carried).items():
            wanted[split][label] = number
    return wanted, [label for label in whole if label != _NO_LABEL]


def _apportion(count: int, shares: Mapping[str, float], carried: dict[str, float]) -> dict[str, int]:
    """Cut ``count`` rows into whole numbers, at least one each; later labels make good what rounding cost a split."""
    ideal = {split: share * count for split, share in shares.items()}
    parts = {split: max(1, int(part + 1e-9)) for split, part in ideal.items()}
    while sum(parts.values()) < count:
        behind = [split for split in shares if parts[split] < ideal[split]]
        parts[max(behind or shares, key=lambda split: ideal[split] - parts[split] + carried[split])] += 1
    while sum(parts.values()) > count:
        parts[max(shares, key=lambda split: (parts[split] > 1, parts[split] - ideal[split]))] -= 1
    for split in shares:
        carried[split] += ideal[split] - parts[split]
    return parts
