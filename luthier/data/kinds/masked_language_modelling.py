"""Texts without any label: what is learned is how they go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from luthier.data import clean, split
from luthier.data.cells.texts import texts_in_memory, texts_of_row
from luthier.data.clean import Found, Splits, loose_of
from luthier.data.columns.texts import find_texts
from luthier.data.kind import ONLY_ASKED
from luthier.data.layout_values import Layout, Seen
from luthier.data.report import DataReport
from luthier.data.rows import Record
from luthier.errors import DataError
from luthier.schema import TOKEN, Example, LabelSet, ProblemType
from luthier.text.normalize import Form

PROBLEM: ProblemType = "masked_language_modelling"
TASK = "masked-language-modelling"
SURENESS = ONLY_ASKED
OWN_INPUT = False
UNLABELLED = True
NEAR = ", of each of which the first is kept"
REPEATED = ("nothing", "kept once")
NONE_LEFT = ("no document is left for {name}: texts that are nearly equal stand in one split",
             "give more documents, or a file for it: --{name} FILE")

sampled = split.sample
divided = split.stratified


def find(seen: Seen, task: str | None, *, labelled: bool) -> Layout | None:
    """Take any file with a column of texts, where the task was asked for."""
    return found_for(TASK, PROBLEM, seen, task, labelled=labelled)


def found_for(own: str, problem: ProblemType, seen: Seen, task: str | None, *, labelled: bool) -> Layout | None:
    """Return where the texts of a file are that ``own`` was asked to learn from.

    Raises:
        DataError: labels or a second text are named, which nothing would read.
    """
    if task != own:
        return None
    columns = seen.columns
    if labelled and (columns.label or columns.label_separator or columns.text_b):
        named = "--text-b" if columns.text_b else "--label"
        raise DataError(f"{seen.path}: {own} learns from texts alone, and {named} names something beside them",
                        f"leave {named} out")
    layout = find_texts(seen, task, labelled=False)
    if layout.text_b is not None:
        layout = find_texts(replace(seen, columns=replace(columns, text=layout.text)), task, labelled=False)
    return Layout(path=seen.path, reader="", encoding=None, text=layout.text, text_b=None, label=None,
                  label_separator=None, notes=layout.notes, problem_type=problem, tokens=layout.tokens,
                  glue=layout.glue)


def example(record: Record, layout: Layout, name: str) -> Example:
    """Make an example of a document."""
    return Example(name, texts_of_row(record.values, layout)[0])


def from_memory(row: Any, label: Any, name: str, *, labelled: bool) -> Example:  # noqa: ARG001 - asked of all
    """Make an example of a text; what comes as its label is not read."""
    text, other = texts_in_memory(row)
    if other is not None:
        raise DataError("expected a text, came a pair of texts", "give each text by itself")
    return Example(name, text)


def unlearnable(_row: Example) -> None:
    """Learn from every row."""


def check(split_name: str, rows: Sequence[Example]) -> None:
    """Accept all rows: texts need nothing."""


def normal(row: Example, form: Form) -> Example | None:
    """Give the text its form."""
    return clean.normal_texts(row, form)


def target(row: Example) -> str:
    """Return the text itself."""
    return row.text


def settled(splits: Splits, found: Found, *, drop: bool) -> Splits:
    """Keep the first of documents that are nearly equal: what stands twice is learned by heart."""
    if not drop:
        return splits  # they are counted with those that remain
    kept: Splits = {}
    for name, rows in splits.items():
        groups: dict[str, list[Example]] = {}
        for row in rows:
            groups.setdefault(loose_of(row), []).append(row)
        kept[name] = [same[0] for same in groups.values()]
        several = [len(same) for same in groups.values() if len(same) > 1]
        found.near_duplicate_groups += len(several)
        found.near_duplicate_rows += sum(several)
    return kept


def label_names(_rows: Sequence[Example], _called: str) -> tuple[str, ...]:
    """Return the one name of what is told."""
    return (TOKEN,)


def label_set(names: tuple[str, ...], _rows: Sequence[Example]) -> LabelSet:
    """Return the one name as a label set."""
    return LabelSet(names, PROBLEM)


def hashed(_row: Example) -> list[object]:
    """Return nothing: the text is hashed with every row."""
    return []


def remarks(_splits: Splits, _labels: LabelSet) -> list[str]:
    """Say nothing: any text will do."""
    return []


def described(splits: Splits, _labels: LabelSet) -> dict[str, Any]:
    """Describe the lengths of the documents of each split, and how many there are."""
    return {"targets": {name: _lengths(rows) for name, rows in splits.items()}}


def lines(report: DataReport) -> list[str]:
    """Tell how long documents are."""
    told = (f"{name} {one['count']:,.0f} of {one['min']:,.0f} to {one['max']:,.0f} characters, mean {one['mean']:,.0f}"
            for name, one in report.targets.items())
    return [f"documents: {'; '.join(told)}"]


def _lengths(rows: Sequence[Example]) -> dict[str, float]:
    sizes = np.array([len(row.text) for row in rows] or [0])
    return {"min": float(sizes.min()), "mean": float(sizes.mean()), "max": float(sizes.max()),
            "count": float(len(rows)), "rows": float(len(rows))}
