"""Which columns hold texts with two marked stretches, and the relation between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from luthier.data import names as roles
from luthier.data.cells.labels import as_list
from luthier.data.cells.relations import inclusive, is_tagged, placed, untagged
from luthier.data.cells.texts import text_cell, tokens_of_row
from luthier.data.columns.texts import asked_column, with_tokens
from luthier.data.layout_values import Columns, Layout, Seen
from luthier.errors import DataError
from luthier.schema import Marked

Rows = Sequence[Mapping[str, Any]]

RELATIONS = "relations"
"""Name of the task."""

HEAD_NAMES = ("head", "e1", "h", "subject", "subj", "entity1", "headentity", "subjectentity", "arg1",
              "头实体", "主体", "主语", "实体1")
TAIL_NAMES = ("tail", "e2", "t", "object", "obj", "entity2", "tailentity", "objectentity", "arg2",
              "尾实体", "客体", "宾语", "实体2")
"""Names of the columns of the two arguments, as ``plain`` writes them, in pairs."""
OTHERWISE_NAMES = ("subject", "subj", "h", "主体", "主语")
"""Those of a head that other files have, too."""
PLACE_ENDINGS = ("span", "pos", "position", "offset", "offsets", "位置")
TYPE_ENDINGS = ("type", "类型")
"""What is put behind an argument's name for the column of its place or its type."""
INCLUSIVE_NAMES = ("subjstart", "subjend", "objstart", "objend")
"""Names of TACRED's columns of first and last tokens."""
RELATION_NAMES = ("relation", "relationtype", "rel", "predicate", "property", "关系", "关系类型", "谓语")
"""Names of the column of the relation; those of any label come behind them."""
TOKEN_NAMES = ("token", *roles.TOKEN_NAMES)

_FORMS = ('{"text": "…", "head": {"start": 0, "end": 4}, "tail": [9, 12], "relation": "…"}, <e1>…</e1> and <e2>…</e2> '
          "in the text, or TACRED's token, subj_start, … obj_end")
_ENOUGH = 0.5
"""Share of the rows that must have the form; the others are bad rows."""


def find_related(seen: Seen, task: str | None, *, labelled: bool) -> Layout | None:
    """Take files that mark two stretches of each text, and name the relation between them.

    Without the name of the task most rows must have stretches that stand in their texts, and there must be a column
    for the relation.

    Raises:
        DataError: relations were asked for, and the file does not mark two stretches or does not name relations.
    """
    columns = seen.columns
    if task not in (None, RELATIONS) or (task is None and (columns.text_b or columns.label_separator or not labelled)):
        return None
    layout = next((one for one in _candidates(seen) if _mostly(seen.rows, one)), None)
    if task is None and layout is not None and _named_otherwise(columns, layout):
        return None
    if layout is None:
        if task is None:
            return None
        raise DataError(f"{seen.path} does not mark two stretches of each text; the columns are "
                        f"{roles.shown(seen.present)}", f"give {_FORMS}")
    free = [column for column in seen.present if column not in (layout.text, *layout.more.values())]
    label = None
    if labelled or columns.label:
        label = (asked_column(seen.path, "label", columns.label, free) if columns.label else
                 roles.named(free, (*RELATION_NAMES, *roles.LABEL_NAMES)))
        if label is None and task is None:
            return None
        if label is None:
            raise DataError(f"{seen.path}: found no column of relations among {roles.shown(free)}",
                            "name it: --label COLUMN (or data.label=COLUMN)")
    return replace(layout, label=label, problem_type="relation_classification",
                   notes=(*layout.notes, _told(layout, label)))


def unread(seen: Seen) -> list[str]:
    """Return what to say of a file whose marked stretches are not read, because its columns are named otherwise."""
    columns = seen.columns
    if columns.text_b or columns.label_separator or columns.text is None or columns.label is None:
        return []
    layout = next((one for one in _candidates(seen) if _mostly(seen.rows, one)), None)
    if layout is None or not _named_otherwise(columns, layout):
        return []
    return [f"columns {layout.more['head']!r} and {layout.more['tail']!r} mark stretches of the texts, which are not "
            f"read because text and label are named: ask for the task {RELATIONS} to read them"]


def marked_row(values: Mapping[str, Any], layout: Layout) -> Marked:
    """Return the text of a row with its two stretches.

    Raises:
        ValueError: there are no such, or they do not stand in the text.
    """
    places = None
    if layout.tokens is not None:
        text, places = tokens_of_row(values, layout.tokens, layout.glue)
    else:
        text = text_cell(values, layout.text)
    cells = {role: values.get(column) for role, column in layout.more.items()}
    types = cells.get("head type"), cells.get("tail type")
    if places is not None and INCLUSIVE_NAMES[0] in cells:
        return inclusive(text, places, [cells[role] for role in INCLUSIVE_NAMES], types)
    if "head" not in cells:
        return untagged(text)
    return placed(text, cells["head"], cells["tail"], tokens=places, types=types)


def _named_otherwise(columns: Columns, layout: Layout) -> bool:
    """Tell whether the caller named a text and a label that is not called a relation, beside columns whose names may
    mean something else, such as the subject line of a letter: what was named is then all there is."""
    return (columns.text is not None and columns.label is not None and roles.plain(columns.label) not in RELATION_NAMES
            and roles.plain(layout.more.get("head", "")) in OTHERWISE_NAMES)


def _candidates(seen: Seen) -> Iterator[Layout]:
    """Yield what the columns could mean, the surest first."""
    rows, present, asked = seen.rows, seen.present, seen.columns.text
    tokens = next((name for name in roles.matching(present, [roles.plain(asked)] if asked else TOKEN_NAMES)
                   if any(as_list(row.get(name)) for row in rows)), None)
    ends = roles.matching(present, INCLUSIVE_NAMES)
    if tokens is not None and len(ends) == len(INCLUSIVE_NAMES):
        types = {"head type": roles.named(present, ["subjtype"]), "tail type": roles.named(present, ["objtype"])}
        yield with_tokens(_layout(seen, tokens, {**dict(zip(INCLUSIVE_NAMES, ends, strict=True)), **types}), seen,
                          tokens)
    for head, tail in zip(HEAD_NAMES, TAIL_NAMES, strict=True):
        more = {"head": _place(present, head), "tail": _place(present, tail),
                "head type": _beside(present, head, TYPE_ENDINGS), "tail type": _beside(present, tail, TYPE_ENDINGS)}
        if not (more["head"] and more["tail"]):
            continue
        named = {roles.named(present, [name]) for name in (head, tail)}
        text = _text_column(rows, [one for one in present if one not in (*named, *more.values())], asked)
        if text is not None:
            yield _layout(seen, text, more)
        if tokens is not None:
            yield with_tokens(_layout(seen, tokens, more), seen, tokens)
    for column in present:
        wanted = asked is None or roles.plain(asked) == roles.plain(column)
        if wanted and any(is_tagged(row.get(column)) for row in rows):
            yield _layout(seen, column, {})


def _layout(seen: Seen, text: str, more: Mapping[str, str | None]) -> Layout:
    return Layout(path=seen.path, reader="", encoding=None, text=text, text_b=None, label=None, label_separator=None,
                  notes=seen.notes, more={role: column for role, column in more.items() if column is not None})


def _place(present: Sequence[str], name: str) -> str | None:
    """Return the column that says where an argument stands: one of its place, else that of the argument itself."""
    own = roles.named(present, [name])
    return (_beside(present, name, PLACE_ENDINGS) or own) if own else None


def _beside(present: Sequence[str], name: str, endings: Sequence[str]) -> str | None:
    return roles.named(present, [name + ending for ending in endings])


def _text_column(rows: Rows, free: Sequence[str], asked: str | None) -> str | None:
    if asked is not None:
        return roles.named(free, [roles.plain(asked)])
    named = roles.named(free, roles.TEXT_NAMES)
    return named if named and roles.longest_text(rows, [named]) else roles.longest_text(rows, free)


def _mostly(rows: Rows, layout: Layout) -> bool:
    return sum(_fits(row, layout) for row in rows) > _ENOUGH * len(rows)


def _fits(row: Mapping[str, Any], layout: Layout) -> bool:
    try:
        marked_row(row, layout)
    except ValueError:
        return False
    return True


def _told(layout: Layout, label: str | None) -> str:
    """Return in words where everything stands."""
    how = (f"columns {layout.more['head']!r} and {layout.more['tail']!r} mark stretches of {layout.text!r}"
           if "head" in layout.more else
           f"columns {roles.shown([layout.more[role] for role in INCLUSIVE_NAMES])} mark tokens of {layout.text!r}"
           if layout.more else f"the text in {layout.text!r} holds <e1> and <e2>")
    return f"relations: {how}" + (f", {label!r} names what holds between them" if label else "")
