"""Queries with passages that shall be ordered by reading both: read as those that are found by vectors, if asked for.

A row may also be a query, one passage and a number that tells how relevant it is; 0 and below is not. Such rows stay
pairs until those of one query are gathered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from luthier.data import clean
from luthier.data.cells import numbers
from luthier.data.cells.texts import text_cell, texts_in_memory
from luthier.data.columns.judged import Judged, find_judged
from luthier.data.columns.passages import every_text, find_passages, joined
from luthier.data.columns.texts import check_distinct
from luthier.data.kind import ONLY_ASKED
from luthier.data.kinds import retrieval
from luthier.data.kinds.retrieval import (
    NONE_LEFT,
    REPEATED,
    described,
    divided,
    label_names,
    leaking,
    lines,
    remarks,
    sampled,
    settled,
)
from luthier.data.layout_values import Layout, Seen
from luthier.data.rows import Record
from luthier.errors import DataError
from luthier.schema import Candidates, Example, LabelSet, Passages, ProblemType
from luthier.text.candidates import listed
from luthier.text.normalize import Form

__all__ = ["NONE_LEFT", "OWN_INPUT", "PROBLEM", "REPEATED", "SURENESS", "TASK", "check", "described", "divided",
           "example", "find", "from_memory", "gathered", "hashed", "label_names", "label_set", "leaking", "lines",
           "normal", "remarks", "sampled", "scored_together", "settled", "target", "unlearnable"]

PROBLEM: ProblemType = "re_ranking"
TASK = "re-ranking"
SURENESS = ONLY_ASKED
OWN_INPUT = True
CANDIDATES = "candidates"
"""What a layout calls the column with lists of passages that are to be ordered."""


def find(seen: Seen, task: str | None, *, labelled: bool) -> Layout | None:
    """Take files of queries with passages, where their order is asked for."""
    if task != TASK:
        return None
    judged = find_judged(seen, labelled=labelled)
    if judged is not None:
        return _pairs(seen, judged)
    found = find_passages(seen, asked=True) if labelled else None
    if found is None:
        what = "queries and passages, nor a number beside each pair" if labelled else "queries and of passages"
        raise DataError(f"{seen.path}: found no columns of {what}, among {', '.join(map(repr, seen.present[:20]))}",
                        "name them: --text QUERY --text-b PASSAGE" + (
                            " --label RELEVANCE, or --text QUERY --label PASSAGE of those that belong to it"
                            if labelled else ""))
    return replace(retrieval.layout_of(seen, found, TASK), problem_type=PROBLEM)


def _pairs(seen: Seen, judged: Judged) -> Layout:
    check_distinct(seen.path, {"text": judged.query, "text_b": judged.passage, "label": judged.relevance})
    told = f", {judged.relevance!r} tells how relevant one is" if judged.relevance else ""
    lists = {CANDIDATES: judged.passage} if judged.lists else {}
    note = f"{TASK}: column {judged.query!r} asks, {judged.passage!r} holds passages{told}"
    return Layout(path=seen.path, reader="", encoding=None, text=judged.query,
                  text_b=None if judged.lists else judged.passage, label=judged.relevance, label_separator=None,
                  notes=(*seen.notes, note), problem_type=PROBLEM, more=lists)


def example(record: Record, layout: Layout, name: str) -> Example:
    """Make an example of a query and its passages, or of a query with one passage and how relevant it is."""
    values = record.values
    if CANDIDATES in layout.more:
        column = layout.more[CANDIDATES]
        try:
            candidates = tuple(every_text(values.get(column)))
        except ValueError as error:
            raise ValueError(f"{column!r}: {error}") from None
        return Example(name, text_cell(values, layout.text), passages=Passages((), candidates=candidates))
    if layout.text_b is None:
        return retrieval.example(record, layout, name)
    pair = text_cell(values, layout.text), text_cell(values, layout.text_b)
    if layout.label is None:
        return Example(name, *pair)
    try:
        return Example(name, *pair, value=_relevance(values.get(layout.label)))
    except ValueError as error:
        raise ValueError(f"{layout.label!r}: {error}") from None


def from_memory(row: Any, label: Any, name: str, *, labelled: bool) -> Example:
    """Make an example of a query and ``Passages``, or of a pair and how relevant the one is for the other.

    Without a label also of ``Candidates``, or ``{"query": …, "passages": […]}``.
    """
    if not labelled and isinstance(row, Candidates | Mapping):
        return _listed_in_memory(row, name)
    query, passage = texts_in_memory(row)
    if passage is None:
        return retrieval.from_memory(row, label, name, labelled=labelled)
    if not labelled:
        return Example(name, query, passage)
    try:
        return Example(name, query, passage, value=_relevance(label))
    except ValueError as error:
        raise DataError(f"the relevance {error}", "give 0 or 1, or a grade above 0, for each pair") from None


def _listed_in_memory(row: Candidates | Mapping[str, Any], name: str) -> Example:
    try:
        asked = listed(row)
    except ValueError as error:
        raise DataError(str(error), 'give {"query": …, "passages": [...]}') from None
    return Example(name, asked.query, passages=Passages((), candidates=asked.passages))


def _relevance(cell: Any) -> float:
    return float(cell) if isinstance(cell, bool) else numbers.number_of(cell)


def unlearnable(_row: Example) -> None:
    """Learn from every row."""


def check(split: str, rows: Sequence[Example]) -> None:
    """Refuse rows without passages, and files in which none belongs to any query."""
    bare = [row.id for row in rows if row.passages is None and (row.text_b is None or row.value is None)]
    if bare:
        raise DataError(f"{split}: {len(bare)} rows have no passages, or do not tell how relevant theirs is, such as "
                        f"{', '.join(bare[:3])}", "give each what belongs to it, or leave it out")
    if not any(row.passages.positive if row.passages else row.value and row.value > 0 for row in rows):
        raise DataError(f"{split}: no passage belongs to any of the queries",
                        "give passages that do, with a relevance above 0")


def normal(row: Example, form: Form) -> Example | None:
    """Return the row with its texts in their normal form; ``None`` without a query or a passage."""
    return clean.normal_texts(row, form) if row.passages is None else retrieval.normal(row, form)


def target(row: Example) -> tuple[object, ...]:
    """Return the passages in one order, or how relevant the one is."""
    return (row.value,) if row.passages is None else retrieval.target(row)


def gathered(rows: Sequence[Example]) -> tuple[list[Example], list[str]]:
    """Return one row for each query to which a passage belongs, with those of all its rows, in the place of the first.

    The second says how many queries are left out because none does: they teach no order, and no score is made of them.
    """
    same: dict[str, list[Example]] = {}
    for row in rows:
        same.setdefault(row.text, []).append(_listed(row))
    every = [joined(own) for own in same.values()]
    kept = [row for row in every if row.passages and row.passages.positive]
    lost = [row.id for row in every if not (row.passages and row.passages.positive)]
    if not kept or not lost:
        return every, []
    return kept, [f"{len(lost):,} of {len(every):,} queries are left out, for no passage belongs to them, such as "
                  f"{lost[0]}"]


scored_together = gathered


def _listed(row: Example) -> Example:
    """Return a row of a pair as one of a query with its passages."""
    if row.text_b is None or row.value is None:
        return row
    right = row.value > 0
    passages = Passages((row.text_b,), (), () if row.value == 1 else (row.value,)) if right else Passages(
        (), (row.text_b,))
    return replace(row, text_b=None, value=None, passages=passages)


def label_set(names: tuple[str, ...], _rows: Sequence[Example]) -> LabelSet:
    """Return the one name as a label set."""
    return LabelSet(names, PROBLEM)


def hashed(row: Example) -> list[object]:
    """Return the passages as they stand in the row, and how relevant they are."""
    return [*retrieval.hashed(row), list(row.passages.grades) if row.passages else []]
