"""A number for a text or for a pair of texts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from luthier.data import clean, split
from luthier.data.cells import numbers
from luthier.data.cells.texts import texts_in_memory, texts_of_row
from luthier.data.clean import Found, Splits
from luthier.data.columns.texts import find_texts
from luthier.data.kind import BY_VALUES
from luthier.data.layout_values import Layout, Seen
from luthier.data.report import DataReport
from luthier.data.rows import Record
from luthier.data.split import Division
from luthier.errors import DataError
from luthier.schema import Example, LabelSet, ProblemType
from luthier.text.figures import amount

PROBLEM: ProblemType = "regression"
TASK = "regression"
SURENESS = BY_VALUES
OWN_INPUT = False
REPEATED = ("different numbers", "averaged to one a text")
NONE_LEFT = split.NONE_LEFT

normal = clean.normal_texts



def find(seen: Seen, task: str | None, *, labelled: bool) -> Layout | None:
    """Take files whose labels are numbers that are surely no classes, or any numbers where regression is asked for."""
    if task not in (None, TASK):
        return None
    layout = find_texts(seen, task, labelled=labelled, numeric=task == TASK)
    label = layout.label
    if label is None:
        return None
    if task == TASK:
        _check_numbers(seen, label)
        return replace(layout, problem_type=PROBLEM)
    found = None if layout.label_separator is not None else numbers.numbers_in(seen.rows, label, share=numbers.MOST)
    if found is None or not numbers.are_amounts(found):
        return None
    return replace(layout, problem_type=PROBLEM, notes=(
        *layout.notes, f"column {label!r} holds {len(set(found))} different numbers, not all whole: they are "
                       "learned as numbers (--task text-classification takes each for a class)"))


def example(record: Record, layout: Layout, name: str) -> Example:
    """Make an example of a text or a pair, and of the number in its cell."""
    text, text_b = texts_of_row(record.values, layout)
    if layout.label is None:
        return Example(name, text, text_b)
    try:
        return Example(name, text, text_b, value=numbers.number_of(record.values.get(layout.label)))
    except ValueError as error:
        raise ValueError(f"{layout.label!r}: {error}") from None


def from_memory(row: Any, label: Any, name: str, *, labelled: bool) -> Example:
    """Make an example of a text (or pair) and a number."""
    text, text_b = texts_in_memory(row)
    try:
        return Example(name, text, text_b, value=numbers.number_of(label) if labelled else None)
    except ValueError as error:
        raise DataError(str(error), "give a finite number for each text") from None


def unlearnable(_row: Example) -> None:
    """Learn from every row."""


def check(_split: str, rows: Sequence[Example]) -> None:
    """Refuse rows without a finite number."""
    numbers.values_of(rows)


def target(row: Example) -> tuple[float | None]:
    """Return the number."""
    return (row.value,)


def settled(splits: Splits, found: Found, *, drop: bool) -> Splits:
    """Give each text with different numbers their mean, in the place of its first row.

    Two people who give one text 3 and 4 do not contradict each other as two different labels do: the mean is what
    squared errors ask of a model anyway, and leaving the rows out would leave out what is hard. Where all numbers are
    whole, so is the mean, rounded, that it may still be a grade.
    """
    whole = numbers.whole(numbers.values_of([row for rows in splits.values() for row in rows]).tolist())
    return {name: _averaged(name, rows, found, drop=drop, whole=whole) for name, rows in splits.items()}


def sampled(rows: Sequence[Example], size: int, seed: int) -> list[Example]:
    """Return ``size`` rows in their order, with every quantile of the numbers in its share."""
    return numbers.unbinned(split.sample(numbers.binned(rows), size, seed))


def divided(rows: Sequence[Example], shares: Mapping[str, float], seed: int) -> Division:
    """Split the rows, every quantile of the numbers in its share everywhere."""
    found = split.stratified(numbers.binned(rows), shares, seed)
    return found._replace(parts={name: numbers.unbinned(part) for name, part in found.parts.items()}, whole=[])


def label_names(_rows: Sequence[Example], called: str) -> tuple[str, ...]:
    """Return the one name that the number has: that of its column."""
    return (called,)


def label_set(names: tuple[str, ...], rows: Sequence[Example]) -> LabelSet:
    """Return the name with mean, deviation and grades of the rows; refuse numbers that are all the same."""
    return LabelSet(names, PROBLEM, numbers.scale_of(rows))


def hashed(row: Example) -> list[object]:
    """Return the number."""
    return [row.value]


def remarks(_splits: Splits, _labels: LabelSet) -> list[str]:
    """Say nothing: numbers have no rare labels."""
    return []


def described(splits: Splits, _labels: LabelSet) -> dict[str, Any]:
    """Describe the numbers of each split."""
    return {"values": {name: numbers.described(rows) for name, rows in splits.items()}}


def lines(report: DataReport) -> list[str]:
    """Tell range, mean and deviation of the numbers."""
    told = (f"{name} {amount(one['min'], digits=6)} to {amount(one['max'], digits=6)}, mean {amount(one['mean'])}, "
            f"deviation {amount(one['deviation'])}" for name, one in report.values.items())
    return [f"numbers: {'; '.join(told)}"]


def _check_numbers(seen: Seen, label: str) -> None:
    """Refuse a column that holds no number, or is said to hold several in a cell."""
    if seen.columns.label_separator is not None:
        raise DataError(f"{seen.path}: a text has one number, and {seen.columns.label_separator!r} stands between "
                        "several labels", "leave --label-separator out")
    if not any(numbers.numbers_in([row], label) for row in seen.rows):
        cell = next((cell for row in seen.rows if (cell := row.get(label)) not in (None, "")), None)
        raise DataError(f"{seen.path}: column {label!r} holds no numbers, which regression learns, but such as "
                        f"{str(cell)[:40]!r}",
                        "write plain numbers such as 12.5, without currencies, percent signs and commas, or name "
                        "another column: --label COLUMN")


def _averaged(name: str, rows: Sequence[Example], found: Found, *, drop: bool, whole: bool) -> list[Example]:
    several = clean.contradictory(name, rows, target, lambda row: f"{row.value:.10g}", found)
    if not drop:
        return list(rows)
    means = {texts: math.fsum(one.value or 0.0 for one in same) / len(same) for texts, same in several.items()}
    first = {texts: same[0].id for texts, same in several.items()}
    kept = []
    for row in rows:
        mean = means.get(clean.texts_of(row))
        if mean is None:
            kept.append(row)
        elif first[clean.texts_of(row)] == row.id:
            kept.append(replace(row, value=float(round(mean)) if whole else mean))
    return kept
