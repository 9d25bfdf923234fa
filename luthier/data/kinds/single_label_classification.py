"""One label for a text or a pair of texts; also whatever is read without labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from luthier.data import classes, clean, split
from luthier.data.cells import numbers
from luthier.data.cells.labels import natural_order
from luthier.data.cells.paths import separator_in
from luthier.data.cells.texts import label_cell, texts_of_row
from luthier.data.clean import Found, Splits
from luthier.data.columns import dialogues, targets
from luthier.data.columns.relations import unread
from luthier.data.columns.texts import find_texts
from luthier.data.counting import counted, counts_line, levels_told, rare
from luthier.data.kind import BY_NOTHING
from luthier.data.layout_values import Layout, Seen
from luthier.data.names import plain
from luthier.data.report import DataReport
from luthier.data.rows import Record
from luthier.errors import DataError
from luthier.schema import Example, LabelSet, ProblemType

PROBLEM: ProblemType = "single_label_classification"
TASK = classes.TASK
SURENESS = BY_NOTHING
OWN_INPUT = False
REPEATED = ("contradictory labels", "left out")
NONE_LEFT = split.NONE_LEFT

_TWO = 2
"""Numbers that are two classes, whatever they are called."""
_MANY_LABELS = 0.5
"""Labels per row from which the label column is probably the wrong one."""

from_memory = classes.from_memory
normal = clean.normal_texts
target = classes.target
sampled = split.sample
divided = split.stratified


def find(seen: Seen, task: str | None, *, labelled: bool) -> Layout | None:
    """Take what no other kind has taken: a column of text and one of labels."""
    if labelled and task not in (None, TASK):
        return None
    layout = find_texts(seen, task, labelled=labelled)
    if layout.label is None:
        return layout
    if task is not None:
        return replace(layout, problem_type=PROBLEM)
    notes = (*layout.notes, *unread(seen), *targets.passed_over(seen), *dialogues.passed_over(seen))
    return replace(layout, problem_type=PROBLEM, notes=(*notes, *_maybe_grades(seen, layout.label)))


def _maybe_grades(seen: Seen, label: str) -> list[str]:
    """Return what to say of labels that are numbers, and may be more than names."""
    values = numbers.numbers_in(seen.rows, label)
    if values is None:
        return []
    instead = "--task regression learns how far apart they are"
    if numbers.consecutive(values):
        return [f"the labels in {label!r} are whole numbers without a gap: if they are grades, {instead}"]
    if len(set(values)) > _TWO and numbers.are_called_grades(label):
        return [f"the {len(set(values))} labels in {label!r} are numbers: if they are grades or amounts, {instead}"]
    return []


def example(record: Record, layout: Layout, name: str) -> Example:
    """Make an example of a text or a pair, and of the one label in its cell."""
    text, text_b = texts_of_row(record.values, layout)
    if layout.label is None:
        return Example(name, text, text_b)
    cell = label_cell(record.values, layout.label)
    if isinstance(cell, list):
        raise ValueError(f"{layout.label!r}: expected one label, came a list of {len(cell)}")
    if cell == "-" and plain(layout.label) == "goldlabel":  # as SNLI and MNLI have it
        raise ValueError(f"{layout.label!r} is '-': those who labelled the row did not agree")
    names = classes.one_name(cell)
    if names is None:
        raise ValueError(f"{layout.label!r} is empty: the row has no label")
    return Example(name, text, text_b, names)


def unlearnable(_row: Example) -> None:
    """Learn from every row."""


def check(split: str, rows: Sequence[Example]) -> None:
    """Refuse rows that do not have exactly one label."""
    classes.check_labelled(split, rows)
    several = [row.id for row in rows if len(row.labels or ()) != 1]
    if several:
        raise DataError(f"{split}: {len(several)} rows do not have exactly one label, such as {', '.join(several[:3])}",
                        "tell how several labels are written: --label-separator ';' (or lists in JSON)")


def settled(splits: Splits, found: Found, *, drop: bool) -> Splits:
    """Set aside all rows of a text with different labels: one of them is wrong, and nobody knows which."""
    return clean.consistent(splits, target, lambda row: (row.labels or ("",))[0], found, drop=drop)


def label_names(rows: Sequence[Example], _called: str) -> tuple[str, ...]:
    """Return the labels of the rows; refuse fewer than two, or nearly as many as rows."""
    counts = classes.at_least_two(rows)
    if len(counts) > _MANY_LABELS * len(rows):
        few = ", ".join(repr(name) for name in list(counts)[:3])
        raise DataError(f"{len(counts):,} different labels in {len(rows):,} rows ({few}, …): that is no label to learn",
                        "name the right column: --label COLUMN; numbers are learned with --task regression")
    return natural_order(counts)


def label_set(names: tuple[str, ...], _rows: Sequence[Example]) -> LabelSet:
    """Return the names as a label set, of paths where they look like such."""
    return LabelSet(names, PROBLEM, path_separator=separator_in(names))


def hashed(_row: Example) -> list[object]:
    """Return nothing: the labels are hashed of every kind."""
    return []


def remarks(splits: Splits, labels: LabelSet) -> list[str]:
    """Name labels of few rows, and labels that look like several in one cell."""
    separator = _separator_within(labels.names)
    return rare(splits, labels) + levels_told(labels) + ([] if separator is None else [
        f"some labels look like several in one cell, such as {separator[1]!r}: if so, run again with "
        f"--label-separator {separator[0]!r}"])


def described(splits: Splits, labels: LabelSet) -> dict[str, Any]:
    """Count the labels."""
    return counted(splits, labels)


def lines(report: DataReport) -> list[str]:
    """Tell the commonest labels."""
    return [counts_line(report, "labels, rows in train")]


def _separator_within(names: Sequence[str]) -> tuple[str, str] | None:
    """Return what seems to stand between several labels, with an example: all parts are labels and there are fewer."""
    for separator in (";", "|", "；", "、", "，", ","):
        joined = [name for name in names if separator in name]
        parts = {part.strip() for name in names for part in name.split(separator)}
        if len(joined) >= 2 and len(parts) < len(names):
            return separator, joined[0]
    return None
