"""Labels in levels: names that are paths, such as ``Home > Garden``, in one column or spread over several."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from luthier.data.cells.labels import label_name
from luthier.errors import DataError
from luthier.schema import LabelSet

JOINED = " > "
"""What is put between levels that come in columns of their own."""
SEPARATORS = (JOINED, " / ", "::", "->", "→", ">", "/")
"""What may stand between levels in one cell; the first that does is taken."""
SURE = (JOINED, "::")
"""Those that stand in names for nothing else."""
NO_LEVELS = "none"
"""What the caller says where labels have no levels, whatever stands in them."""
_LEAST = 0.5
"""Share of the labels that must be paths."""
_PARENTS = 2
"""First levels that must have several labels below them, where names may hold the separator for another reason."""


def separator_in(names: Sequence[str]) -> str | None:
    """Return what stands between the levels of labels, or ``None`` where they are no paths.

    Half of the labels at least must have two levels or more, none of them empty, and a first level must stand in two
    labels on average, so that ``yes/no`` beside ``in/out`` is not taken for one. Of separators that names hold for
    other reasons, as ``TCP/IP`` and ``TCP/UDP`` do, all labels must be paths or first levels of such, and two first
    levels at least must be shared.
    """
    for separator in SEPARATORS:
        paths = [name.split(separator) for name in names if separator in name]
        first = Counter(path[0].strip() for path in paths)
        below = sum(name.split(separator)[0].strip() in first for name in names)
        whole = all(part.strip() for path in paths for part in path)
        shared = sum(count > 1 for count in first.values())
        sure = separator in SURE or (below == len(names) and shared >= _PARENTS)
        if paths and whole and sure and len(paths) >= _LEAST * len(names) and 2 * len(first) <= below:
            return separator
    return None


def levelled(labels: LabelSet, asked: str | None) -> LabelSet:
    """Return the label set with the levels that the caller asked for; as it is where nothing was said.

    Args:
        labels: as the rows have them, with the levels that were told from the names.
        asked: what stands between levels, ``none`` where there are none, or ``None``.

    Raises:
        DataError: no label holds the separator, or a level is empty.
    """
    if asked is None or asked == NO_LEVELS:
        return labels if asked is None else replace(labels, path_separator=None)
    fix = f"write it as the labels do, or leave data.level_separator out ({NO_LEVELS!r}: labels have no levels)"
    if not any(asked in name for name in labels.names):
        raise DataError(f"data.level_separator is {asked!r}, which stands in none of the {len(labels)} labels, such as "
                        f"{labels.names[0]!r}", fix)
    empty = [name for name in labels.names if not all(part.strip() for part in name.split(asked))]
    if empty:
        raise DataError(f"data.level_separator is {asked!r}, and {empty[0]!r} has an empty level", fix)
    return replace(labels, path_separator=asked)


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
