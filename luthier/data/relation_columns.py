"""Which columns hold texts with two marked stretches, and the relation between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from luthier.data import columns as roles
from luthier.data.labels import as_list
from luthier.data.layout_values import Columns
from luthier.data.relations import inclusive, is_tagged, placed, untagged
from luthier.data.spans import glue_of, joined, token_list
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


@dataclass(frozen=True, slots=True)
class Related:
    """The columns of a file of relations."""

    text: str
    """Of the text, or of its tokens."""
    label: str | None
    """Of the relation; ``None`` where the rows are read without."""
    glue: str | None
    """What stands between the tokens, where the text is a list of such, which places then count."""
    head: str | None = None
    """Of the head: words or a place. ``None`` where the text holds tags, or ends are given."""
    tail: str | None = None
    types: tuple[str | None, str | None] = (None, None)
    """Of what the two arguments name."""
    ends: tuple[str, ...] = ()
    """Of first and last token of the head, and of the tail."""

    def read(self, values: Mapping[str, Any]) -> Marked:
        """Return the text of a row with its arguments.

        Raises:
            ValueError: there is no such, or they do not stand in the text.
        """
        places = None
        if self.glue is not None:
            text, places = joined(token_list(values.get(self.text), self.text), self.glue)
        else:
            text = _text(values, self.text)
        kinds = tuple(None if column is None else values.get(column) for column in self.types)
        types = kinds[0], kinds[1]
        if self.ends:
            return inclusive(text, places or (), [values.get(column) for column in self.ends], types)
        if self.head is None or self.tail is None:
            return untagged(text)
        return placed(text, values.get(self.head), values.get(self.tail), tokens=places, types=types)

    def told(self) -> str:
        """Return in words where everything stands."""
        how = (f"columns {roles.shown(self.ends)} mark tokens of {self.text!r}" if self.ends else
               f"the text in {self.text!r} holds <e1> and <e2>" if self.head is None else
               f"columns {self.head!r} and {self.tail!r} mark stretches of {self.text!r}")
        return f"relations: {how}" + (f", {self.label!r} names what holds between them" if self.label else "")


def find_related(path: Path, columns: Columns, rows: Rows, present: Sequence[str], *, task: str | None,
                 labelled: bool) -> Related | None:
    """Return the columns of a file of relations; ``None`` when it is none, or is asked to be read for something else.

    Args:
        path: of the file, for messages.
        columns: what the caller says of them.
        rows: the first rows.
        present: the columns that there are.
        task: what the caller asked for. Without it the arguments of most rows must stand in their texts, and there must
            be a column for the relation.
        labelled: whether relations are needed.

    Raises:
        DataError: relations were asked for, and the file does not mark two stretches or does not name relations.
    """
    if task not in (None, RELATIONS) or (task is None and (columns.text_b or columns.label_separator)):
        return None
    found = next((one for one in _candidates(rows, present, columns.text) if _mostly(rows, one)), None)
    if found is None:
        if task is None:
            return None
        raise DataError(f"{path} does not mark two stretches of each text; the columns are {roles.shown(present)}",
                        f"give {_FORMS}")
    taken = (found.text, found.head, found.tail, *found.types, *found.ends)
    free = [column for column in present if column not in taken]
    label = None
    if labelled or columns.label:
        label = _named(free, columns.label)
        if label is None and task is None:
            return None
        if label is None:
            raise DataError(f"{path}: found no column of relations among {roles.shown(free)}",
                            "name it: --label COLUMN (or data.label=COLUMN)")
    return replace(found, label=label)


def _candidates(rows: Rows, present: Sequence[str], asked: str | None) -> Iterator[Related]:
    """Yield what the columns could mean, the surest first."""
    tokens = next((name for name in roles.matching(present, [roles.plain(asked)] if asked else TOKEN_NAMES)
                   if any(as_list(row.get(name)) for row in rows)), None)
    cells = [as_list(row.get(tokens)) or [] for row in rows] if tokens else []
    glue = glue_of([[token for token in cell if isinstance(token, str)] for cell in cells])
    ends = tuple(roles.matching(present, INCLUSIVE_NAMES))
    if tokens is not None and len(ends) == len(INCLUSIVE_NAMES):
        types = roles.named(present, ["subjtype"]), roles.named(present, ["objtype"])
        yield Related(tokens, None, glue, types=types, ends=ends)
    named = ((roles.named(present, [head]), roles.named(present, [tail]))
             for head, tail in zip(HEAD_NAMES, TAIL_NAMES, strict=True))
    for head, tail in ((head, tail) for head, tail in named if head and tail):
        places = [_beside(present, name, PLACE_ENDINGS) or name for name in (head, tail)]
        types = _beside(present, head, TYPE_ENDINGS), _beside(present, tail, TYPE_ENDINGS)
        text = _text_column(rows, [one for one in present if one not in (head, tail, *places, *types)], asked)
        if text is not None:
            yield Related(text, None, None, places[0], places[1], types)
        if tokens is not None:
            yield Related(tokens, None, glue, places[0], places[1], types)
    for column in present:
        if any(is_tagged(row.get(column)) for row in rows) and asked in (None, column):
            yield Related(column, None, None)


def _beside(present: Sequence[str], name: str, endings: Sequence[str]) -> str | None:
    return roles.named(present, [roles.plain(name) + ending for ending in endings])


def _text_column(rows: Rows, free: Sequence[str], asked: str | None) -> str | None:
    if asked is not None:
        return roles.named(free, [roles.plain(asked)])
    named = roles.named(free, roles.TEXT_NAMES)
    return named if named and roles.longest_text(rows, [named]) else roles.longest_text(rows, free)


def _named(free: Sequence[str], asked: str | None) -> str | None:
    return roles.named(free, [roles.plain(asked)] if asked else (*RELATION_NAMES, *roles.LABEL_NAMES))


def _mostly(rows: Rows, related: Related) -> bool:
    return sum(_fits(row, related) for row in rows) > _ENOUGH * len(rows)


def _fits(row: Mapping[str, Any], related: Related) -> bool:
    try:
        related.read(row)
    except ValueError:
        return False
    return True


def _text(values: Mapping[str, Any], column: str) -> str:
    cell = values.get(column)
    if not isinstance(cell, str):
        raise ValueError(f"{column!r}: expected text, came {type(cell).__name__}")
    return cell
