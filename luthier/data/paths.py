"""Labels in levels: names that are paths, such as ``Home > Garden``, in one column or spread over several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from luthier.data.labels import label_name

JOINED = " > "
"""What is put between levels that come in columns of their own."""
SEPARATORS = (JOINED, ">", " / ", "::", "->", "→", "/")
"""What may stand between levels in one cell; the first that does is taken."""
_LEAST = 0.5
"""Share of the labels that must be paths."""


def separator_in(names: Sequence[str]) -> str | None:
    """Return what stands between the levels of labels, or ``None`` where they are no paths.

    Half of the labels at least must have two levels or more, none of them empty, and a first level must stand in two
    labels on average, so that ``yes/no`` beside ``in/out`` is not taken for one.
    """
    for separator in SEPARATORS:
        paths = [name.split(separator) for name in names if separator in name]
        first = {path[0].strip() for path in paths}
        below = sum(name.split(separator)[0].strip() in first for name in names)
        whole = all(part.strip() for path in paths for part in path)
        if paths and whole and len(paths) >= _LEAST * len(names) and 2 * len(first) <= below:
            return separator
    return None


def columns_in(name: str) -> list[str]:
    """Return the columns of a label whose levels have one each, ``a,b``; one column where no comma stands."""
    return [part.strip() for part in name.split(",")]


def joined(values: Mapping[str, Any], columns: Sequence[str]) -> str | None:
    """Return the path of a row from its levels, ``None`` where the first is missing; the last ones may be.

    Raises:
        ValueError: a level is missing above one that is there.
    """
    levels = [label_name(values.get(column)) for column in columns]
    present = [level for level in levels if level is not None]
    if levels[: len(present)] != present:
        gap = columns[levels.index(None)]
        raise ValueError(f"{gap!r} is empty, and a level below it is not")
    return JOINED.join(present) or None
