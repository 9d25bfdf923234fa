"""Which columns hold texts with two marked stretches, and the relation between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from luthier.data import names as roles
from luthier.data.cells.arguments import INCLUSIVE_NAMES, in_tags, marked_row, opens_both
from luthier.data.cells.labels import as_list
from luthier.data.columns.arguments import OTHERWISE_NAMES, argument_columns
from luthier.data.columns.texts import asked_column, with_tokens
from luthier.data.layout_values import Columns, Layout, Seen
from luthier.errors import DataError

Rows = Sequence[Mapping[str, Any]]

RELATIONS = "relations"
"""Name of the task."""

RELATION_NAMES = ("relation", "relationtype", "rel", "predicate", "property", "关系", "关系类型", "谓语")
"""Names of the column of the relation; those of any label come behind them."""
TOKEN_NAMES = ("token", *roles.TOKEN_NAMES)

_FORMS = ('{"text": "…", "head": {"start": 0, "end": 4}, "tail": [9, 12], "relation": "…"}; in a table head and tail '
          "with head_offset and tail_offset (characters from 0), or head_start, head_end, tail_start and tail_end, or "
          "words that stand in the text once; <e1>…</e1> and <e2>…</e2>, or [E1]…[/E1] and [E2]…[/E2], in the text; or "
          "TACRED's token, subj_start, … obj_end")
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
    candidates = list(_candidates(seen))
    layout = next((one for one in candidates if _mostly(seen.rows, one)), None)
    if task is None and layout is not None and _named_otherwise(columns, layout):
        return None
    if layout is None:
        if task is None:
            return None
        why = "".join(f"; {_misfit(seen, one)}" for one in candidates[:1])
        raise DataError(f"{seen.path} does not mark two stretches of each text; the columns are "
                        f"{roles.shown(seen.present)}{why}", f"give {_FORMS}")
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
                   notes=(*layout.notes, *_passed_over(seen, candidates, layout), _told(layout, label)))


def unread(seen: Seen) -> list[str]:
    """Return what to say of a file whose marked stretches are not read: they do not fit, or the columns are named
    otherwise."""
    columns = seen.columns
    if columns.text_b or columns.label_separator:
        return []
    candidates = list(_candidates(seen))
    layout = next((one for one in candidates if _mostly(seen.rows, one)), None)
    if layout is None:
        return [f"relations are not read: {_misfit(seen, one)}; to read them, give {_FORMS}"
                for one in candidates if _surely(seen, one)][:1]
    told = f"{'tags' if in_tags(layout) else _columns(layout)} mark stretches of the texts, which are not read because"
    if _named_otherwise(columns, layout):
        return [f"{told} text and label are named: ask for the task {RELATIONS} to read them"]
    return [f"{told} no column is called a relation: read them with --task {RELATIONS} --label COLUMN"]


def _named_otherwise(columns: Columns, layout: Layout) -> bool:
    """Tell whether the caller named a text and a label that is not called a relation, beside columns whose names may
    mean something else, such as the subject line of a letter: what was named is then all there is."""
    return (columns.text is not None and columns.label is not None and roles.plain(columns.label) not in RELATION_NAMES
            and roles.plain(layout.more.get("head", "")) in OTHERWISE_NAMES
            and not layout.more.keys() & {"head place", "head start"})


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
    for more in argument_columns(present):
        text = _text_column(rows, [one for one in present if one not in (*more.values(), tokens)], asked)
        if text is not None and any(opens_both(row.get(text)) for row in rows):
            yield _layout(seen, text, {role: column for role, column in more.items() if role.endswith(" type")})
        if text is not None:
            yield _layout(seen, text, more)
        if tokens is not None and "head start" not in more:
            # Numbers count tokens here, so words cannot say how long an argument is.
            whole = {role: column for role, column in more.items() if f"{role} place" not in more}
            yield with_tokens(_layout(seen, tokens, whole), seen, tokens)
    for column in present:
        wanted = asked is None or roles.plain(asked) == roles.plain(column)
        if wanted and any(opens_both(row.get(column)) for row in rows):
            yield _layout(seen, column, {})


def _layout(seen: Seen, text: str, more: Mapping[str, str | None]) -> Layout:
    return Layout(path=seen.path, reader="", encoding=None, text=text, text_b=None, label=None, label_separator=None,
                  notes=seen.notes, more={role: column for role, column in more.items() if column is not None})


def _text_column(rows: Rows, free: Sequence[str], asked: str | None) -> str | None:
    if asked is not None:
        return roles.named(free, [roles.plain(asked)])
    named = roles.named(free, roles.TEXT_NAMES)
    return named if named and roles.longest_text(rows, [named]) else roles.longest_text(
        rows, [one for one in free if roles.plain(one) not in RELATION_NAMES])


def _mostly(rows: Rows, layout: Layout) -> bool:
    return sum(_fault(row, layout) is None for row in rows) > _ENOUGH * len(rows)


def _fault(row: Mapping[str, Any], layout: Layout) -> str | None:
    """Return why a row cannot be read."""
    try:
        marked_row(row, layout)
    except ValueError as error:
        return str(error)
    return None


def _surely(seen: Seen, layout: Layout) -> bool:
    """Tell whether columns or tags that do not fit were yet meant for relations: by their names, and a relation's."""
    if in_tags(layout):
        return sum(opens_both(row.get(layout.text)) for row in seen.rows) > _ENOUGH * len(seen.rows)
    if "head start" in layout.more or INCLUSIVE_NAMES[0] in layout.more:
        return True
    label = seen.columns.label or roles.named(seen.present, (*RELATION_NAMES, *roles.LABEL_NAMES))
    own = roles.plain(layout.more.get("head", OTHERWISE_NAMES[0]))
    return label is not None and not _named_otherwise(seen.columns, layout) and (
        roles.plain(label) in RELATION_NAMES or own not in OTHERWISE_NAMES)


def _misfit(seen: Seen, layout: Layout) -> str:
    """Return in words what does not fit in most rows."""
    faults = [fault for row in seen.rows if (fault := _fault(row, layout)) is not None]
    what = "tags" if in_tags(layout) else _columns(layout)
    return (f"{what} do not mark two stretches of {layout.text!r} in {len(faults):,} of the first {len(seen.rows):,} "
            f"rows, such as: {faults[0]}")


def _passed_over(seen: Seen, candidates: Sequence[Layout], layout: Layout) -> list[str]:
    """Say which columns of places are not read, because they do not fit."""
    for one in candidates[:candidates.index(layout)]:
        left = [column for column in one.more.values() if column not in (layout.text, *layout.more.values())]
        if left:
            return [f"{_misfit(seen, one)}; {roles.shown(left)} are not read"]
    return []


def _columns(layout: Layout) -> str:
    columns = [column for role, column in layout.more.items() if not role.endswith(" type")]
    return f"columns {' and '.join(map(repr, columns)) if len(columns) == 2 else roles.shown(columns)}"


def _told(layout: Layout, label: str | None) -> str:
    """Return in words where everything stands."""
    marked = "tokens" if INCLUSIVE_NAMES[0] in layout.more else "stretches"
    how = (f"the text in {layout.text!r} holds tags of e1 and e2" if in_tags(layout) else
           f"{_columns(layout)} mark {marked} of {layout.text!r}")
    return f"relations: {how}" + (f", {label!r} names what holds between them" if label else "")
