"""Classes of characters for regular expressions, read from the interpreter's own Unicode tables when first needed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable


def character_class(belongs: Callable[[str], bool], blocks: Iterable[range]) -> str:
    """Return the inside of a ``[...]``: the characters of some blocks for which ``belongs`` is true, as ranges."""
    ranges: list[list[int]] = []
    for block in blocks:
        for point in block:
            if not belongs(chr(point)):
                continue
            if ranges and ranges[-1][1] == point - 1:
                ranges[-1][1] = point
            else:
                ranges.append([point, point])
    return "".join(f"{re.escape(chr(first))}-{re.escape(chr(last))}" for first, last in ranges)
