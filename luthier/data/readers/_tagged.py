"""Tell and cut lines of the CoNLL kind: a token, perhaps more columns, and a tag at the end."""

from __future__ import annotations

import re
from collections.abc import Sequence

from luthier.data.cells.tags import are_bare, is_meant_as_tag

START = "-DOCSTART-"
"""Begins a line between two documents that is no sentence."""

_MOST = 0.9
"""Share of the lines that must end in a tag; the others are faults."""
_COMMENT = re.compile(r"#\s*[^\s=]+(?: [^\s=]+)* ?=")


def columns_of(line: str) -> list[str]:
    """Cut a line at its tabs, or at its spaces where it has no tab; an empty first column is a space."""
    line = line.rstrip("\r\n\t ")
    if "\t" in line:
        cells = line.split("\t")
        # Only ASCII spaces are padding; the ideographic space may be a token.
        return [cells[0].strip(" ") or " ", *(cell.strip(" ") for cell in cells[1:])]
    cells = re.split(" +", line)
    if cells[0]:
        return cells
    return cells[1:] if len(cells) > 2 else [" ", *cells[1:]]


def is_comment(line: str) -> bool:
    """Tell whether a line that begins a sentence is a comment (``# id = 5``) rather than a token such as ``#tag``."""
    return line.startswith("#") and (_COMMENT.match(line) is not None or not ends_in_tag(line))


def ends_in_tag(line: str) -> bool:
    """Tell whether a line has two columns or more, the last of them a tag; reading refuses one in lower case."""
    cells = columns_of(line)
    return len(cells) > 1 and is_meant_as_tag(cells[-1])


def looks_tagged(text: str) -> bool:
    """Tell whether text is surely of this kind: tags end its lines, not all of them O, and blank lines part them."""
    lines = re.split("\r\n?|\n", text.removeprefix("\ufeff"))
    if not any(not line.strip() for line in lines[1:-1]):
        return False
    if has_bare_tags(lines):
        return True
    body = [line for line in lines if line.strip() and not line.startswith(START) and not is_comment(line)]
    tagged = [line for line in body if ends_in_tag(line)]
    if not tagged or len(tagged) < _MOST * len(body):
        return False
    return lines[0].startswith(START) or any(columns_of(line)[-1] not in ("O", "o") for line in tagged)


def has_bare_tags(lines: Sequence[str]) -> bool:
    """Tell whether lines are a word, a tab and a type or ``O``, which most of them are; the last may be cut off."""
    cells = [line.rstrip("\r\n").split("\t") for line in lines[:-1] if line.strip() and not line.startswith(START)]
    if not cells or any(len(row) != 2 or " " in row[0].strip() for row in cells):
        return False
    tags = [row[1].strip() for row in cells]
    return are_bare(tags) and 2 * tags.count("O") > len(tags)
