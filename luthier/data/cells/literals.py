"""Lists and objects that a cell of a table spells: in JSON, or as data frames write Python's and NumPy's."""

from __future__ import annotations

import ast
import json
import re
from typing import Any

_TEXT = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
_ARRAY = re.compile(rf"({_TEXT}|\\.)|array\((\[.*?\])(?:,\s*dtype=\w+)?\)", re.DOTALL)
"""A text, or what data frames write for a list within an object."""
_PART = re.compile(rf"""[uUbBrR]{{0,2}}(?:{_TEXT})|[][{{}}(),:]|(?:\\.|[^][{{}}(),:'"\s\\])+""", re.DOTALL)
"""A text, a mark or a word of Python."""
_OPENING, _CLOSING, _BETWEEN = frozenset("[{("), frozenset("]})"), frozenset(",:")


def parsed(text: str) -> Any:
    """Return what a cell spells.

    Raises:
        ValueError: it is neither JSON nor what Python writes for a list or an object.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass  # then it may be Python's
    try:
        found = ast.literal_eval(_with_commas(_ARRAY.sub(_members, text)))
    except (ValueError, SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError(f"is neither JSON nor a list of Python's: {text[:40]!r}") from error
    if isinstance(found, list) and Ellipsis in found:
        raise ValueError("was cut where it was written: NumPy leaves out the middle of long arrays")
    return found


def _members(found: re.Match[str]) -> str:
    return found[2] if found[1] is None else found[1]


def _with_commas(text: str) -> str:
    """Put commas between the members of lists, where NumPy has white space alone: Python would join two texts."""
    done, open_, before, end = list[str](), list[str](), "", 0
    for match in _PART.finditer(text):
        part = match[0]
        follows = match.start() > end and before not in _OPENING | _BETWEEN and part not in _CLOSING | _BETWEEN
        if follows and open_ and open_[-1] == "[":
            done.append(",")
        if part in _OPENING:
            open_.append(part)
        elif part in _CLOSING and open_:
            open_.pop()
        done.append("None" if part == "nan" else part)
        before, end = part, match.end()
    return " ".join(done)
