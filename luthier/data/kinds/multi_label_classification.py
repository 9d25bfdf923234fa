"""Any number of labels, or none, for a text or a pair of texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from luthier.data import classes, clean, split
from luthier.data.cells.flags import are_flags, flag, flagged
from luthier.data.cells.labels import as_list, natural_order
from luthier.data.cells.labels import label_names as names_in
from luthier.data.cells.paths import columns_in, separator_in
from luthier.data.cells.texts import label_cell, texts_of_row
from luthier.data.clean import Found, Splits
from luthier.data.columns.texts import find_texts
from luthier.data.counting import counted, counts_line, levels_told, rare
from luthier.data.kind import BY_VALUES
from luthier.data.layout_values import Layout, Seen
from luthier.data.names import shown
from luthier.data.report import DataReport
from luthier.data.rows import Record
from luthier.errors import DataError
from luthier.schema import Example, LabelSet, ProblemType

PROBLEM: ProblemType = "multi_label_classification"
TASK = classes.TASK
SURENESS = BY_VALUES
OWN_INPUT = False
REPEATED = ("contradictory labels", "left out")
NONE_LEFT = split.NONE_LEFT

from_memory = classes.from_memory
normal = clean.normal_texts
check = classes.check_labelled
target = classes.target
sampled = split.sample
divided = split.stratified


def find(seen: Seen, task: str | None, *, labelled: bool) -> Layout | None:
    """Take files whose label cells are lists, or are said to be cut by a separator; commas are not enough."""
    if task not in (None, TASK):
        return None
    layout = find_texts(seen, task, labelled=labelled)
    if layout.label is None:
        return None
    columns = [] if layout.label in seen.present else columns_in(layout.label)
    if len(columns) > 1:
        if not all(are_flags(seen.rows, column) for column in columns):
            return None  # levels of one label
        return replace(layout, problem_type=PROBLEM, one_hot=True, notes=(
            *layout.notes, f"a row may carry several labels: {shown(columns)} say of each whether it applies"))
    if layout.label_separator is not None:
        told = [f"a row may carry several labels, with {layout.label_separator!r} between them"]
    else:
        cells = [cell for row in seen.rows if (cell := row.get(layout.label)) not in (None, "")]
        every = bool(cells) and all(as_list(cell) is not None for cell in cells)
        if not every and not any(isinstance(cell, list) for cell in cells):
            return None
        _refuse_places(layout, cells)
        told = [f"a row may carry several labels: the cells of {layout.label!r} are lists"] if every else []
    return replace(layout, problem_type=PROBLEM, notes=(*layout.notes, *told))


def _refuse_places(layout: Layout, cells: Sequence[Any]) -> None:
    """Refuse lists with a 0 or 1 for each label, whose names they do not tell.

    Raises:
        DataError: names the column.
    """
    lists = [as_list(cell) or [] for cell in cells]
    repeated = any(len(set(map(str, one))) < len(one) for one in lists)
    if repeated and len(set(map(len, lists))) == 1 and all(flag(member) is not None for one in lists for member in one):
        raise DataError(f"{layout.path}: the lists in column {layout.label!r} say 0 or 1 of {len(lists[0])} labels, "
                        "and not what these are called",
                        'write the names of those that apply, such as ["late", "damaged"], or a column of 0 and 1 for '
                        "each: --label late,damaged")


def example(record: Record, layout: Layout, name: str) -> Example:
    """Make an example of a text or a pair, and of all labels in its cell."""
    text, text_b = texts_of_row(record.values, layout)
    if layout.label is None:
        return Example(name, text, text_b)
    if layout.one_hot:
        return Example(name, text, text_b, flagged(record.values, layout.label))
    names = names_in(label_cell(record.values, layout.label), layout.label_separator)
    if names is None:
        raise ValueError(f"{layout.label!r} is empty: the row has no label")
    return Example(name, text, text_b, names)


def unlearnable(_row: Example) -> None:
    """Learn from every row."""


def settled(splits: Splits, _found: Found, *, drop: bool) -> Splits:  # noqa: ARG001  (nothing is dropped)
    """Keep all rows of a text: different labels of it are all its labels."""
    return splits


def label_names(rows: Sequence[Example], _called: str) -> tuple[str, ...]:
    """Return the labels of the rows; refuse rows that all carry the same."""
    return natural_order(classes.at_least_two(rows))


def label_set(names: tuple[str, ...], _rows: Sequence[Example]) -> LabelSet:
    """Return the names as a label set, of paths where they look like such."""
    return LabelSet(names, PROBLEM, path_separator=separator_in(names))


def hashed(_row: Example) -> list[object]:
    """Return nothing: the labels are hashed of every kind."""
    return []


def remarks(splits: Splits, labels: LabelSet) -> list[str]:
    """Name labels of few rows."""
    return rare(splits, labels) + levels_told(labels)


def described(splits: Splits, labels: LabelSet) -> dict[str, Any]:
    """Count the labels."""
    return counted(splits, labels)


def lines(report: DataReport) -> list[str]:
    """Tell the commonest labels."""
    return [counts_line(report, "labels (several a row), rows in train")]
