"""Two marked stretches of a text, and the relation that holds between them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from luthier.data import classes, clean, split
from luthier.data.cells.arguments import marked_row
from luthier.data.cells.labels import natural_order
from luthier.data.cells.relation_names import negative_of
from luthier.data.cells.relations import placed
from luthier.data.cells.texts import label_cell
from luthier.data.clean import Found, Splits
from luthier.data.columns.relations import RELATIONS, find_related
from luthier.data.counting import counted, counts_line, rare
from luthier.data.kind import BY_KEYS
from luthier.data.layout_values import Layout
from luthier.data.report import DataReport
from luthier.data.rows import Record
from luthier.errors import DataError
from luthier.schema import Example, LabelSet, Marked, ProblemType
from luthier.text import check_marked, marked
from luthier.text.marks import FORM

PROBLEM: ProblemType = "relation_classification"
TASK = RELATIONS
SURENESS = BY_KEYS
OWN_INPUT = True
REPEATED = ("contradictory relations of the same stretches", "left out")
NONE_LEFT = split.NONE_LEFT

find = find_related
normal = clean.texts_as_they_came
sampled = split.sample
divided = split.stratified


def example(record: Record, layout: Layout, name: str) -> Example:
    """Make an example of a text, which stays as it came, or is joined from its tokens, its two stretches and label."""
    row = marked_row(record.values, layout)
    labels = None
    if layout.label is not None:
        labels = classes.one_name(label_cell(record.values, layout.label))
        if labels is None:
            raise ValueError(f"{layout.label!r} is empty: the row has no relation; name the class of pairs without one")
    return Example(name, row.text, labels=labels, arguments=(row.head, row.tail))


def from_memory(row: Any, label: Any, name: str, *, labelled: bool) -> Example:
    """Make an example of a ``Marked`` text, its JSON form, or a text with its head and tail, and of a label."""
    try:
        found = _marked(row)
    except ValueError as error:
        raise DataError(str(error), f"give {FORM}, or luthier.schema.Marked") from None
    names = classes.one_name(label) if labelled else None
    if labelled and names is None:
        raise DataError(f"the relation is missing ({label!r})", "label the row, also where no relation holds")
    return Example(name, found.text, labels=names, arguments=(found.head, found.tail))


def unlearnable(_row: Example) -> None:
    """Learn from every row."""


def check(split: str, rows: Sequence[Example]) -> None:
    """Refuse rows without marked stretches, or without exactly one relation."""
    classes.check_labelled(split, rows)
    bare = [row.id for row in rows if row.arguments is None or len(row.labels or ()) != 1]
    if bare:
        raise DataError(f"{split}: {len(bare)} rows do not have two marked stretches and one relation, such as "
                        f"{', '.join(bare[:3])}", "mark head and tail of each row, and give it one label")


def target(row: Example) -> Hashable:
    """Return the stretches and the relation."""
    return row.arguments, row.labels


def settled(splits: Splits, found: Found, *, drop: bool) -> Splits:
    """Set aside all rows of the same stretches of a text with different relations; of other stretches they differ."""
    return clean.consistent(splits, target, lambda row: (row.labels or ("",))[0], found, drop=drop,
                            same=lambda row: (row.text, row.arguments))


def label_names(rows: Sequence[Example], _called: str) -> tuple[str, ...]:
    """Return the relations; refuse rows that all carry the same."""
    return natural_order(classes.at_least_two(rows))


def label_set(names: tuple[str, ...], _rows: Sequence[Example]) -> LabelSet:
    """Return the relations as a label set, with the one that says that there is none."""
    return LabelSet(names, PROBLEM, negative=negative_of(names))


def hashed(row: Example) -> list[object]:
    """Return the stretches as they stand in the row."""
    return [[one.to_dict() for one in row.arguments or ()]]


def remarks(splits: Splits, labels: LabelSet) -> list[str]:
    """Say which label counts as none, and name relations of few rows."""
    told = "no label is taken for that of pairs without a relation" if labels.negative is None else (
        f"{labels.negative!r} is taken for the label of pairs without a relation")
    return [f"{told} (task.negative says otherwise): scores leave such a one out", *rare(splits, labels)]


def described(splits: Splits, labels: LabelSet) -> dict[str, Any]:
    """Count the relations."""
    return counted(splits, labels)


def lines(report: DataReport) -> list[str]:
    """Tell the commonest relations."""
    return [counts_line(report, "relations, rows in train")]


def _marked(row: Any) -> Marked:
    if isinstance(row, Marked):
        check_marked(row)
        return row
    if isinstance(row, Mapping):
        return marked(row)
    if isinstance(row, tuple | list) and len(row) == 3 and isinstance(row[0], str):
        return placed(row[0], row[1], row[2])
    raise ValueError(f"expected a text with two marked stretches, came {type(row).__name__}")
