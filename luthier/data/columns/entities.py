"""Which columns mark entities: a list of tokens with a list of tags, or a text with its marked spans."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from luthier.data import names as roles
from luthier.data.cells.annotations import is_task
from luthier.data.cells.labels import as_list, spelt
from luthier.data.cells.spans import TAGS, form_of, marked_spans
from luthier.data.cells.tags import are_bare
from luthier.data.cells.token_spans import fit

Rows = Sequence[Mapping[str, Any]]

ENTITIES = "named-entities"
"""Name of the task."""

_TEXTS = ("text", "sentence")
"""Names of a text that may hold a list of tokens instead."""
_ENOUGH = 0.5
"""Share of the filled cells that must have the form; the others are bad rows."""


@dataclass(frozen=True, slots=True)
class Marks:
    """The column that marks entities."""

    column: str
    tokens: str | None
    """Column of the tokens, when the marks are a tag for each of them."""
    form: str
    """What its cells hold, in words."""
    numbers: bool = False
    """Whether the tags are numbers, whose names stand elsewhere."""
    asked: bool = False
    """Whether the caller named the column."""
    bare: bool = False
    """Whether the tags are types without letters."""
    counted: bool = False
    """Whether the marks are spans that count tokens, and no tags."""


def find_tokens(rows: Rows, present: Sequence[str], asked: str | None) -> str | None:
    """Return the column that holds texts as lists of tokens: the one asked for, or one of their usual names."""
    named = roles.matching(present, [roles.plain(asked)] if asked else (*roles.TOKEN_NAMES, *_TEXTS))
    return next((column for column in named if _mostly(rows, column, _is_tokens)), None)


def find_marks(rows: Rows, present: Sequence[str], tokens: str | None, asked: str | None, *,
               sure: bool = False) -> Marks | None:
    """Return the column that marks entities: the one asked for, or one of their usual names; ``None`` without one.

    Args:
        rows: the first rows of the file.
        present: the columns.
        tokens: the column of tokens, if there is one.
        asked: the column that the caller named for the labels.
        sure: whether entities were asked for; else a column of empty lists could hold anything.
    """
    names = (*roles.SPAN_NAMES, *roles.TAG_NAMES)
    for column in roles.matching(present, [roles.plain(asked)] if asked else names):
        forms = [form for row in rows if (form := form_of(row.get(column)))]
        # Spans count in the text as it is, so there must be one; beside tokens alone they would count something else.
        known = forms or (sure and any(_is_marked(row.get(column)) for row in rows))
        if known and _mostly(rows, column, _is_marked) and _has_text(rows, present, column, tokens):
            form = max(forms, key=forms.count, default="all empty so far")
            if form == TAGS and (tokens is not None or not _fit(rows, present, column)):
                continue
            return Marks(column, None, form, asked=asked is not None)
    if tokens is None:
        return None
    for column in roles.matching(present, [roles.plain(asked)] if asked else roles.TAG_NAMES):
        if column == tokens:
            continue
        pairs = [(cells, tags) for row in rows if (cells := as_list(row.get(tokens))) is not None
                 and (tags := as_list(row.get(column))) is not None
                 and not any(isinstance(tag, Mapping | list) for tag in tags)]
        if sum(len(cells) == len(tags) for cells, tags in pairs) > _ENOUGH * len(pairs):
            every = [tag for _, tags in pairs for tag in tags]
            numbers = any(isinstance(tag, int) or hasattr(tag, "dtype") for tag in every)
            bare = not numbers and are_bare(map(str, every))
            return Marks(column, tokens, "a tag for each token", numbers, asked is not None, bare)
    return _counting_marks(rows, present, tokens, asked)


def _counting_marks(rows: Rows, present: Sequence[str], tokens: str, asked: str | None) -> Marks | None:
    """Return the column of spans that count the tokens, if no text stands beside them."""
    for column in roles.matching(present, [roles.plain(asked)] if asked else roles.SPAN_NAMES):
        lists = [(cells, marks) for row in rows if (cells := as_list(row.get(tokens))) is not None
                 and (marks := as_list(spelt(row.get(column))))]
        fitting = sum(fit(marks, len(cells), tokens) for cells, marks in lists)
        if column != tokens and fitting > _ENOUGH * len(lists):
            return Marks(column, tokens, "spans that count the tokens", asked=asked is not None, counted=True)
    return None


def class_column(rows: Rows, present: Sequence[str], marks: Marks) -> str | None:
    """Return a column beside the marks that is called like a label of the whole text and holds one in each row.

    Beside the relations of a Label Studio export, whose marks have no form here, none is looked for: the spans that its
    annotators marked are what is learned.
    """
    if not marks.form and marks_spans(rows):
        return None
    free = [column for column in roles.matching(present, roles.LABEL_NAMES) if column != marks.column]
    return next((column for column in free if _mostly(rows, column, _is_name)), None)


def marks_spans(rows: Rows) -> bool:
    """Tell whether the rows are tasks of Label Studio in which spans were marked."""
    return any(map(is_task, rows))


def _mostly(rows: Rows, column: str, test: Callable[[Any], bool]) -> bool:
    cells = [cell for row in rows if (cell := row.get(column)) is not None and not (isinstance(cell, str) and not cell)]
    return sum(map(test, cells)) > _ENOUGH * len(cells)


def _is_tokens(cell: Any) -> bool:
    members = as_list(cell)
    return members is not None and all(isinstance(one, str) for one in members)


def _is_marked(cell: Any) -> bool:
    return form_of(cell) is not None


def _is_name(cell: Any) -> bool:
    return isinstance(cell, str | int | float) and as_list(cell) is None and form_of(cell) is None


def _fit(rows: Rows, present: Sequence[str], column: str) -> bool:
    """Tell whether there are as many tags as words or characters; several labels of a text may look like tags."""
    text = roles.longest_text(rows, [name for name in present if name != column]) or column
    fits = [_reads(str(row.get(text)), row.get(column)) for row in rows if row.get(column)]
    return 2 * sum(fits) > len(fits)


def _reads(text: str, cell: Any) -> bool:
    try:
        marked_spans(text, cell)
    except ValueError:
        return False
    return True


def _has_text(rows: Rows, present: Sequence[str], column: str, tokens: str | None) -> bool:
    free = [name for name in present if name not in (column, tokens)]
    named = roles.named(free, roles.TEXT_NAMES)
    if tokens is not None:
        return named is not None and roles.longest_text(rows, [named]) is not None
    return roles.longest_text(rows, free) is not None
