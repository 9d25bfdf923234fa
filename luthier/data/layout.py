"""Find out how a file is laid out: its format, its encoding, and which column means what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from luthier import plugins
from luthier.data import columns as roles
from luthier.data import entity_columns as entities
from luthier.data import numbers
from luthier.data.answer_columns import Asked, find_questions
from luthier.data.formats import SEAM, find_reader
from luthier.data.labels import as_list
from luthier.data.layout_values import Columns, Layout
from luthier.data.readers._encoding import resolve
from luthier.data.readers._files import is_gzip, suffix_of
from luthier.data.rows import BadRow, Reader, Record
from luthier.data.spans import glue_of, unfolded
from luthier.errors import DataError
from luthier.schema import ProblemType

__all__ = ["SEAM", "Columns", "Layout", "find_reader", "inspect"]

_SAMPLE = 1000
"""Rows looked at to choose columns."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """What was met in the first rows."""

    path: Path
    columns: Columns
    rows: Sequence[Mapping[str, Any]]
    present: list[str]
    notes: list[str]


def inspect(path: str | Path, columns: Columns = Columns(), *, encoding: str | None = None,  # noqa: B008  (frozen)
            labelled: bool = True, task: str | None = None) -> Layout:
    """Look at a file's first rows and say how it is laid out.

    Args:
        path: a CSV, TSV, JSONL, JSON, CoNLL, Parquet or XLSX file, those of text perhaps compressed with gzip; its
            content counts more than its name.
        columns: what is known already; columns that are not named here are inferred.
        encoding: Python codec name of a text format; found out from the bytes when left out.
        labelled: whether a label column is needed; without, none is looked for.
        task: ``text-classification``, ``named-entities``, ``question-answering`` or ``regression``; found out from the
            columns when left out.

    Raises:
        DataError: the file is missing, empty, of no known format, lacks a column, or does not fit the task.
        UnknownNameError: no such task.
    """
    path = Path(path)
    entities.check_task(task)
    if columns.label_separator == "":
        raise DataError("the label separator is empty", "give what stands between two labels: --label-separator ';'")
    name, reader = find_reader(path)
    codec = resolve(path, encoding) if reader.IS_TEXT else None
    sample, bad = _sample(path, reader, codec)
    rows = [unfolded(record.values) for record in sample]
    present = list(dict.fromkeys(key for row in rows for key in row))
    if not present:
        first = f": line {bad[0].line}: {bad[0].reason}" if bad else ""
        raise DataError(f"{path}: holds no rows{first}", "give a file with a header and at least one row of data")
    seen = _Seen(path, columns, rows, present, _format_notes(path, name, reader, codec, encoding))
    return replace(_roles(seen, task, labelled=labelled), reader=name, encoding=codec)


def _roles(seen: _Seen, task: str | None, *, labelled: bool) -> Layout:
    """Give the columns their roles; the format is left open."""
    path, columns, rows, present, notes = seen.path, seen.columns, seen.rows, seen.present, seen.notes
    asked = find_questions(path, columns, rows, present, task=task, labelled=labelled)
    if asked is not None:
        return _questions(seen, asked)
    tokens = entities.find_tokens(rows, present, columns.text)
    marks = None
    if (labelled or columns.label) and (task == entities.ENTITIES or not (columns.text_b or columns.label_separator)):
        marks = entities.find_marks(rows, present, tokens, columns.label, task)
        if entities.wanted(path, task, marks, rows, present) and marks is not None:
            return _entities(seen, marks)
    if marks is not None:
        seen = replace(seen, present=_without_marks(seen, marks, task))
    text, text_b = _texts_or_tokens(seen, tokens, labelled=labelled)
    label = None
    if labelled or columns.label:
        free = [one for one in seen.present if one not in (text, text_b)]
        label = _label(path, columns, rows, free, notes, task=task)
    _check_distinct(path, {"text": text, "text_b": text_b, "label": label})
    of_numbers = label is not None and _numeric(seen, label, task)
    multi = label is not None and not of_numbers and _several(columns, rows, label, notes)
    kind: ProblemType = ("regression" if of_numbers else
                         "multi_label_classification" if multi else "single_label_classification")
    return Layout(path=path, reader="", encoding=None, text=text, text_b=text_b, label=label,
                  label_separator=columns.label_separator if label else None, multi_label=multi, notes=tuple(notes),
                  problem_type=kind if label else None, tokens=text if text == tokens else None,
                  glue=_glue(seen, text) if text == tokens else " ")


def _questions(seen: _Seen, asked: Asked) -> Layout:
    """Lay out a file of questions with their contexts."""
    seen.notes.append(f"question answering: column {asked.question!r} asks, {asked.context!r} is what answers come from"
                      + (f", {asked.answers!r} holds them" if asked.answers else ""))
    _check_distinct(seen.path, {"text": asked.question, "text_b": asked.context, "label": asked.answers})
    return Layout(path=seen.path, reader="", encoding=None, text=asked.question, text_b=asked.context,
                  label=asked.answers, label_separator=None, multi_label=False, notes=tuple(seen.notes),
                  problem_type="question_answering" if asked.answers else None, answers=asked.answers,
                  impossible=asked.impossible, group=asked.group)


def _entities(seen: _Seen, marks: entities.Marks) -> Layout:
    """Lay out a file that is read for its entities."""
    path, notes, glue = seen.path, seen.notes, " "
    if seen.columns.text_b:
        raise DataError(f"{path}: entities are marked in one text, and {seen.columns.text_b!r} is named for a second",
                        "leave --text-b out")
    if marks.tokens is not None:
        text = marks.tokens
        notes.append(f"named entities: column {marks.column!r} holds a tag for each token of {text!r}")
        glue = _glue(seen, text)
    else:
        free = [column for column in seen.present if column != marks.column]
        # A second text beside the marked one is no pair here.
        text = _asked(path, "text", seen.columns.text, seen.present) if seen.columns.text else (
            roles.named(free, roles.TEXT_NAMES) or str(roles.longest_text(seen.rows, free)))
        notes.append(f"named entities: column {marks.column!r} marks spans of {text!r} ({marks.form})")
    _check_distinct(path, {"text": text, "label": marks.column})
    return Layout(path=path, reader="", encoding=None, text=text, text_b=None, label=marks.column, label_separator=None,
                  multi_label=False, notes=tuple(notes), problem_type="token_classification", tokens=marks.tokens,
                  spans=marks.column, glue=glue)


def _without_marks(seen: _Seen, marks: entities.Marks, task: str | None) -> list[str]:
    """Return the columns that a text's own label may stand in; the marks, which are not read, are told or refused."""
    free = [column for column in seen.present if column != marks.column]
    label = entities.class_column(seen.rows, seen.present, marks)
    if task is not None and (seen.columns.label or label is None):
        raise DataError(f"{seen.path} marks entities in column {marks.column!r}, and {task} needs one label for a text",
                        f"ask for {entities.ENTITIES} (or leave the task out), or name the label: --label COLUMN")
    if task is None:
        seen.notes.append(f"column {marks.column!r} marks entities, which are not read because {label!r} labels the "
                          f"texts: ask for the task {entities.ENTITIES} to read them")
    return free


def _texts_or_tokens(seen: _Seen, tokens: str | None, *, labelled: bool) -> tuple[str, str | None]:
    """Return the column of text and its pair; tokens are joined where no text is given."""
    named = roles.named(seen.present, roles.TEXT_NAMES)
    if tokens is None or (not seen.columns.text and named and roles.longest_text(seen.rows, [named])):
        return _texts(seen.path, seen.columns, seen.rows, seen.present, seen.notes, labelled=labelled)
    seen.notes.append(f"the text is joined from the tokens in column {tokens!r}")
    return tokens, None


def _glue(seen: _Seen, tokens: str) -> str:
    """Return what stands between the tokens, and say it."""
    cells = [as_list(row.get(tokens)) or [] for row in seen.rows]
    glue = glue_of([[token for token in cell if isinstance(token, str)] for cell in cells])
    seen.notes.append("tokens are joined to a text without spaces: they are single characters" if not glue else
                      "tokens are joined to a text with spaces, except between Chinese characters")
    return glue


def _sample(path: Path, reader: Reader, codec: str | None) -> tuple[list[Record], list[BadRow]]:
    rows = list(islice(reader.records(path, codec), _SAMPLE))
    return [row for row in rows if isinstance(row, Record)], [row for row in rows if isinstance(row, BadRow)]


def _format_notes(path: Path, name: str, reader: Reader, codec: str | None, asked: str | None) -> list[str]:
    notes = []
    if suffix_of(path) not in reader.SUFFIXES:
        notes.append(f"read as {name} because of its content, whatever its name says")
    if is_gzip(path) and reader.IS_TEXT:
        notes.append("unpacked while it is read: it is compressed with gzip")
    if codec not in (None, "utf-8", "utf-8-sig") and asked is None:
        notes.append(f"read as {codec}, found from its bytes")
    if codec is None and asked is not None:
        notes.append(f"the encoding {asked} was not used: {name} is not a text format")
    more = getattr(reader, "notes", None)
    return notes + (list(more(path, codec)) if more else [])


def _texts(path: Path, columns: Columns, rows: Sequence[Mapping[str, Any]], present: list[str], notes: list[str], *,
           labelled: bool) -> tuple[str, str | None]:
    text_b = _asked(path, "text_b", columns.text_b, present) if columns.text_b else None
    if columns.text:
        return _asked(path, "text", columns.text, present), text_b
    label = _asked(path, "label", columns.label, present) if columns.label else None
    free = [column for column in present if column not in (text_b, label)]
    pair = roles.named_pair(free) if text_b is None else None
    if pair:
        notes.append(f"text pairs are in the columns {pair[0]!r} and {pair[1]!r}, by their names")
        return pair
    text = roles.named(free, roles.TEXT_NAMES)
    if text is not None and roles.longest_text(rows, [text]):
        notes.append(f"the text is in column {text!r}, by its name")
        return text, text_b
    if labelled and label is None and (named := roles.named(free, roles.LABEL_NAMES)) and len(free) > 1:
        free.remove(named)
    text = roles.longest_text(rows, free)
    if text is None:
        raise DataError(f"{path}: found no column of text among {roles.shown(present)}",
                        "name it: --text COLUMN (or data.text=COLUMN)")
    notes.append(f"the text is in column {text!r}: its cells are the longest" if len(free) > 1
                 else f"the text is in column {text!r}, the only one")
    return text, text_b


def _label(path: Path, columns: Columns, rows: Sequence[Mapping[str, Any]], free: list[str], notes: list[str], *,
           task: str | None) -> str:
    if columns.label:
        return _asked(path, "label", columns.label, list(dict.fromkeys(key for row in rows for key in row)))
    label = roles.named(free, roles.LABEL_NAMES)
    if label is not None:
        notes.append(f"the label is in column {label!r}, by its name")
        return label
    numeric = [column for column in free if roles.plain(column) not in roles.ID_NAMES
               and numbers.numbers_in(rows, column)]
    label = roles.named(numeric, roles.NUMBER_NAMES)
    if label is not None:
        notes.append(f"the number to learn is in column {label!r}, by its name")
        return label
    likely = numeric if task == entities.REGRESSION else roles.few_values(rows, free)
    if not likely:
        others = roles.shown(free) or "the other columns (there are none)"
        raise DataError(f"{path}: found no label column among {others}",
                        "name it: --label COLUMN (or data.label=COLUMN)")
    why = "numbers" if task == entities.REGRESSION else "few distinct values"
    notes.append(f"the label is in column {likely[0]!r}: it holds {why}"
                 + (f" ({roles.shown(likely[1:])} would do as well: name it with --label)" if likely[1:] else ""))
    return likely[0]


def _numeric(seen: _Seen, label: str, task: str | None) -> bool:
    """Tell whether the numbers of a column are to be learned as such, and say what else could be."""
    if task == entities.REGRESSION:
        if seen.columns.label_separator is not None:
            raise DataError(f"{seen.path}: a text has one number, and {seen.columns.label_separator!r} stands between "
                            "several labels", "leave --label-separator out")
        if not any(numbers.numbers_in([row], label) for row in seen.rows):
            raise DataError(f"{seen.path}: column {label!r} holds no numbers, which regression learns",
                            "name the column of numbers: --label COLUMN")
        return True
    found = numbers.numbers_in(seen.rows, label)
    if task is not None or found is None or seen.columns.label_separator is not None:
        return False
    if numbers.are_amounts(found):
        seen.notes.append(f"column {label!r} holds {len(set(found))} different numbers, not all whole: they are "
                          "learned as numbers (--task text-classification takes each for a class)")
        return True
    if numbers.consecutive(found):
        seen.notes.append(f"the labels in {label!r} are whole numbers without a gap: if they are grades, "
                          "--task regression learns how far apart they are")
    return False


def _several(columns: Columns, rows: Sequence[Mapping[str, Any]], label: str, notes: list[str]) -> bool:
    """Tell whether a row may carry several labels; commas in a label are not enough."""
    if columns.label_separator is not None:
        notes.append(f"a row may carry several labels, with {columns.label_separator!r} between them")
        return True
    cells = [cell for row in rows if (cell := row.get(label)) not in (None, "")]
    if cells and all(as_list(cell) is not None for cell in cells):
        notes.append(f"a row may carry several labels: the cells of {label!r} are lists")
        return True
    return any(isinstance(cell, list) for cell in cells)


def _asked(path: Path, role: str, name: str, present: list[str]) -> str:
    """Return the column that the caller named, forgiving case and spaces."""
    if name in present:
        return name
    alike = [column for column in present if roles.plain(column) == roles.plain(name)]
    if len(alike) == 1:
        return alike[0]
    raise DataError(f"{path}: there is no column {name!r} for {role}; the columns are {roles.shown(present)}",
                    plugins.did_you_mean(name, present))


def _check_distinct(path: Path, chosen: Mapping[str, str | None]) -> None:
    """Refuse one column in two roles: a model that reads its own answer scores 100 % and has learned nothing."""
    given = [(role, column) for role, column in chosen.items() if column is not None]
    for place, (role, column) in enumerate(given):
        for other, same in given[:place]:
            if column == same:
                raise DataError(f"{path}: the column {column!r} is named for {other} and for {role}",
                                f"name another one: --{role.replace('_', '-')} COLUMN")
