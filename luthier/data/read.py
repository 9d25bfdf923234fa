"""Read examples from a file whose layout is known, or from lists in memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from luthier import plugins
from luthier.data.answers import gold_answers, unplaced
from luthier.data.labels import as_list, label_name, label_names
from luthier.data.layout import SEAM, Columns, Layout, inspect
from luthier.data.numbers import number_of
from luthier.data.rows import BadRow, Reader, Record
from luthier.data.spans import joined, marked_spans, tagged_spans, token_list, unfolded
from luthier.errors import DataError
from luthier.schema import Example, GoldAnswer, ProblemType, Span

__all__ = ["Columns", "Layout", "from_arrays", "inspect", "label_name", "read", "read_all", "read_with_cells"]

_SHOWN = 5
"""Bad rows listed in an error."""


def read(layout: Layout, *, on_bad: Callable[[BadRow], None]) -> Iterator[Example]:
    """Yield the examples of a file lazily; ids are ``<file name>:<line>``.

    Args:
        layout: from ``inspect``.
        on_bad: called with each row that cannot be used, in the order of the file.
    """
    return (example for example, _ in read_with_cells(layout, on_bad=on_bad))


def read_with_cells(layout: Layout, *, on_bad: Callable[[BadRow], None]) -> Iterator[tuple[Example, dict[str, Any]]]:
    """Yield the examples as ``read`` does, each with all cells of its row: column name -> cell, in the file's order."""
    reader: Any = plugins.load(SEAM, layout.reader)
    return _examples(reader, layout, on_bad)


def read_all(layout: Layout, *, max_bad_rows: int, learning: bool = False) -> tuple[list[Example], list[BadRow]]:
    """Read a whole file; return the examples and the rows that could not be used.

    Args:
        layout: from ``inspect``.
        max_bad_rows: most of the rows that could not be used.
        learning: leave questions out whose answers do not stand in their contexts; answers are scored against them all
            the same.

    Raises:
        DataError: more than ``max_bad_rows`` rows are bad, or no row is left.
    """
    bad: list[BadRow] = []

    def note(row: BadRow) -> None:
        bad.append(row)
        if len(bad) > max_bad_rows:
            raise DataError(f"{layout.path}: more than {max_bad_rows} bad rows:\n{_listed(bad)}",
                            f"mend them, or allow more: data.max_bad_rows={max(1000, 10 * max_bad_rows)}")

    examples = []
    for example in read(layout, on_bad=note):
        why = unplaced(example.answers or ()) if learning else None
        if why is None:
            examples.append(example)
        else:
            note(BadRow(int(example.id.rpartition(":")[2]), why))
    if not examples:
        problem = f"{layout.path}: no row can be used" + (f":\n{_listed(bad)}" if bad else "")
        raise DataError(problem, "check that the columns are the right ones: --text COLUMN --label COLUMN")
    return examples, bad


def from_arrays(texts: Sequence[Any], labels: Sequence[Any] | None, *, name: str = "memory",
                problem_type: ProblemType | None = None) -> list[Example]:
    """Return examples from texts (or pairs of texts) and labels in memory; ids are ``<name>:<position from 1>``.

    Args:
        texts: N strings, or N pairs of strings; lists, arrays and data frame columns will do.
        labels: N labels of any type, N lists of labels, or ``None``. For ``token_classification`` N lists of entities:
            ``(start, end, label)``, objects with these keys, or ``Span``, counted in code points; for
            ``question_answering``, whose texts are pairs of question and context, N lists of answers.
        name: what the ids begin with.
        problem_type: needed for ``token_classification``, ``question_answering`` and ``regression`` (N numbers); else
            told from the labels.

    Raises:
        DataError: a text is no string, a label is missing, an entity lies outside its text, or the lengths differ.
    """
    if isinstance(texts, str):
        raise DataError("expected a list of texts, came one string", "put it in a list: [text]")
    rows = list(texts)
    given = [None] * len(rows) if labels is None else list(labels)
    if len(given) != len(rows):
        raise DataError(f"{len(rows)} texts came with {len(given)} labels",
                        "give one label (or list of labels) for each text")
    examples = []
    for number, (row, label) in enumerate(zip(rows, given, strict=True), start=1):
        text, text_b = _memory_text(row, number)
        if problem_type == "token_classification":
            spans = None if labels is None else _memory_spans(text, text_b, label, number)
            examples.append(Example(f"{name}:{number}", text, spans=spans))
            continue
        if problem_type == "regression":
            value = None if labels is None else _memory_value(label, number)
            examples.append(Example(f"{name}:{number}", text, text_b, value=value))
            continue
        if problem_type == "question_answering":
            answers = None if labels is None else _memory_answers(text_b, label, number)
            examples.append(Example(f"{name}:{number}", text, text_b, answers=answers))
            continue
        names = label_names(label, None) if labels is not None and not isinstance(label, str) else _one(label)
        if labels is not None and names is None:
            raise DataError(f"row {number}: the label is missing ({label!r})",
                            "drop the rows without a label, or label them")
        examples.append(Example(f"{name}:{number}", text, text_b, names))
    return examples


def _one(label: Any) -> tuple[str, ...] | None:
    name = label_name(label)
    return None if name is None else (name,)


def _memory_text(row: Any, number: int) -> tuple[str, str | None]:
    if isinstance(row, str):
        return str(row), None
    pair = as_list(row)
    if pair is not None and len(pair) == 2 and all(isinstance(part, str) for part in pair):
        return str(pair[0]), str(pair[1])
    raise DataError(f"row {number}: expected a text or a pair of texts, came {type(row).__name__}",
                    "make every text a string, such as [str(text) for text in texts]; drop missing ones")


def _memory_spans(text: str, text_b: str | None, label: Any, number: int) -> tuple[Span, ...]:
    fix = "give a list of (start, end, label) for each text, [] for a text without entities"
    if text_b is not None:
        raise DataError(f"row {number}: entities are marked in one text, came a pair", fix)
    try:
        return marked_spans(text, label)
    except ValueError as error:
        raise DataError(f"row {number}: {error}", fix) from None


def _memory_value(label: Any, number: int) -> float:
    try:
        return number_of(label)
    except ValueError as error:
        raise DataError(f"row {number}: {error}", "give a finite number for each text") from None


def _memory_answers(context: str | None, label: Any, number: int) -> tuple[GoldAnswer, ...]:
    fix = 'give pairs of question and context, and for each a list of {"text": …, "start": …}, [] for no answer'
    if context is None:
        raise DataError(f"row {number}: expected a question with its context, came one text", fix)
    try:
        return gold_answers(context, label)
    except ValueError as error:
        raise DataError(f"row {number}: {error}", fix) from None


def _examples(
    reader: Reader, layout: Layout, on_bad: Callable[[BadRow], None]
) -> Iterator[tuple[Example, dict[str, Any]]]:
    file = layout.path.name
    for row in reader.records(layout.path, layout.encoding):
        if isinstance(row, BadRow):
            on_bad(row)
            continue
        row = Record(row.line, unfolded(row.values))
        result = _example(row, layout, file)
        if isinstance(result, BadRow):
            on_bad(result)
        else:
            yield result, row.values


def _example(record: Record, layout: Layout, file: str) -> Example | BadRow:
    values = record.values
    try:
        if layout.tokens is not None or layout.spans is not None:
            return _marked(record, layout, file)
        text = _text(values, layout.text)
        text_b = None if layout.text_b is None else _text(values, layout.text_b)
        if layout.answers is not None:
            impossible = values.get(layout.impossible) if layout.impossible else False
            answers = gold_answers(text_b or "", values.get(layout.answers), impossible=impossible)
            group = label_name(values.get(layout.group)) if layout.group else None
            return Example(f"{file}:{record.line}", text, text_b, answers=answers, group=group)
        value, labels = None, None
        if layout.problem_type == "regression" and layout.label is not None:
            value = _value(values, layout.label)
        elif layout.label is not None:
            labels = _labels(values, layout)
    except ValueError as error:
        return BadRow(record.line, str(error))
    return Example(f"{file}:{record.line}", text, text_b, labels, value=value)


def _marked(record: Record, layout: Layout, file: str) -> Example:
    """Return a row whose text is joined from tokens, or whose label is spans; the text stays as it came."""
    values, spans = record.values, None
    if layout.tokens is not None:
        tokens = token_list(values.get(layout.tokens), layout.tokens)
        text, places = joined(tokens, layout.glue)
        if not text.isascii():
            _check_pairs(text, layout.tokens)
        if layout.spans is not None:
            spans = tagged_spans(text, places, values.get(layout.spans))
    else:
        text = _text(values, layout.text)
        spans = marked_spans(text, values.get(str(layout.spans)))
    if layout.problem_type == "regression" and layout.label is not None:
        return Example(f"{file}:{record.line}", text, value=_value(values, layout.label))
    labels = _labels(values, layout) if layout.label not in (None, layout.spans) else None
    return Example(f"{file}:{record.line}", text, None, labels, spans)


def _text(values: dict[str, Any], column: str) -> str:
    """Return a cell as text; an empty cell is an empty text, which *prepare* counts and drops."""
    cell = values.get(column, _ABSENT)
    if isinstance(cell, str):
        if not cell.isascii():
            _check_pairs(cell, column)
        return cell
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return ""
    if cell is _ABSENT:
        raise ValueError(f"has no {column!r}")
    if isinstance(cell, list | dict | bytes):
        raise ValueError(f"{column!r}: expected text, came {type(cell).__name__}")
    return label_name(cell) or ""


def _check_pairs(cell: str, column: str) -> None:
    try:
        cell.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(f"{column!r}: character {error.start + 1} is half a surrogate pair, not text") from None


def _value(values: dict[str, Any], column: str) -> float:
    try:
        return number_of(values.get(column))
    except ValueError as error:
        raise ValueError(f"{column!r}: {error}") from None


def _labels(values: dict[str, Any], layout: Layout) -> tuple[str, ...] | None:
    column = str(layout.label)
    cell = values.get(column)
    if isinstance(cell, dict | bytes):
        raise ValueError(f"{column!r}: expected a label, came {type(cell).__name__}")
    if isinstance(cell, str) and not cell.isascii():
        _check_pairs(cell, column)
    if layout.multi_label:
        names = label_names(cell, layout.label_separator)
    elif isinstance(cell, list):
        raise ValueError(f"{column!r}: expected one label, came a list of {len(cell)}")
    else:
        names = _one(cell)
    if names is None:
        raise ValueError(f"{column!r} is empty: the row has no label")
    return names


def _listed(bad: Sequence[BadRow]) -> str:
    shown = "\n".join(f"  line {row.line}: {row.reason}" for row in bad[:_SHOWN])
    return shown + (f"\n  … and {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else "")


_ABSENT = object()
