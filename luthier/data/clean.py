"""Find and drop what must not be learned from: empty rows, duplicates, contradictions, leaks between given splits."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from luthier.schema import Example, GoldAnswer, Span
from luthier.text import loose_key, normalize
from luthier.text.normalize import Form

Splits = dict[str, list[Example]]
"""``train``, ``valid``, ``test`` (those that were given) -> examples in the order of their file."""
Texts = tuple[str, str | None]
Target = tuple[str, ...] | tuple[Span, ...] | tuple[GoldAnswer, ...] | tuple[float]

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
    """``train in test`` and so on -> rows of the first that nearly equal a row of the second."""
    contradictions: list[Contradiction] = field(default_factory=list)


def texts_of(example: Example) -> Texts:
    """Return the text and its pair."""
    return example.text, example.text_b


def _target(example: Example) -> Target:
    """Return what a row is labelled with, in one order: its number, its answers, its spans or its labels."""
    if example.value is not None:
        return (example.value,)
    if example.answers is not None:
        return tuple(sorted(example.answers, key=lambda answer: (answer.text, answer.start or -1)))
    return tuple(sorted(example.labels or ())) if example.spans is None else tuple(sorted(example.spans))


def loose_of(example: Example) -> str:
    """Return the key that nearly equal rows share."""
    key = loose_key(example.text)
    return key if example.text_b is None else f"{key}\n{loose_key(example.text_b)}"


def together_of(example: Example) -> str:
    """Return the key that rows share which must stand in one split: of questions their context, else ``loose_of``."""
    return loose_of(example) if example.answers is None else loose_key(example.text_b or "")


def label_of(example: Example) -> str:
    """Return the label of a row in one line, its spans or its number."""
    if example.value is not None:
        return f"{example.value:.10g}"
    if example.spans is None:
        return (example.labels or ("",))[0]
    return "; ".join(f"{span.label} {span.start}-{span.end}" for span in example.spans) or "-"


def normalized(examples: Iterable[Example], form: Form, found: Found) -> list[Example]:
    """Give every text its normal form and leave out the rows without text (of a pair: without either).

    A text with marked spans stays as it came, for they are counted in it; so does a question with its context.
    """
    kept: list[Example] = []
    for example in examples:
        text = normalize(example.text, form)
        text_b = None if example.text_b is None else normalize(example.text_b, form)
        if not text.strip() or (text_b is not None and not text_b.strip()):
            found.empty += 1
        elif example.spans is not None or example.answers is not None or (text, text_b) == texts_of(example):
            kept.append(example)
        else:
            found.normalized += 1
            kept.append(replace(example, text=text, text_b=text_b))
    return kept


def distinct(examples: Sequence[Example], found: Found, *, drop: bool) -> list[Example]:
    """Keep the first of rows with the same texts and labels (or spans); without ``drop`` only count the others."""
    seen: set[tuple[Texts, Target]] = set()
    kept: list[Example] = []
    for example in examples:
        key = (texts_of(example), _target(example))
        if key in seen:
            found.duplicates += 1
        else:
            seen.add(key)
        if not drop or len(kept) < len(seen):
            kept.append(example)
    return kept


def consistent(split: str, examples: Sequence[Example], found: Found, *, drop: bool) -> list[Example]:
    """Set aside all rows of each text with different labels or spans; without ``drop`` only count them."""
    rows = _contradictory(split, examples, found)
    return [example for example in examples if texts_of(example) not in rows] if drop else list(examples)


def averaged(split: str, examples: Sequence[Example], found: Found, *, drop: bool, whole: bool) -> list[Example]:
    """Give each text with different numbers their mean, in the place of its first; without ``drop`` only count them.

    Two people who give one text 3 and 4 do not contradict each other as two different labels do: the mean is what
    squared errors ask of a model anyway, and leaving the rows out would leave out what is hard.

    Args:
        split: name for the report.
        examples: rows with numbers.
        found: gets the counts.
        drop: whether to change anything.
        whole: whether the numbers are whole everywhere: then so is the mean, rounded, that it may still be a grade.
    """
    rows = _contradictory(split, examples, found)
    if not drop:
        return list(examples)
    means = {texts: math.fsum(one.value or 0.0 for one in members) / len(members) for texts, members in rows.items()}
    first = {texts: members[0].id for texts, members in rows.items()}
    kept = []
    for example in examples:
        mean = means.get(texts_of(example))
        if mean is None:
            kept.append(example)
        elif first[texts_of(example)] == example.id:
            kept.append(replace(example, value=float(round(mean)) if whole else mean))
    return kept


def _contradictory(split: str, examples: Sequence[Example], found: Found) -> dict[Texts, list[Example]]:
    """Count the texts with several targets and return the rows of each."""
    labels: dict[Texts, set[Target]] = defaultdict(set)
    for example in examples:
        labels[texts_of(example)].add(_target(example))
    rows: dict[Texts, list[Example]] = {texts: [] for texts, kinds in labels.items() if len(kinds) > 1}
    for example in examples:
        if texts_of(example) in rows:
            rows[texts_of(example)].append(example)
    found.contradictory_texts += len(rows)
    found.contradictory_rows += sum(map(len, rows.values()))
    for (text, text_b), members in list(rows.items())[:max(0, CONTRADICTIONS_KEPT - len(found.contradictions))]:
        found.contradictions.append(Contradiction(split, text, text_b, tuple(one.id for one in members),
                                                  tuple(map(label_of, members))))
    return rows


def without_leaks(splits: Splits, found: Found, *, drop: bool) -> Splits:
    """Drop train rows that nearly equal a row of valid or test, and valid rows that nearly equal one of test.

    The later split keeps its row, because its score is the one that counts. Without ``drop`` they are only counted.
    """
    if len(splits) == 1:
        return splits
    keys = {name: [loose_of(example) for example in examples] for name, examples in splits.items()}
    for early, late in (("valid", "test"), ("train", "test"), ("train", "valid")):
        if early not in splits or late not in splits:
            continue
        seen = set(keys[late])
        leaking = [key in seen for key in keys[early]]
        found.leaks[f"{early} in {late}"] = sum(leaking)
        if drop:
            splits = {**splits, early: [one for one, leaks in zip(splits[early], leaking, strict=True) if not leaks]}
            keys[early] = [key for key, leaks in zip(keys[early], leaking, strict=True) if not leaks]
    return splits


def count_near_duplicates(examples: Iterable[Example], found: Found) -> None:
    """Count groups of rows that differ only in case, width, punctuation and spaces."""
    sizes = [size for size in Counter(map(loose_of, examples)).values() if size > 1]
    found.near_duplicate_groups, found.near_duplicate_rows = len(sizes), sum(sizes)
