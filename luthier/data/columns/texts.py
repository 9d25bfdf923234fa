"""Which columns hold a text (or a pair, or tokens) and its label, where nothing but names and values tells."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from luthier import plugins
from luthier.data import names as roles
from luthier.data.cells import numbers
from luthier.data.cells.flags import are_flags
from luthier.data.cells.labels import as_list
from luthier.data.cells.paths import columns_in
from luthier.data.cells.spans import glue_of
from luthier.data.columns import entities
from luthier.data.columns.targets import are_targets
from luthier.data.layout_values import Layout, Seen
from luthier.errors import DataError

_WRITTEN = ("target", "targets", "output")
"""Names of labels that texts which shall be written have as well."""
_TAG = re.compile(r"O|[BIOESLUM]-\S+")
_FEW = 10
"""Cells from which on tags are surely such."""
_ALIKE = 4
"""Times as long as the texts of one unnamed column those of another may be to make a pair."""


def find_texts(seen: Seen, task: str | None, *, labelled: bool, numeric: bool = False) -> Layout:
    """Say where texts and their labels are.

    Args:
        seen: the first rows.
        task: what the caller asked for, for messages.
        labelled: whether a label is needed; without, only one that the caller named is looked for.
        numeric: whether the label is a number.

    Returns:
        The layout, without a problem type: that depends on what the labels are.

    Raises:
        DataError: a column is missing, or only entities are marked.
    """
    columns = seen.columns
    tokens = entities.find_tokens(seen.rows, seen.present, columns.text)
    if (labelled or columns.label) and not (columns.text_b or columns.label_separator):
        marks = entities.find_marks(seen.rows, seen.present, tokens, columns.label)
        if marks is not None:
            seen = _without_marks(seen, marks, task)
    text, text_b, notes = _texts_or_tokens(seen, tokens, labelled=labelled)
    label = None
    if labelled or columns.label:
        label, more = _label(seen, [one for one in seen.present if one not in (text, text_b)], numeric=numeric)
        notes += more
    _refuse_tags(seen, (text, label))
    levels = columns_in(label) if label is not None and label not in seen.present else [label]
    for level in levels:
        check_distinct(seen.path, {"text": text, "text_b": text_b, "label": level})
    layout = Layout(path=seen.path, reader="", encoding=None, text=text, text_b=text_b, label=label,
                    label_separator=columns.label_separator if label else None, notes=(*seen.notes, *notes))
    return with_tokens(layout, seen, tokens) if text == tokens else layout


def _refuse_tags(seen: Seen, columns: Sequence[str | None]) -> None:
    """Refuse a table of tokens and their tags, each of which would be a text.

    Raises:
        DataError: the cells of a column are tags.
    """
    for column in columns:
        cells = [str(cell) for row in seen.rows if column is not None and (cell := row.get(column)) not in (None, "")]
        tags = [cell for cell in cells if _TAG.fullmatch(cell)]
        if len(cells) >= _FEW and len(tags) > numbers.MOST * len(cells) and len(set(tags)) > 1:
            raise DataError(f"{seen.path}: column {column!r} holds tags of tokens, such as {tags[0]!r}: a row of the "
                            "table is no text",
                            "write CoNLL's form: a token and its tag on each line, the tag last, and an empty line "
                            "between sentences")


def with_tokens(layout: Layout, seen: Seen, tokens: str) -> Layout:
    """Return the layout of texts that are joined from a column of tokens, saying what stands between them."""
    cells = [as_list(row.get(tokens)) or [] for row in seen.rows]
    glue = glue_of([[token for token in cell if isinstance(token, str)] for cell in cells])
    note = ("tokens are joined to a text without spaces: they are single characters" if not glue else
            "tokens are joined to a text with spaces, except between Chinese characters")
    return replace(layout, tokens=tokens, glue=glue, notes=(*layout.notes, note))


def asked_column(path: Path, role: str, name: str, present: Sequence[str]) -> str:
    """Return the column that the caller named, forgiving case and spaces.

    Raises:
        DataError: there is none, or several are alike.
    """
    if name in present:
        return name
    alike = [column for column in present if roles.plain(column) == roles.plain(name)]
    if len(alike) == 1:
        return alike[0]
    raise DataError(f"{path}: there is no column {name!r} for {role}; the columns are {roles.shown(present)}",
                    plugins.did_you_mean(name, present))


def check_distinct(path: Path, chosen: Mapping[str, str | None]) -> None:
    """Refuse one column in two roles: a model that reads its own answer scores 100 % and has learned nothing.

    Raises:
        DataError: names the column and both roles.
    """
    given = [(role, column) for role, column in chosen.items() if column is not None]
    for place, (role, column) in enumerate(given):
        for other, same in given[:place]:
            if column == same:
                raise DataError(f"{path}: the column {column!r} is named for {other} and for {role}",
                                f"name another one: --{role.replace('_', '-')} COLUMN")


def _without_marks(seen: Seen, marks: entities.Marks, task: str | None) -> Seen:
    """Leave the column of marks out, which is not read, and say so; refuse where there is no label beside it."""
    label = entities.class_column(seen.rows, seen.present, marks)
    if task is not None and (seen.columns.label or label is None):
        raise DataError(f"{seen.path} marks entities in column {marks.column!r}, and {task} needs one label for a text",
                        f"ask for {entities.ENTITIES} (or leave the task out), or name the label: --label COLUMN")
    free = tuple(column for column in seen.present if column != marks.column)
    if task is not None:
        return replace(seen, present=free)
    note = (f"column {marks.column!r} marks entities, which are not read because {label!r} labels the "
            f"texts: ask for the task {entities.ENTITIES} to read them")
    return replace(seen, present=free, notes=(*seen.notes, note))


def _texts_or_tokens(seen: Seen, tokens: str | None, *, labelled: bool) -> tuple[str, str | None, list[str]]:
    """Return the column of text and its pair, and what was inferred; tokens are joined where no text is given."""
    named = roles.named(seen.present, roles.TEXT_NAMES)
    if tokens is None or (not seen.columns.text and named and roles.longest_text(seen.rows, [named])):
        return _texts(seen, labelled=labelled)
    return tokens, None, [f"the text is joined from the tokens in column {tokens!r}"]


def _texts(seen: Seen, *, labelled: bool) -> tuple[str, str | None, list[str]]:
    path, columns, present = seen.path, seen.columns, seen.present
    text_b = asked_column(path, "text_b", columns.text_b, present) if columns.text_b else None
    if columns.text:
        return asked_column(path, "text", columns.text, present), text_b, []
    taken = {text_b, *(columns_in(_asked_label(seen)) if columns.label else ())}
    free = [column for column in present if column not in taken]
    if text_b is None and (pair := roles.named_pair(free)):
        return *pair, [f"text pairs are in the columns {pair[0]!r} and {pair[1]!r}, by their names"]
    if text_b is None and labelled and (labelled_pair := _labelled_pair(seen, free)):
        one, other, why = labelled_pair
        return one, other, [f"text pairs are in the columns {one!r} and {other!r}, {why}"]
    text = roles.named(free, roles.TEXT_NAMES)
    if text is not None and roles.longest_text(seen.rows, [text]):
        return text, text_b, [f"the text is in column {text!r}, by its name"]
    if labelled and not columns.label and (named := roles.named(free, roles.LABEL_NAMES)) and len(free) > 1:
        free.remove(named)
    text = roles.longest_text(seen.rows, free)
    if text is None:
        raise DataError(f"{path}: found no column of text among {roles.shown(present)}",
                        "name it: --text COLUMN (or data.text=COLUMN)")
    return text, text_b, [f"the text is in column {text!r}: its cells are the longest" if len(free) > 1
                          else f"the text is in column {text!r}, the only one"]


def _labelled_pair(seen: Seen, free: Sequence[str]) -> tuple[str, str, str] | None:
    """Return two columns of texts that a third one labels, and why: by names that mean more without it, or unnamed."""
    rows, listed = seen.rows, {roles.plain(column): column for column in reversed(free)}

    def label_beside(pair: tuple[str, str]) -> bool:
        rest = [column for column in free if column not in pair]
        return bool(seen.columns.label or roles.named(rest, roles.LABEL_NAMES) or roles.few_values(rows, rest))

    for one, other in roles.LABELLED_PAIRS:
        pair = listed.get(one, ""), listed.get(other, "")
        if all(pair) and all(_differ(rows, column) for column in pair) and label_beside(pair):
            return *pair, "by their names and the label beside them"
    texts = [column for column in free if _differ(rows, column)]
    unnamed = all(roles.UNNAMED.fullmatch(column) for column in free)
    if len(texts) != 2 or not unnamed or not label_beside((texts[0], texts[1])):
        return None
    shorter, longer = sorted(sum(len(str(row.get(column) or "")) for row in rows) for column in texts)
    return (texts[0], texts[1], "two of texts beside a label") if longer <= _ALIKE * shorter else None


def _differ(rows: Sequence[Mapping[str, Any]], column: str) -> bool:
    """Tell whether a column holds texts that do not repeat as labels do."""
    return roles.longest_text(rows, [column]) is not None and not roles.few_values(rows, [column])


def _asked_label(seen: Seen) -> str:
    """Return the column that the caller named for the label; of several, one for each level, all with commas between.

    Raises:
        DataError: there is no such column.
    """
    asked = seen.columns.label or ""
    every = list(dict.fromkeys(key for row in seen.rows for key in row))
    if asked in every or "," not in asked:
        return asked_column(seen.path, "label", asked, every)
    return ",".join(asked_column(seen.path, "label", level, every) for level in columns_in(asked))


def _label(seen: Seen, free: list[str], *, numeric: bool) -> tuple[str, list[str]]:
    """Return the column of the label, and what was inferred."""
    rows = seen.rows
    if seen.columns.label:
        return _asked_label(seen), []
    named = roles.matching(free, roles.LABEL_NAMES)
    if named:
        # What is to be written is called so, too, and may have a label beside it.
        written = roles.plain(named[0]) in _WRITTEN and are_targets(rows, named[0]) and not any(
            as_list(row.get(named[0])) for row in rows)
        rest = [one for one in named if roles.plain(one) not in _WRITTEN and not _differ(rows, one)]
        chosen = rest[0] if written and rest else named[0]
        same = [one for one in named if one != chosen and not written]
        more = (f" ({roles.shown(same)} would do as well: name one with --label, or levels of one label with "
                f"--label {chosen},{same[0]})") if same else ""
        return chosen, [f"the label is in column {chosen!r}, by its name{more}"]
    counted = [column for column in free if not roles.numbers_rows(column)
               and numbers.numbers_in(rows, column)]
    label = roles.named(counted, roles.NUMBER_NAMES)
    if label is not None:
        return label, [f"the number to learn is in column {label!r}, by its name"]
    likely = counted if numeric else roles.few_values(rows, free)
    if not likely:
        others = roles.shown(free) or "the other columns (there are none)"
        raise DataError(f"{seen.path}: found no label column among {others}",
                        "name it: --label COLUMN (or data.label=COLUMN)" + (
                            "" if numeric else _other_tasks(seen, free)))
    why = "numbers" if numeric else "few distinct values"
    others = f" ({roles.shown(likely[1:])} would do as well: name it with --label)" if likely[1:] else ""
    return likely[0], [f"the label is in column {likely[0]!r}: it holds {why}{others}", *_several(rows, free)]


def _other_tasks(seen: Seen, free: Sequence[str]) -> str:
    """Return which tasks could use a file without a label."""
    if any(are_targets(seen.rows, column) for column in free) or roles.named_pair(seen.present):
        return ("; where texts are to be written: --task text-to-text, where they answer somebody: --task dialogue, "
                "where those that belong together are to be found: --task similarity")
    if any(not roles.numbers_rows(column) and numbers.numbers_in(seen.rows, column) for column in free):
        return "; where a number is to be learned: --task regression --label COLUMN"
    return "" if free else "; from texts alone learn --task masked-language-modelling and causal-language-modelling"


def _several(rows: Sequence[Mapping[str, Any]], free: Sequence[str]) -> list[str]:
    """Return what to say where several columns say yes or no, which may be a label each."""
    columns = [column for column in free if are_flags(rows, column)]
    return [f"{roles.shown(columns)} say yes or no: --label {','.join(columns)} reads each as a label that may apply"
            ] if len(columns) > 1 else []
