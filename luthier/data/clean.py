"""Find and drop what must not be learned from: empty rows, duplicates, contradictions, leaks between given splits."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from luthier.data.ties import either_way
from luthier.schema import Example
from luthier.text import loose_key, normalize
from luthier.text.normalize import Form

Splits = dict[str, list[Example]]
"""``train``, ``valid``, ``test`` (those that were given) -> examples in the order of their file."""
Texts = tuple[str, str | None]
Target = Callable[[Example], Hashable]
"""Returns what a row is labelled with, in one order."""

Leaking = Callable[[Sequence[Example], Sequence[Example], "Found"], list[bool]]
"""Takes rows of an earlier and of a later split; returns for each early one whether it tells an answer of a late."""

CONTRADICTIONS_KEPT = 100
"""Contradictions told with their texts; all are counted."""


@dataclass(frozen=True, slots=True)
class Contradiction:
    """One text (or pair) with several labels."""

    split: str
    text: str
    text_b: str | None
    ids: tuple[str, ...]
    """The rows, in the order of the file."""
    labels: tuple[str, ...]
    """The label of each of these rows; of entities their spans in one line, ``-`` when the row has none."""


@dataclass(slots=True)
class Found:
    """What cleaning met, counted in rows unless it says otherwise."""

    normalized: int = 0
    """Rows whose text was changed by normalising."""
    empty: int = 0
    duplicates: int = 0
    contradictory_texts: int = 0
    """Texts with several labels."""
    contradictory_rows: int = 0
    near_duplicate_groups: int = 0
    """Groups of rows that differ only in case, width, punctuation and spaces."""
    near_duplicate_rows: int = 0
    """Rows in these groups."""
    leaks: dict[str, int] = field(default_factory=dict)
    """``train in test`` and so on -> rows of the first that nearly equal a row of the second, or hold its answer."""
    contradictions: list[Contradiction] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What else was met, in sentences."""


def texts_of(example: Example) -> Texts:
    """Return the text and its pair."""
    return example.text, example.text_b


def loose_of(example: Example) -> str:
    """Return the key that nearly equal rows share; a pair is the same whichever text comes first."""
    key = loose_key(example.text)
    return key if example.text_b is None else "\n".join(either_way(key, loose_key(example.text_b)))


def normal_texts(row: Example, form: Form) -> Example | None:
    """Return the row with its texts in their normal form; ``None`` without a text (of a pair: without either)."""
    text = normalize(row.text, form)
    text_b = None if row.text_b is None else normalize(row.text_b, form)
    if not text.strip() or (text_b is not None and not text_b.strip()):
        return None
    return row if (text, text_b) == texts_of(row) else replace(row, text=text, text_b=text_b)


def texts_as_they_came(row: Example, form: Form) -> Example | None:
    """Return the row as it is, because places are counted in its texts; ``None`` without a text."""
    return None if normal_texts(row, form) is None else row


def normalized(examples: Iterable[Example], normal: Callable[[Example], Example | None], found: Found) -> list[Example]:
    """Give every row its normal form and leave out those that have none, for they lack a text.

    Args:
        examples: N rows.
        normal: gives a row its form; the same object where nothing changes.
        found: gets the counts.
    """
    kept: list[Example] = []
    for example in examples:
        row = normal(example)
        found.empty += row is None
        found.normalized += row is not None and row is not example
        if row is not None:
            kept.append(row)
    return kept


def distinct(examples: Sequence[Example], target: Target, found: Found, *, drop: bool) -> list[Example]:
    """Keep the first of rows with the same texts and targets; without ``drop`` only count the others."""
    seen: set[tuple[Texts, Hashable]] = set()
    kept: list[Example] = []
    for example in examples:
        key = (texts_of(example), target(example))
        if key in seen:
            found.duplicates += 1
        else:
            seen.add(key)
        if not drop or len(kept) < len(seen):
            kept.append(example)
    return kept


def consistent(splits: Splits, target: Target, told: Callable[[Example], str], found: Found, *, drop: bool,
               same: Target = texts_of) -> Splits:
    """Set aside all rows of each text with different targets in one split; without ``drop`` only count them.

    Args:
        splits: the rows.
        target: what a row is labelled with.
        told: the same in one line, for the report.
        found: gets the counts.
        drop: whether to change anything.
        same: what rows share that are asked the same.
    """
    rows = {name: contradictory(name, examples, target, told, found, same=same) for name, examples in splits.items()}
    return {name: [one for one in examples if same(one) not in rows[name]] if drop else examples
            for name, examples in splits.items()}


def contradictory(split: str, examples: Sequence[Example], target: Target, told: Callable[[Example], str],
                  found: Found, *, same: Target = texts_of) -> dict[Hashable, list[Example]]:
    """Count the texts with several targets in a split, note them for the report, and return the rows of each."""
    labels: dict[Hashable, set[Hashable]] = defaultdict(set)
    for example in examples:
        labels[same(example)].add(target(example))
    rows: dict[Hashable, list[Example]] = {texts: [] for texts, kinds in labels.items() if len(kinds) > 1}
    for example in examples:
        if same(example) in rows:
            rows[same(example)].append(example)
    found.contradictory_texts += len(rows)
    found.contradictory_rows += sum(map(len, rows.values()))
    for members in list(rows.values())[:max(0, CONTRADICTIONS_KEPT - len(found.contradictions))]:
        found.contradictions.append(Contradiction(split, *texts_of(members[0]), tuple(one.id for one in members),
                                                  tuple(map(told, members))))
    return rows


def nearly_equal(early: Sequence[Example], late: Sequence[Example], _found: Found) -> list[bool]:
    """Tell which early rows nearly equal a late row."""
    seen = set(map(loose_of, late))
    return [loose_of(example) in seen for example in early]


def without_leaks(splits: Splits, found: Found, leaking: Leaking, *, drop: bool) -> Splits:
    """Drop train rows that tell an answer of valid or test, and valid rows that tell one of test.

    The later split keeps its row, because its score is the one that counts. Without ``drop`` they are only counted.

    Args:
        splits: the rows.
        found: gets the counts, added to those that it holds.
        leaking: says which rows tell an answer of others.
        drop: whether to change anything.
    """
    for early, late in (("valid", "test"), ("train", "test"), ("train", "valid")):
        if early not in splits or late not in splits:
            continue
        leaks = leaking(splits[early], splits[late], found)
        found.leaks[f"{early} in {late}"] = found.leaks.get(f"{early} in {late}", 0) + sum(leaks)
        if drop:
            splits = {**splits, early: [one for one, leak in zip(splits[early], leaks, strict=True) if not leak]}
    return splits


def count_near_duplicates(examples: Iterable[Example], found: Found) -> None:
    """Count groups of rows that differ only in case, width, punctuation and spaces."""
    sizes = [size for size in Counter(map(loose_of, examples)).values() if size > 1]
    found.near_duplicate_groups += len(sizes)
    found.near_duplicate_rows += sum(sizes)
