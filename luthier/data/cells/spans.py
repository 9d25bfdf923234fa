"""Marked stretches of a text, in the many forms in which tools write them, as spans in code points."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from luthier.data.cells.labels import as_list, label_name, spelt
from luthier.data.cells.marks import Mark, has_place, of_clue, of_member
from luthier.data.cells.places import is_whole
from luthier.data.cells.tags import entities, is_meant_as_tag
from luthier.schema import Span

_SINGLE_SHARE = 0.99
"""Share of tokens of one character from which the tokens are the characters of a text."""
_WIDE = re.compile("[\u2e80-\u303f\u3040-\u312f\u31a0-\u4dbf\u4e00-\u9fff\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef"
                   "\U0001f200-\U0001f2ff\U00020000-\U0003ffff]")
"""Chinese characters, kana, and the punctuation and letters of their width; Korean puts spaces between words."""
_SHARED = frozenset("“”‘’…—·")
"""Punctuation that Chinese shares with other scripts."""
_WORD, _CHARACTER = re.compile(r"\S+"), re.compile(r"\S")
TAGS = "a tag for each word or character"
"""What ``form_of`` says of tags beside a whole text."""


def glue_of(rows: Iterable[Sequence[str]]) -> str:
    """Return what stands between tokens: nothing when they are single characters, else a space."""
    lengths = [len(token) for tokens in rows for token in tokens]
    return "" if lengths and sum(length == 1 for length in lengths) >= _SINGLE_SHARE * len(lengths) else " "


def joined(tokens: Sequence[str], glue: str) -> tuple[str, list[tuple[int, int]]]:
    """Join tokens to a text; return it with the start and end of each token in code points.

    Between two Chinese characters or marks of punctuation of their width nothing stands, whatever the glue.
    """
    parts: list[str] = []
    places: list[tuple[int, int]] = []
    at, before, chinese = 0, "", False
    for token in tokens:
        space = glue if before and not _touch(before, token[:1], chinese=chinese) else ""
        parts.extend((space, token))
        start = at + len(space)
        at = start + len(token)
        places.append((start, at))
        before = token[-1:] or before
        # A mark that scripts share belongs to the script before it.
        chinese = chinese if before in _SHARED else _is_wide(before)
    return "".join(parts), places


def _touch(left: str, right: str, *, chinese: bool) -> bool:
    """Tell whether nothing stands between two characters; ``chinese``: the left one is, or follows such text."""
    # An empty token needs no place of its own.
    return not right or (chinese and (_is_wide(right) or right in _SHARED)) or (left in _SHARED and _is_wide(right))


def _is_wide(character: str) -> bool:
    return _WIDE.match(character) is not None


def token_list(cell: Any, column: str) -> list[str]:
    """Return the tokens in a cell.

    Raises:
        ValueError: it is no list of strings.
    """
    tokens = as_list(cell)
    if tokens is None:
        raise ValueError(f"{column!r}: expected a list of tokens, came {type(cell).__name__}")
    for place, token in enumerate(tokens, start=1):
        if not isinstance(token, str):
            raise ValueError(f"{column!r}: token {place} is {type(token).__name__}, expected text")
    return tokens


def tagged_spans(text: str, places: Sequence[tuple[int, int]], cell: Any, *, bare: bool = False) -> tuple[Span, ...]:
    """Return the spans that a list of tags marks in a text whose tokens lie at these places.

    Args:
        text: what the tokens make.
        places: start and end of each token.
        cell: a tag for each.
        bare: the tags are types without letters.

    Raises:
        ValueError: no list, another number of tags than tokens, or an unknown tag.
    """
    tags = as_list(cell)
    if tags is None:
        raise ValueError(f"expected a list of tags, came {'nothing' if cell is None else type(cell).__name__}")
    if len(tags) != len(places):
        raise ValueError(f"{len(places)} tokens came with {len(tags)} tags")
    found = entities([tag if isinstance(tag, str) else repr(tag) for tag in tags], bare=bare)
    return checked(text, ((places[start][0], places[end - 1][1], label) for start, end, label in found))


def marked_spans(text: str, cell: Any) -> tuple[Span, ...]:
    """Return the spans that a cell marks in a text, sorted, each once.

    Args:
        text: what the spans are counted in, in code points from 0.
        cell: a list of objects with start, end and label, of ``[start, end, label]`` or of ``Span``; or CLUE's
            ``{label: {words: [[first, last], …]}}``, where the last character belongs to the span; or a list below
            ``entities``. JSON of these, too. Or tags, a list or with spaces between them: one for each word of the
            text, or for each character.

    Raises:
        ValueError: another form, a span outside the text, empty, without a label, or of other words than it says.
    """
    value = _unwrapped(spelt(cell))
    if isinstance(value, Mapping):
        return checked(text, of_clue(text, value))
    if isinstance(value, str) and not value.strip():
        raise ValueError("is empty: write [] where the text holds no entity")
    tags = value.split() if isinstance(value, str) else value
    if isinstance(tags, list) and any(isinstance(tag, str) and is_meant_as_tag(tag) for tag in tags):
        return tagged_spans(text, _tagged_places(text, len(tags)), tags)
    if not isinstance(value, list):
        raise ValueError(f"expected a list of spans, came {'nothing' if value is None else type(value).__name__}")
    return checked(text, (mark for member in value for mark in of_member(text, member)))


def form_of(cell: Any) -> str | None:
    """Return in words how a cell marks spans: empty when it marks none, ``None`` when it is no such cell."""
    value = _unwrapped(spelt(cell))
    if isinstance(value, str):
        return _form_of_tags(value.split())
    if isinstance(value, list):
        return _form_of_list(value)
    if not isinstance(value, Mapping):
        return None
    inner = [child for child in value.values() if isinstance(child, Mapping)]
    pairs = [pair for child in inner for places in child.values() for pair in (as_list(places) or [None])]
    if len(inner) < len(value) or not all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in pairs):
        return None
    return "objects of label, words and places, the last character included" if pairs else ""


def checked(text: str, marks: Iterable[Mark]) -> tuple[Span, ...]:
    """Return marks as spans, without white space at their ends, sorted, each once.

    Raises:
        ValueError: a span outside the text, empty, or without a label.
    """
    found: set[Span] = set()
    for start, end, label in marks:
        name = label_name(label) if not isinstance(label, list | tuple | Mapping) else None
        if name is None:
            raise ValueError(f"the span {start}-{end} has no label ({label!r})")
        if end <= start:
            raise ValueError(f"the span {start}-{end} ({name}) holds no character: its end must be behind its start")
        if start < 0 or end > len(text):
            raise ValueError(f"the span {start}-{end} ({name}) lies outside the text of {len(text)} characters")
        inside = text[start:end]
        if inside.isspace():
            raise ValueError(f"the span {start}-{end} ({name}) holds only white space")
        found.add(Span(start + len(inside) - len(inside.lstrip()), end - len(inside) + len(inside.rstrip()), name))
    return tuple(sorted(found))


def overlapping(spans: Sequence[Span]) -> int:
    """Return how many of these sorted spans begin within an earlier one."""
    reach = count = 0
    for span in spans:
        count += span.start < reach
        reach = max(reach, span.end)
    return count


def _form_of_list(value: list[Any]) -> str | None:
    if not value:
        return ""
    if all(isinstance(one, str) for one in value):
        return _form_of_tags(value)
    if all(isinstance(one, Mapping) and has_place(one) for one in value):
        return "objects with start, end and label"
    triples = all(isinstance(one, list | tuple) and len(one) == 3 and is_whole(one[0]) and is_whole(one[1])
                  for one in value)
    return "lists of start, end and label" if triples else None


def _form_of_tags(words: Sequence[str]) -> str | None:
    # A single one may well be a class.
    if len(words) < 2 or not all(map(is_meant_as_tag, words)):
        return None
    return TAGS if set(words) != {"O"} else ""


def _tagged_places(text: str, count: int) -> list[tuple[int, int]]:
    """Return the places of the words of a text, or of its characters where there are as many as tags."""
    words, characters = ([match.span() for match in form.finditer(text)] for form in (_WORD, _CHARACTER))
    every = [(place, place + 1) for place in range(len(text))]
    return next((places for places in (words, characters, every) if len(places) == count), words)


def _unwrapped(value: Any) -> Any:
    """Return the list in ``{"entities": […]}``, as spaCy writes it, or the value as it is."""
    wrapped = isinstance(value, Mapping) and set(value) == {"entities"} and isinstance(value["entities"], list)
    return value["entities"] if wrapped else value
