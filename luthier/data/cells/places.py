"""Places in texts, as people and libraries write them: whole numbers, whatever their type."""

from __future__ import annotations

import operator
from typing import Any


def is_whole(value: Any) -> bool:
    """Tell whether a value is a whole number, a float such as 3.0 included."""
    return not isinstance(value, bool | str) and (hasattr(value, "__index__")
                                                  or (isinstance(value, float) and value.is_integer()))


def whole(value: Any) -> int:
    """Return a whole number as an ``int``."""
    return int(value) if isinstance(value, float) else operator.index(value)
