"""Questions with a context each, and the stretches of the context that answer them, or none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from luthier.data import clean, split
from luthier.data.cells.answers import gold_answers, unplaced
from luthier.data.cells.labels import label_name, spelt
from luthier.data.cells.numbers import number_of
from luthier.data.cells.texts import text_cell, texts_in_memory
from luthier.data.clean import Found, Splits
from luthier.data.columns.answers import QUESTIONS, find_questions
from luthier.data.columns.texts import check_distinct
from luthier.data.counting import by_split, counted
from luthier.data.kind import BY_KEYS
from luthier.data.layout_values import Layout, Seen
from luthier.data.report import DataReport
from luthier.data.rows import Record
from luthier.data.split import Division
from luthier.errors import DataError
from luthier.schema import ANSWERED, Example, GoldAnswer, LabelSet, ProblemType
from luthier.text import blank, loose_key

PROBLEM: ProblemType = "question_answering"
TASK = QUESTIONS
SURENESS = BY_KEYS
OWN_INPUT = True
REPEATED = ("different answers", "kept")
NONE_LEFT = ("no row is left for {name}: questions on one context, or one article, stay together",
             "give questions on more contexts, or a file for it: --{name} FILE")

normal = clean.texts_as_they_came
sampled = split.sample

_LISTED = 20
"""Rows named in a sentence."""


def find(seen: Seen, task: str | None, *, labelled: bool) -> Layout | None:
    """Take files with columns of questions, contexts and answers."""
    asked = find_questions(seen, task, labelled=labelled)
    if asked is None:
        return None
    check_distinct(seen.path, {"text": asked.question, "text_b": asked.context, "label": asked.answers})
    note = (f"question answering: column {asked.question!r} asks, {asked.context!r} is what answers come from"
            + (f", {asked.answers!r} holds them" if asked.answers else ""))
    return Layout(path=seen.path, reader="", encoding=None, text=asked.question, text_b=asked.context,
                  label=asked.answers, label_separator=None, notes=(*seen.notes, note), problem_type=PROBLEM,
                  answers=asked.answers, group=asked.group,
                  more={name: column for name, column in (("impossible", asked.impossible), ("start", asked.start))
                        if column})


def example(record: Record, layout: Layout, name: str) -> Example:
    """Make an example of a question, its context and its answers."""
    values = record.values
    question, context = text_cell(values, layout.text), text_cell(values, str(layout.text_b))
    if layout.answers is None:
        return Example(name, question, context)
    impossible = values.get(layout.more["impossible"]) if "impossible" in layout.more else False
    cell = values.get(layout.answers)
    if "start" in layout.more and isinstance(cell, str) and isinstance(spelt(cell), str) and not blank(cell):
        start = values.get(layout.more["start"])
        cell = {"text": cell, "start": None if label_name(start) is None else number_of(start)}
    answers = gold_answers(context, cell, impossible=impossible)
    group = label_name(values.get(layout.group)) if layout.group else None
    return Example(name, question, context, answers=answers, group=group)


def from_memory(row: Any, label: Any, name: str, *, labelled: bool) -> Example:
    """Make an example of a pair of question and context, and a list of answers."""
    question, context = texts_in_memory(row)
    if not labelled:
        return Example(name, question, context)
    fix = 'give pairs of question and context, and for each a list of {"text": …, "start": …}, [] for no answer'
    if context is None:
        raise DataError("expected a question with its context, came one text", fix)
    try:
        return Example(name, question, context, answers=gold_answers(context, label))
    except ValueError as error:
        raise DataError(str(error), fix) from None


def unlearnable(row: Example) -> str | None:
    """Learn from no row whose answers do not stand in its context; answers are scored against them all the same."""
    return unplaced(row.answers or ())


def check(split: str, rows: Sequence[Example]) -> None:
    """Refuse rows without a context, or without a list of answers."""
    bare = [row.id for row in rows if row.answers is None or row.text_b is None]
    if bare:
        raise DataError(f"{split}: {len(bare)} rows are no questions with context and answers, such as "
                        f"{', '.join(bare[:3])}",
                        "give every row a question, a context and a list of answers, empty where there is none")


def target(row: Example) -> tuple[GoldAnswer, ...]:
    """Return the answers in one order."""
    return tuple(sorted(row.answers or (), key=lambda answer: (answer.text, answer.start or -1)))


def settled(splits: Splits, _found: Found, *, drop: bool) -> Splits:  # noqa: ARG001  (nothing is dropped)
    """Keep all rows of a question: its different answers are all right."""
    return splits


def divided(rows: Sequence[Example], shares: Mapping[str, float], seed: int) -> Division:
    """Split the questions, those on one context together."""
    return split.stratified(rows, shares, seed, together=lambda row: loose_key(row.text_b or ""))


def label_names(rows: Sequence[Example], _called: str) -> tuple[str, ...]:
    """Return the one label that questions with an answer carry; refuse rows without any."""
    if not any(row.answers for row in rows):
        raise DataError(f"none of {len(rows):,} questions has an answer; there is nothing to learn",
                        "give rows with answers, or name another column: --label COLUMN")
    return (ANSWERED,)


def label_set(names: tuple[str, ...], _rows: Sequence[Example]) -> LabelSet:
    """Return the one label as a label set."""
    return LabelSet(names, PROBLEM)


def hashed(row: Example) -> list[object]:
    """Return the answers as they stand in the row."""
    return [[[answer.text, answer.start] for answer in row.answers or ()]]


def remarks(splits: Splits, _labels: LabelSet) -> list[str]:
    """Tell how many answers were not at their places, and how many test questions cannot be answered rightly."""
    rows = [row for split in splits.values() for row in split]
    moved = [row.id for row in rows if any(answer.moved for answer in row.answers or ())]
    notes = []
    if moved:
        notes.append(f"{len(moved):,} questions had an answer that was not at its place and stands once in the "
                     f"context: it is taken from there ({_listed(moved)})")
    return notes + _lost(rows, "test ")


def scored_together(rows: Sequence[Example]) -> tuple[list[Example], list[str]]:
    """Return the rows, and how many cannot be answered rightly."""
    return list(rows), _lost(rows)


def _lost(rows: Sequence[Example], which: str = "") -> list[str]:
    lost = [row.id for row in rows if row.answers and all(answer.start is None for answer in row.answers)]
    return [f"{len(lost):,} {which}questions have no answer that stands in the context: they count in the scores, and "
            f"cannot be answered rightly ({_listed(lost)})"] if lost else []


def _listed(ids: Sequence[str]) -> str:
    return ", ".join(ids[:_LISTED]) + (f" and {len(ids) - _LISTED:,} more" if len(ids) > _LISTED else "")


def described(splits: Splits, labels: LabelSet) -> dict[str, Any]:
    """Count the questions with an answer, and those without."""
    return {**counted(splits, labels),
            "unanswerable": {name: sum(not row.answers for row in rows) for name, rows in splits.items()}}


def lines(report: DataReport) -> list[str]:
    """Tell how many questions have no answer."""
    return [f"questions without an answer: {by_split(report.unanswerable)}"]
