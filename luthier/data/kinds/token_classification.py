"""Labelled stretches of a text, such as names of people and places: marked spans, or a tag for each token."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from luthier.data import clean, split
from luthier.data import names as roles
from luthier.data.cells.annotations import marks_of
from luthier.data.cells.labels import as_list, natural_order, spelt
from luthier.data.cells.spans import marked_spans, overlapping, tagged_spans
from luthier.data.cells.texts import text_cell, texts_in_memory, tokens_of_row
from luthier.data.cells.token_spans import counted_spans
from luthier.data.clean import Found, Splits
from luthier.data.columns.entities import ENTITIES, Marks, class_column, find_marks, find_tokens, marks_spans
from luthier.data.columns.joint import RELATION_NAMES
from luthier.data.columns.texts import asked_column, check_distinct, with_tokens
from luthier.data.counting import by_split, counted, counts_line, rare
from luthier.data.kind import BY_FORM
from luthier.data.layout_values import Layout, Seen
from luthier.data.report import DataReport
from luthier.data.rows import Record
from luthier.errors import DataError
from luthier.schema import Example, LabelSet, ProblemType, Span

PROBLEM: ProblemType = "token_classification"
TASK = ENTITIES
NESTED = "nested-entities"
"""The task of spans that share characters."""
SURENESS = BY_FORM
OWN_INPUT = False
_COUNTED = "spans in tokens"
"""What a layout calls the column of spans that count tokens."""
REPEATED = ("contradictory labels", "left out")
NONE_LEFT = split.NONE_LEFT

normal = clean.texts_as_they_came
sampled = split.sample
divided = split.stratified


def find(seen: Seen, task: str | None, *, labelled: bool) -> Layout | None:
    """Take files that mark spans of a text, or tag its tokens, and do not label the text as a whole as well."""
    columns = seen.columns
    if task not in (None, TASK) or not (labelled or columns.label):
        return None
    if task is None and (columns.text_b or columns.label_separator):
        return None
    tokens = find_tokens(seen.rows, seen.present, columns.text)
    marks = find_marks(seen.rows, seen.present, tokens, columns.label, sure=task == TASK)
    if marks is None:
        if task is None:
            return None
        raise DataError(f"{seen.path} marks no entities that can be read; the columns are {roles.shown(seen.present)}",
                        'give CoNLL columns, {"tokens": [...], "ner_tags": ["B-PER", ...]}, or {"text": "…", '
                        '"entities": [{"start": 0, "end": 4, "label": "PER"}]}; name the column: --label COLUMN')
    sure = task is not None or marks.asked or (marks.tokens is not None and not marks.counted)
    label = None if sure else class_column(seen.rows, seen.present, marks)
    if label is not None and not marks_spans(seen.rows):
        return None
    told = [f"column {label!r} labels the texts, which is not learned: ask for the task text-classification, or name "
            f"it: --label {label}"] if label else []
    return _layout(seen, marks, [] if task else [*told, *_left_unread(seen)])


def example(record: Record, layout: Layout, name: str) -> Example:
    """Make an example of a text, which stays as it came, or is joined from its tokens, and of its spans."""
    values = record.values
    if layout.tokens is not None:
        text, places = tokens_of_row(values, layout.tokens, layout.glue)
        tags = values.get(str(layout.spans))
        if _COUNTED in layout.more:
            return Example(name, text, spans=counted_spans(text, places, tags, layout.tokens))
        spans = tagged_spans(text, places, tags, bare=layout.bare_tags)
        return Example(name, text, spans=spans, tokens=np.array(places, dtype=np.int64).reshape(-1, 2))
    text = text_cell(values, layout.text)
    return Example(name, text, spans=marked_spans(text, marks_of(values, str(layout.spans))))


def from_memory(row: Any, label: Any, name: str, *, labelled: bool) -> Example:
    """Make an example of a text and a list of ``(start, end, label)``, of objects with these keys, or of spans."""
    text, text_b = texts_in_memory(row)
    if not labelled:
        return Example(name, text)
    fix = "give a list of (start, end, label) for each text, [] for a text without entities"
    if text_b is not None:
        raise DataError("entities are marked in one text, came a pair", fix)
    try:
        return Example(name, text, spans=marked_spans(text, label))
    except ValueError as error:
        raise DataError(str(error), fix) from None


def unlearnable(_row: Example) -> None:
    """Learn from every row."""


def check(split: str, rows: Sequence[Example]) -> None:
    """Refuse rows in which nobody looked for entities."""
    bare = [row.id for row in rows if row.spans is None]
    if bare:
        raise DataError(f"{split}: in {len(bare)} rows no entities are marked, such as {', '.join(bare[:3])}",
                        "give every row its spans or tags; a row without entities has an empty list, or O only")


def target(row: Example) -> tuple[Span, ...]:
    """Return the spans in their order."""
    return tuple(sorted(row.spans or ()))


def settled(splits: Splits, found: Found, *, drop: bool) -> Splits:
    """Set aside all rows of a text with different spans."""
    return clean.consistent(splits, target, _in_one_line, found, drop=drop)


def label_names(rows: Sequence[Example], _called: str) -> tuple[str, ...]:
    """Return the types of the entities; refuse rows without any."""
    counts = Counter(label for row in rows for label in row.label_names)
    if not counts:
        raise DataError(f"no entity is marked in {len(rows):,} rows; there is nothing to learn",
                        "give rows with entities, or name another column: --label COLUMN")
    return natural_order(counts)


def label_set(names: tuple[str, ...], _rows: Sequence[Example]) -> LabelSet:
    """Return the types as a label set."""
    return LabelSet(names, PROBLEM)


def hashed(row: Example) -> list[object]:
    """Return the spans as they stand in the row."""
    return [[[span.start, span.end, span.label] for span in row.spans or ()]]


def remarks(splits: Splits, labels: LabelSet) -> list[str]:
    """Name types of few entities."""
    return rare(splits, labels, "entities")


def described(splits: Splits, labels: LabelSet) -> dict[str, Any]:
    """Count the entities, the rows without any, and the entities that begin within others."""
    spans = [row.spans for rows in splits.values() for row in rows if row.spans]
    return {**counted(splits, labels), "overlapping": sum(overlapping(sorted(one)) for one in spans),
            "without_entities": {name: sum(not row.spans for row in rows) for name, rows in splits.items()}}


def lines(report: DataReport) -> list[str]:
    """Tell the commonest types, the rows without entities and the overlaps."""
    lines = [counts_line(report, "entity types, entities in train")]
    if any(report.without_entities.values()):
        lines.append(f"rows without entities: {by_split(report.without_entities)}")
    if report.overlapping:
        lines.append(f"{report.overlapping:,} entities begin within another (nested or overlapping)")
    return lines


def task_for(rows: Sequence[Example]) -> tuple[str, str] | None:
    """Return the task that learns entities within others, where there are such, and the reason."""
    nested = sum(overlapping(sorted(row.spans or ())) for row in rows)
    every = sum(len(row.spans or ()) for row in rows)
    return (NESTED, f"{nested:,} of {every:,} entities begin within another") if nested else None


def _layout(seen: Seen, marks: Marks, notes: Sequence[str]) -> Layout:
    """Lay out a file that is read for its entities, with what else there is to say."""
    path, column = seen.path, marks.column
    if marks.numbers:
        raise DataError(f"{path}: the tags in column {column!r} are numbers, whose names are not in the file",
                        'write the names, ["B-PER", "O", …]; with Hugging Face datasets: '
                        f'names = dataset.features[{column!r}].feature.names, then names[tag] for each tag')
    if seen.columns.text_b:
        raise DataError(f"{path}: entities are marked in one text, and {seen.columns.text_b!r} is named for a second",
                        "leave --text-b out")
    if marks.tokens is not None:
        text, note = marks.tokens, f"column {column!r} holds {marks.form} of {marks.tokens!r}"
        if marks.bare:
            note += ", types without B- and I-: neighbours of one type are one entity"
    else:
        text = _marked_text(seen, column)
        note = f"column {column!r} marks spans of {text!r} ({marks.form})"
    check_distinct(path, {"text": text, "label": column})
    layout = Layout(path=path, reader="", encoding=None, text=text, text_b=None, label=column, label_separator=None,
                    notes=(*seen.notes, f"named entities: {note}", *notes), problem_type=PROBLEM,
                    spans=column, bare_tags=marks.bare, more={_COUNTED: column} if marks.counted else {})
    return layout if marks.tokens is None else with_tokens(layout, seen, marks.tokens)


def _left_unread(seen: Seen) -> list[str]:
    """Say that relations are listed beside the entities, in a form that is not read."""
    listed = [column for column in roles.matching(seen.present, RELATION_NAMES)
              if any(as_list(spelt(row.get(column))) for row in seen.rows)]
    return [f"column {column!r} lists something that is not read: relations are objects with subject, object and "
            "label, which name entities by their places or ids" for column in listed[:1]]


def _marked_text(seen: Seen, marks: str) -> str:
    """Return the column that the spans are counted in; a second text beside it is no pair here.

    Only one that holds text: doccano has ``Comments`` beside ``data``, a list that is mostly empty.
    """
    if seen.columns.text:
        return asked_column(seen.path, "text", seen.columns.text, seen.present)
    free = [column for column in seen.present if column != marks]
    named = (column for column in roles.matching(free, roles.TEXT_NAMES) if roles.longest_text(seen.rows, [column]))
    return next(named, None) or str(roles.longest_text(seen.rows, free))


def _in_one_line(row: Example) -> str:
    return "; ".join(f"{span.label} {span.start}-{span.end}" for span in row.spans or ()) or "-"
