"""Labels of any type become names; several in one cell come apart; names get one order."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from luthier.data.cells.literals import parsed
from luthier.text import normalize

_MISSING = frozenset({"", "nan", "NaN", "#N/A", "<NA>"})
"""What spreadsheets and data frames write where there is no value. ``None`` and ``null`` may well be a class."""


def label_name(value: Any) -> str | None:
    """Return the name of one label: ``None`` if missing.

    ``True`` gives ``true``, ``1`` and ``1.0`` give ``1``, text is trimmed.
    NumPy's numbers count as numbers, and NaN as missing.
    """
    if hasattr(value, "item") and hasattr(value, "dtype"):
        value = value.item()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    name = "" if value is None else normalize(str(value), "nfc")
    return None if name in _MISSING else name


def label_names(value: Any, separator: str | None) -> tuple[str, ...] | None:
    """Return the names of all labels in one cell, each once; ``None`` when the row is unlabelled.

    A cell is a list, text that spells a list (JSON, or Python as data frames export it), labels with ``separator``
    between them, or one label. With a separator an empty cell means that no label applies.

    Raises:
        ValueError: a member of a list is itself a list or an object.
    """
    if separator is not None and not isinstance(value, list | tuple):
        cell = label_name(value)
        return () if cell is None else _distinct(cell.split(separator))
    members = as_list(value)
    if members is not None:
        return _distinct(members)
    name = label_name(value)
    return None if name is None else (name,)


def as_list(value: Any) -> list[Any] | None:
    """Return the members of a cell that is a list or spells one, or ``None``."""
    if isinstance(value, list | tuple | set):
        return list(value)
    if hasattr(value, "tolist") and getattr(value, "ndim", 0) == 1:
        return list(value.tolist())
    if not (isinstance(value, str) and value.strip().startswith("[") and value.strip().endswith("]")):
        return None
    try:
        found = parsed(value.strip())
    except ValueError:
        return None
    return found if isinstance(found, list) else None


def spelt(cell: Any) -> Any:
    """Return the object or list that a cell spells, in JSON or as data frames write it, or the cell as it is."""
    if isinstance(cell, str) and cell.strip().startswith("{"):
        try:
            found = parsed(cell.strip())
        except ValueError:
            return cell
        return found if isinstance(found, dict) else cell
    members = as_list(cell)
    return cell if members is None else members


def natural_order(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names sorted as a person would: whole numbers by value, ``class 2`` before ``class 10``."""
    names = list(names)
    if all(re.fullmatch(r"[+-]?\d{1,18}", name, re.ASCII) for name in names):
        return tuple(sorted(names, key=lambda name: (int(name), name)))
    return tuple(sorted(names, key=_natural_key))


def _natural_key(name: str) -> tuple[list[str | int], str]:
    # Every second part of the split is digits, so numbers only ever meet numbers.
    parts = re.split(r"([0-9]{1,18})", name)
    return [int(part) if place % 2 else part.casefold() for place, part in enumerate(parts)], name


def _distinct(members: Iterable[Any]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for member in members:
        if isinstance(member, list | dict | tuple):
            raise ValueError(f"a label is {type(member).__name__}, expected text or a number")
        name = label_name(member)
        if name is not None:
            found[name] = None
    return tuple(found)
