"""Rows that annotation tools and data sets nest, laid open: tasks of Label Studio, documents of sentences, and more."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from luthier.data.cells.documents import document
from luthier.data.cells.labels import spelt
from luthier.data.cells.marks import has_place
from luthier.data.cells.paths import JOINED
from luthier.data.cells.selected import selected
from luthier.data.names import TEXT_NAMES, named, plain

_RESULTS = ("annotations", "completions")
"""Keys of what annotators said of a task of Label Studio; the second one is of its old versions."""
_RELATION = {"from_id", "to_id", "label"}
"""Keys of a relation as ``unfolded`` writes it."""
_KINDS = {"choices": "choices", "taxonomy": "taxonomy", "rating": "rating", "number": "number", "text": "textarea"}
"""Keys of what a result says of the whole text, with the type of such a result."""
_USUAL = {"choices": "label", "taxonomy": "label", "rating": "rating", "number": "value", "textarea": "target"}
"""Names of a column of such results, where their own will not do."""
_SOURCES = ("dialogue", "dialog", "conversation", "对话")
"""Names of texts that something is written for, which are not among those of any text."""
_COUNTED = frozenset((
    "inner_id", "project", "file_upload", "created_at", "updated_at", "updated_by", "is_labeled", "overlap",
    "total_annotations", "cancelled_annotations", "total_predictions", "comment_count", "unresolved_comment_count",
    "last_comment_updated_at", "comment_authors"))
"""What Label Studio notes of a task: few different values, which would be taken for labels."""


def unfolded(values: dict[str, Any]) -> dict[str, Any]:
    """Lay a row open that a data set or an annotation tool nests; return any other as it is.

    Of data sets these are documents of sentences, and passages of which some were selected; of tools it is Label
    Studio.

    In the full export the text stands below ``data``, and what was said of it in the results of the first annotation
    that was not cancelled: spans, with relations between them if there are any, and choices, paths of a taxonomy,
    numbers and texts, each in a column that is called as in the project. In the short one (JSON-MIN, CSV) these columns
    are there already, and several choices still stand within an object.
    """
    if (found := document(values) or selected(values)) is not None:
        return found
    data, given = values.get("data"), _given(values)
    if isinstance(data, dict) and given is not None:
        return _task(values, data, *given)
    short = _is_short(values)
    said = {name: answer for name, cell in values.items() if (short or isinstance(cell, dict))
            and (answer := _short_answer(cell, short=short)) is not None}
    return {**values, **said} if said else values


def has_several(values: Mapping[str, Any]) -> bool:
    """Tell whether several people annotated a task of Label Studio, of whom only the first is read."""
    given = _given(values) if isinstance(values.get("data"), dict) else None
    return given is not None and len(given[1]) > 1


def marks_of(values: Mapping[str, Any], column: str) -> Any:
    """Return the cell that marks spans: an empty list where an annotator was done with a row and marked nothing.

    Label Studio's short export and Prodigy leave the key out then, and CSV leaves the cell empty.
    """
    cell, short = values.get(column), _is_short(values)
    accepted = "_input_hash" in values and values.get("answer") == "accept"
    left_out = column not in values or (short and isinstance(cell, str) and not cell)
    return [] if left_out and (short or accepted) else cell


def is_task(row: Mapping[str, Any]) -> bool:
    """Tell whether a row was a task of Label Studio in which spans were marked."""
    relations = row.get("relations")
    marks: list[Any] = next((row[key] for key in _RESULTS if isinstance(row.get(key), list)), [])
    if not isinstance(relations, list) or not marks:
        return False
    return (all(isinstance(one, Mapping) and set(one) == _RELATION for one in relations)
            and all(isinstance(one, Mapping) and _lists_labels(one) for one in marks))


def _given(values: Mapping[str, Any]) -> tuple[str, list[Any]] | None:
    """Return the key of the annotations of a task, and those that were not cancelled; ``None`` without such a key."""
    key = next((key for key in _RESULTS if isinstance(values.get(key), list)), None)
    return None if key is None else (
        key, [one for one in values[key] if isinstance(one, dict) and not one.get("was_cancelled")])


def _task(values: Mapping[str, Any], data: Mapping[str, Any], key: str, done: list[Any]) -> dict[str, Any]:
    results = done[0].get("result", []) if done else None
    members = [one for one in results or () if isinstance(one, dict)]
    related = [{"from_id": start, "to_id": end, "label": label}
               for one in members if one.get("type") == "relation" and one.get("from_id") is not None
               for start, end in _directions(one) for label in one.get("labels") or [None]]
    spans = [{**({"id": one.get("id")} if related else {}), **one["value"]} for one in members if _is_span(one)]
    found = {key: None} if results is None else {key: spans, "relations": related}
    row = {**{name: cell for name, cell in values.items() if name != "data"}, **data, **found}
    said = _said(members, row)
    kept = {name: cell for name, cell in row.items() if name in data or name not in _COUNTED} if said else row
    return {**kept, **said}


def _is_span(result: Mapping[str, Any]) -> bool:
    """Tell whether a result marks a span; what was chosen or written of a span has its place, too, and is not read."""
    value = result.get("value")
    if not isinstance(value, Mapping) or not has_place(value):
        return False
    return _lists_labels(value) or (result.get("type") not in _USUAL and not _USUAL.keys() & value.keys())


def _lists_labels(value: Mapping[str, Any]) -> bool:
    return any(plain(str(key)).endswith("labels") and isinstance(cell, list) for key, cell in value.items())


def _directions(relation: Mapping[str, Any]) -> list[tuple[Any, Any]]:
    """Return the ends of an arrow of Label Studio: from and to, turned round, or both ways."""
    there = relation["from_id"], relation.get("to_id")
    back = there[::-1]
    turned: dict[Any, list[tuple[Any, Any]]] = {"left": [back], "bi": [there, back]}
    return turned.get(relation.get("direction"), [there])


def _said(members: Collection[Mapping[str, Any]], row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what results say of the whole text: column -> the one answer, or a list of several."""
    gathered: dict[tuple[str, str], list[Any]] = {}
    for one in members:
        value = one.get("value")
        if isinstance(value, Mapping) and not has_place(value):
            kind, answers = _answers(value)
            if answers:
                gathered.setdefault((str(one.get("from_name") or ""), kind), []).extend(answers)
    said: dict[str, Any] = {}
    for (own, kind), answers in gathered.items():
        said[_column(own, kind, {**row, **said})] = _one_or_all(answers)
    return said


def _answers(value: Mapping[str, Any]) -> tuple[str, list[Any]]:
    """Return the type of a result and what it says of the whole text; nothing where it says something else."""
    key = next((key for key in _KINDS if value.get(key) is not None), "")
    cell = value.get(key)
    if key in ("rating", "number"):
        return key, [cell]
    members = cell if isinstance(cell, list) else [cell]
    # A choice below another one comes as the path to it, as all of a taxonomy do.
    return _KINDS.get(key, ""), [JOINED.join(map(str, one)) if isinstance(one, list) else one
                                 for one in members if one not in (None, [])]


def _column(own: str, kind: str, taken: Collection[str]) -> str:
    """Return the name of a column of results: their own, unless another has it or it would be taken for the text's."""
    likelier = TEXT_NAMES[: TEXT_NAMES.index(plain(own))] if plain(own) in TEXT_NAMES else None
    textual = likelier is not None and named(list(taken), (*likelier, *_SOURCES)) is None
    if own and own not in taken and not textual:
        return own
    return _USUAL[kind] if _USUAL[kind] not in taken else f"{own}_{kind}"


def _is_short(values: Mapping[str, Any]) -> bool:
    """Tell whether a row is an annotated one of Label Studio's short exports."""
    return values.get("annotation_id") not in (None, "")


def _short_answer(cell: Any, *, short: bool) -> Any:
    """Return what a cell of the short export says of the text where it is an object or a list of such, else ``None``.

    Rows that have lost the columns of the export keep what no other file has: an object of choices alone.
    """
    if isinstance(cell, str) and short and cell.startswith(("{", "[")):
        cell = spelt(cell)
    members = cell if isinstance(cell, list) and short else [cell]
    if not members or not all(isinstance(one, dict) and len(one) == 1 and _is_answer(one) for one in members):
        return None
    if not short and "choices" not in cell:
        return None
    answers = [answer for one in members for answer in _answers(one)[1]]
    # Several choices are possible where they stand in an object, though none or one was made.
    return answers if "choices" in members[0] else _one_or_all(answers)


def _is_answer(value: Mapping[str, Any]) -> bool:
    key, cell = next(iter(value.items()))
    if key in ("rating", "number"):
        return isinstance(cell, int | float)
    return key in _KINDS and isinstance(cell, list)


def _one_or_all(answers: list[Any]) -> Any:
    return answers[0] if len(answers) == 1 else answers or None
