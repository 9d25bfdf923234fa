"""Which columns hold spans of a text and the relations between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from luthier.data import names as roles
from luthier.data.cells.labels import as_list, spelt
from luthier.data.cells.triples import is_said, is_spoken, names_places, names_relations
from luthier.data.columns.entities import Marks, class_column, find_tokens
from luthier.data.columns.texts import asked_column, check_distinct, with_tokens
from luthier.data.layout_values import Layout, Seen
from luthier.errors import DataError
from luthier.schema import ProblemType

Rows = Sequence[Mapping[str, Any]]

TRIPLES = "entities-and-relations"
"""Name of the task."""
PROBLEM: ProblemType = "joint_extraction"
RELATION_NAMES = ("relations", "triples", "triplelist", "spolist", "relation", "rels", "links", "relationmentions",
                  "关系", "三元组")
"""Names of the column of relations, as ``plain`` writes them, the likelier first."""

_FORMS = ('{"text": "…", "entities": [{"start": 0, "end": 4, "label": "…"}, …], "relations": [{"subject": 0, '
          '"object": 1, "label": "…"}]}, the same with "tokens", or {"text": "…", "spo_list": [{"subject": "…", '
          '"predicate": "…", "object": "…"}]}')
_ENOUGH = 0.5
"""Share of the filled cells that must have the form; the others are bad rows."""


def find_triples(seen: Seen, task: str | None, *, labelled: bool) -> Layout | None:
    """Take files that list the relations between spans that they list, too, or between words of the text.

    Raises:
        DataError: entities and relations were asked for, and the file does not list them.
    """
    columns = seen.columns
    if task not in (None, TRIPLES) or not (labelled or columns.label):
        return None
    if task is None and (columns.text_b or columns.label_separator):
        return None
    layout = _layout(seen, sure=task is not None)
    if layout is None and task is not None:
        raise DataError(f"{seen.path} lists no relations between entities; the columns are {roles.shown(seen.present)}",
                        f"give {_FORMS}; name the column: --label COLUMN")
    return layout


def _layout(seen: Seen, *, sure: bool) -> Layout | None:
    rows, asked = seen.rows, seen.columns.label
    for column in roles.matching(seen.present, [roles.plain(asked)] if asked else RELATION_NAMES):
        if not sure and not asked and class_column(rows, seen.present, Marks(column, None, "")) is not None:
            return None
        if _mostly(rows, column, is_spoken):
            return _laid_out(seen, column, None)
        lists = [one for one in roles.matching(seen.present, roles.SPAN_NAMES) if one != column and any(
            _is_list(row.get(one)) for row in rows)]
        # Where they were asked for, lists that are empty so far will do.
        if lists and (_mostly(rows, column, names_relations) or (sure and _all_empty(rows, column))):
            return _laid_out(seen, column, lists[0])
        if not lists and _mostly(rows, column, is_said):
            return _laid_out(seen, column, None)
    return None


def _laid_out(seen: Seen, relations: str, entities: str | None) -> Layout | None:
    free = [column for column in seen.present if column not in (relations, entities)]
    text = asked_column(seen.path, "text", seen.columns.text, seen.present) if seen.columns.text else (
        roles.named(free, roles.TEXT_NAMES))
    tokens = find_tokens(seen.rows, free, seen.columns.text)
    if tokens is not None and (text == tokens or text is None or roles.longest_text(seen.rows, [text]) is None):
        text = tokens
    text = text or roles.longest_text(seen.rows, free)
    if text is None:
        return None
    check_distinct(seen.path, {"text": text, "label": relations, "entities": entities})
    told = (f"column {entities!r} marks entities in {text!r}, and {relations!r} the relations between them"
            if entities else f"column {relations!r} names words of {text!r} and the relations between them, which are "
            "taken where the words first stand whole")
    layout = Layout(path=seen.path, reader="", encoding=None, text=text, text_b=None, label=relations,
                    label_separator=None, notes=(*seen.notes, f"entities and relations: {told}"), problem_type=PROBLEM,
                    more={} if entities is None else {"entities": entities} | _by_place(seen.rows, entities, relations))
    return with_tokens(layout, seen, tokens) if text == tokens else layout


def _by_place(rows: Rows, entities: str, relations: str) -> dict[str, str]:
    """Say that relations name entities by their places, if the relations of one row cannot name ids."""
    return {"by place": entities} if any(names_places(row.get(entities), row.get(relations)) for row in rows) else {}


def _mostly(rows: Rows, column: str, test: Callable[[Any], bool]) -> bool:
    """Tell whether most cells pass a test, of those that list something, if any does."""
    cells = [cell for row in rows if (cell := spelt(row.get(column))) not in (None, "", [])]
    return bool(cells) and sum(map(test, cells)) > _ENOUGH * len(cells)


def _all_empty(rows: Rows, column: str) -> bool:
    return all((cell := row.get(column)) is None or as_list(spelt(cell)) == [] for row in rows)


def _is_list(cell: Any) -> bool:
    return as_list(spelt(cell)) is not None
