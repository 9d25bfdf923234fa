"""The shapes in which a whole data set stands in one JSON value."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from luthier.data.names import TOKEN_NAMES, are_messages, is_known, plain

LIST_KEYS = ("data", "rows", "records", "examples", "items", "results", "instances", "samples", "train", "数据")
"""Keys below which people put the list of rows, the likelier first."""


def starts_with_object(text: str) -> bool:
    """Tell whether the first line is one JSON object, which no table starts with."""
    try:
        return isinstance(json.loads(text.lstrip().split("\n", 1)[0]), dict)
    except (ValueError, RecursionError):
        return False


def rows_key(value: Mapping[str, Any]) -> str | None:
    """Return the key below which the list of rows stands, or ``None``."""
    lists = [key for key, child in value.items()
             if isinstance(child, list) and (isinstance(child[0], dict | list) if child else key in LIST_KEYS)]
    named = next((key for key in LIST_KEYS if key in lists), None)
    # The messages of one conversation are no rows.
    return lists[0] if named is None and len(lists) == 1 and not are_messages(value[lists[0]]) else named


def is_conversation(value: Mapping[str, Any]) -> bool:
    """Tell whether an object is one conversation, which is a row."""
    return rows_key(value) is None and any(are_messages(child) for child in value.values())


def is_columns(value: Mapping[str, Any]) -> bool:
    """Tell whether an object holds columns: lists of equal length, or objects with the same row names."""
    children = list(value.values())
    if len(children) < 2:
        return False
    if any(are_messages(child) for child in children):  # one conversation, and what stands beside it
        return False
    if all(isinstance(child, list) for child in children):
        # One sentence cut into tokens has the shape of a file of columns; only its name tells.
        if any(plain(key) in TOKEN_NAMES and all(isinstance(one, str) for one in value[key]) for key in value):
            return False
        return len({len(child) for child in children}) == 1
    if all(isinstance(child, dict) for child in children):
        return len({tuple(child) for child in children}) == 1 and any(is_known(key) for key in value)
    return False


def by_relation(value: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """Return the rows below their relations, each with its own; ``None`` where an object holds something else.

    FewRel's form (Han et al., 2018): ``{"P931": [{"tokens": …, "h": …, "t": …}, …], …}``.
    """
    if rows_key(value) in LIST_KEYS or not all(isinstance(child, list) and child for child in value.values()):
        return None
    rows = [(name, row) for name, child in value.items() for row in child]
    marked = bool(rows) and all(isinstance(row, dict) and {"h", "t"} <= set(row) for _, row in rows)
    return [{**row, "relation": name} for name, row in rows] if marked else None


def is_whole_file(value: Mapping[str, Any]) -> bool:
    """Tell whether an object is a data set rather than one row."""
    if any(isinstance(child, str) and is_known(key) for key, child in value.items()):
        return False
    return (rows_key(value) is not None or by_relation(value) is not None or is_columns(value)
            or _is_named_rows(value))


def column_rows(value: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Turn an object of columns into rows."""
    columns = [list(child.values()) if isinstance(child, dict) else child for child in value.values()]
    return [dict(zip(value, cells, strict=True)) for cells in zip(*columns, strict=True)]


def _is_named_rows(value: Mapping[str, Any]) -> bool:
    children = value.values()
    return bool(value) and all(isinstance(child, dict) and any(is_known(key) for key in child) for child in children)
