"""Texts, and for each one or more texts that may be written for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from luthier.data import both_ways, clean, split
from luthier.data.cells.labels import as_list
from luthier.data.cells.texts import check_characters, text_cell, texts_in_memory
from luthier.data.clean import Found, Splits
from luthier.data.columns.targets import (
    SOURCE_NAMES,
    TARGET_NAMES,
    TEXT_TO_TEXT,
    are_surely_texts,
    beside,
    cell_of,
    flat_columns,
    named_targets,
    unnamed_targets,
)
from luthier.data.columns.texts import asked_column, check_distinct, find_texts
from luthier.data.kind import BY_KEYS
from luthier.data.layout_values import Layout, Seen
from luthier.data.names import named, shown
from luthier.data.report import DataReport
from luthier.data.rows import Record
from luthier.data.split import Division
from luthier.errors import DataError
from luthier.schema import GENERATED, Example, LabelSet, ProblemType
from luthier.text import normalize
from luthier.text.normalize import Form

PROBLEM: ProblemType = "text_generation"
TASK = TEXT_TO_TEXT
SURENESS = BY_KEYS
OWN_INPUT = True
REPEATED = ("different targets", "kept")
NONE_LEFT = ("no row is left for {name}: rows of one source stay together",
             "give rows of more sources, or a file for it: --{name} FILE")

sampled = split.sample


def find(seen: Seen, task: str | None, *, labelled: bool) -> Layout | None:
    """Take files with columns of sources and targets."""
    if task not in (None, TASK):
        return None
    present = flat_columns(seen)
    pair = named_targets(present, asked=task == TASK)
    if task is None:
        if not labelled or pair is None or not _is_ours(seen, present, pair):
            return None
        layout = _layout(seen, *pair)
        return replace(layout, notes=(*layout.notes, *beside(seen, present, pair)))
    pair = pair or unnamed_targets(seen, present)
    if not labelled and seen.columns.label is None:
        source = _asked(seen, "text", seen.columns.text, present) or (pair[0] if pair else None)
        return _layout(seen, source or find_texts(seen, task, labelled=False).text, None)
    return _layout(seen, *_chosen(seen, present, pair))


def example(record: Record, layout: Layout, name: str) -> Example:
    """Make an example of a source and its targets."""
    source = text_cell({layout.text: cell_of(record.values, layout.text)}, layout.text)
    if layout.label is None:
        return Example(name, source)
    return Example(name, source, targets=_targets(cell_of(record.values, layout.label), layout.label))


def from_memory(row: Any, label: Any, name: str, *, labelled: bool) -> Example:
    """Make an example of a text, and a text or a list of texts."""
    source, other = texts_in_memory(row)
    if other is not None:
        raise DataError("expected a text, came a pair of texts", "join the two to one text")
    try:
        return Example(name, source, targets=_targets(label, "target") if labelled else None)
    except ValueError as error:
        raise DataError(str(error), "give for each text the text to be written, or a list of them") from None


def unlearnable(_row: Example) -> None:
    """Learn from every row."""


def check(split_name: str, rows: Sequence[Example]) -> None:
    """Refuse rows without a target."""
    bare = [row.id for row in rows if not row.targets]
    if bare:
        raise DataError(f"{split_name}: {len(bare)} rows have no text to be written for them, such as "
                        f"{', '.join(bare[:3])}", "give every row a target, named with --label COLUMN, or leave it out")


def normal(row: Example, form: Form) -> Example | None:
    """Give the source its form; targets become NFC at most, since what is written keeps its width and its signs."""
    found = clean.normal_texts(row, form)
    if found is None or row.targets is None:
        return found
    targets = tuple(normalize(one, "none" if form == "none" else "nfc") for one in row.targets)
    return found if targets == row.targets else replace(found, targets=targets)


def target(row: Example) -> tuple[str, ...]:
    """Return the targets."""
    return row.targets or ()


def settled(splits: Splits, _found: Found, *, drop: bool) -> Splits:  # noqa: ARG001  (nothing is dropped)
    """Keep all rows of a source: its different targets are all right."""
    return splits


def divided(rows: Sequence[Example], shares: Mapping[str, float], seed: int) -> Division:
    """Split the rows, nearly equal sources together, and rows in which a source is the target of another."""
    return split.stratified(rows, shares, seed, ties=both_ways.ties(rows, target))


def leaking(early: Sequence[Example], late: Sequence[Example], _found: Found) -> list[bool]:
    """Tell which early rows have a late row's source, or its source and target the other way round."""
    return both_ways.leaking(early, late, target)


def label_names(_rows: Sequence[Example], _called: str) -> tuple[str, ...]:
    """Return the one name of what is written."""
    return (GENERATED,)


def label_set(names: tuple[str, ...], _rows: Sequence[Example]) -> LabelSet:
    """Return the one name as a label set."""
    return LabelSet(names, PROBLEM)


def hashed(row: Example) -> list[object]:
    """Return the targets."""
    return [list(row.targets or ())]


def remarks(splits: Splits, _labels: LabelSet) -> list[str]:
    """Tell where targets are the sources themselves."""
    rows = splits["train"]
    same = sum(row.text == row.targets[0] for row in rows if row.targets)
    told = f"{same:,} of {len(rows):,} train targets are their sources, letter by letter"
    return [told] if 2 * same > len(rows) else []


def described(splits: Splits, _labels: LabelSet) -> dict[str, Any]:
    """Describe the lengths of the targets of each split, and how many there are."""
    return {"targets": {name: _lengths(rows) for name, rows in splits.items()}}


def lines(report: DataReport) -> list[str]:
    """Tell how long targets are, and where sources have several."""
    told = (f"{name} {one['min']:,.0f} to {one['max']:,.0f} characters, mean {one['mean']:,.0f}"
            + (f", {one['count'] / one['rows']:.1f} a source" if one["count"] > one["rows"] else "")
            for name, one in report.targets.items())
    return [f"targets: {'; '.join(told)}"]


def _is_ours(seen: Seen, present: Sequence[str], pair: tuple[str, str]) -> bool:
    """Tell whether two columns called like a source and its target are that, where nobody said so."""
    columns, (source, wanted) = seen.columns, pair
    if columns.text_b or columns.label_separator or (columns.text or source, columns.label or wanted) != pair:
        return False  # the caller means something else
    return are_surely_texts(seen, present, pair)


def _asked(seen: Seen, role: str, name: str | None, present: Sequence[str]) -> str | None:
    return None if name is None else asked_column(seen.path, role, name, present)


def _chosen(seen: Seen, present: Sequence[str], pair: tuple[str, str] | None) -> tuple[str, str]:
    """Return the columns of sources and targets: as asked, else by their names, else by their order."""
    source = _asked(seen, "text", seen.columns.text, present)
    wanted = _asked(seen, "label", seen.columns.label, present)
    if source is None and wanted is None and pair is not None:
        return pair
    if source is None:
        free = [column for column in present if column != wanted]
        source = pair[0] if pair and pair[0] in free else named(free, SOURCE_NAMES)
    if wanted is None:
        free = [column for column in present if column != source]
        wanted = pair[1] if pair and pair[1] in free else named(free, TARGET_NAMES)
    if source is None or wanted is None:
        raise DataError(f"{seen.path}: found no column of {'texts' if source is None else 'targets'} among "
                        f"{shown(present)}", "name both: --text SOURCE --label TARGET")
    return source, wanted


def _layout(seen: Seen, source: str, wanted: str | None) -> Layout:
    if seen.columns.text_b is not None:
        raise DataError(f"{seen.path}: {TASK} writes for one text, and --text-b names a second",
                        "join the two to one column, or leave --text-b out")
    check_distinct(seen.path, {"text": source, "label": wanted})
    note = f"text to text: column {source!r} holds the texts" + (f", {wanted!r} what is to be written for them"
                                                                 if wanted else "")
    return Layout(path=seen.path, reader="", encoding=None, text=source, text_b=None, label=wanted,
                  label_separator=None, notes=(*seen.notes, note), problem_type=PROBLEM)


def _targets(cell: Any, column: str) -> tuple[str, ...]:
    """Return the texts in a cell, each once.

    Raises:
        ValueError: there is none, or something else.
    """
    parts = [cell] if isinstance(cell, str) else as_list(cell)
    if parts is None and cell is not None and not isinstance(cell, dict | bytes):
        parts = [text_cell({column: cell}, column)]
    if isinstance(cell, dict | bytes) or (parts is not None and not all(isinstance(one, str) for one in parts)):
        raise ValueError(f"{column!r}: expected a text or a list of texts, came {type(cell).__name__}")
    texts = tuple(dict.fromkeys(one for one in parts or () if one.strip()))
    if not texts:
        raise ValueError(f"{column!r} is empty: there is nothing to write")
    for text in texts:
        check_characters(text, column)
    return texts


def _lengths(rows: Sequence[Example]) -> dict[str, float]:
    sizes = np.array([len(text) for row in rows for text in row.targets or ()] or [0])
    return {"min": float(sizes.min()), "mean": float(sizes.mean()), "max": float(sizes.max()),
            "count": float(len(sizes)), "rows": float(len(rows))}
