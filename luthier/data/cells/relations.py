"""The two arguments of a relation, in the many forms in which data sets write them, placed in their text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from luthier.data.cells.labels import as_list, spelt
from luthier.data.names import plain
from luthier.schema import Argument, Marked
from luthier.text import check_marked, loose_key

Places = Sequence[tuple[int, int]]
"""Start and end of each token of a text."""

_TAG = re.compile(r"<\s*(/?)\s*[eE]([12])\s*>")
"""``<e1>`` and ``</e2>``, as SemEval-2010 Task 8 writes its sentences."""
_STARTS = ("start", "startoffset", "begin", "startidx", "startpos", "startchar", "from")
_ENDS = ("end", "endoffset", "stop", "endidx", "endpos", "endchar", "to")
_PAIRS = ("pos", "span", "offset", "position")
_MENTIONS = ("indices",)
_TYPES = ("type", "entitytype", "nertype", "label", "ner")
_WORDS = ("text", "name", "word", "mention")
"""Keys of an object for one argument, as ``plain`` writes them, the likelier first."""


def untagged(text: str) -> Marked:
    """Take the tags out of a text and return it with what stood between them.

    Raises:
        ValueError: not exactly one ``<e1>…</e1>`` and one ``<e2>…</e2>``, or nothing between them.
    """
    places: dict[tuple[str, bool], int] = {}
    parts, size, done = [], 0, 0
    for match in _TAG.finditer(text):
        parts.append(text[done : match.start()])
        size += len(parts[-1])
        done = match.end()
        key = match[2], bool(match[1])
        if key in places:
            raise ValueError(f"the text has {match[0]} twice: one <e1>…</e1> and one <e2>…</e2> are expected")
        places[key] = size
    for number in "12":
        for closing in (False, True):
            if (number, closing) not in places:
                raise ValueError(f"the text has no <{'/' * closing}e{number}>")
    bare = "".join([*parts, text[done:]])
    head, tail = (_trimmed(bare, Argument(places[number, False], places[number, True])) for number in "12")
    return _checked(Marked(bare, head, tail))


def is_tagged(cell: Any) -> bool:
    """Tell whether a text has all four tags."""
    return isinstance(cell, str) and {(match[1], match[2]) for match in _TAG.finditer(cell)} == {
        ("", "1"), ("/", "1"), ("", "2"), ("/", "2")}


def placed(text: str, head: Any, tail: Any, *, tokens: Places | None = None, types: tuple[Any, Any] = (None, None),
           ) -> Marked:
    """Return a text with its arguments, each given in one of several forms.

    Args:
        text: what they stand in.
        head: an object with start and end, or ``pos``; a list ``[start, end]``; FewRel's ``[name, id, [[token, …],
            …]]``; words that stand in the text exactly once; or JSON of these.
        tail: the same.
        tokens: places of the tokens of the text, where numbers count tokens and not characters.
        types: what each of the two names, where columns of their own say so.

    Raises:
        ValueError: another form, a place outside the text, or words that stand nowhere or more than once.
    """
    found = []
    for name, cell, kind in zip(("head", "tail"), (head, tail), types, strict=True):
        try:
            one = _argument(text, spelt(cell), tokens)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
        own = kind.strip() if isinstance(kind, str) else None
        found.append(_trimmed(text, Argument(one.start, one.end, own or one.type)))
    return _checked(Marked(text, *found))


def inclusive(text: str, tokens: Places, ends: Sequence[Any], types: tuple[Any, Any]) -> Marked:
    """Return a text with arguments given by their first and last tokens, as TACRED has them.

    Args:
        text: joined from the tokens.
        tokens: places of the tokens.
        ends: first and last token of the subject, first and last of the object; the last ones belong to them.
        types: of subject and object, where columns say so.
    """
    first, last, other, end = (_whole(value) for value in ends)
    return placed(text, [first, last + 1], [other, end + 1], tokens=tokens, types=types)


def _argument(text: str, value: Any, tokens: Places | None) -> Argument:
    if isinstance(value, Mapping):
        return _of_object(text, value, tokens)
    if isinstance(value, str):
        return _only(text, value)
    if isinstance(value, list | tuple) and len(value) == 2:
        return _between(value, tokens)
    if isinstance(value, list | tuple) and len(value) == 3 and as_list(value[2]):
        return _of_mentions(value[2], tokens)
    came = "nothing" if value is None else str(value)[:40]
    raise ValueError(f"expected an object with start and end, [start, end], or words of the text, came {came}")


def _of_object(text: str, value: Mapping[str, Any], tokens: Places | None) -> Argument:
    shown = {plain(str(key)): key for key in value}

    def find(names: Sequence[str]) -> Any:
        return next((value[shown[name]] for name in names if value.get(shown.get(name, "")) is not None), None)

    start, end, pair, mentions, words = map(find, (_STARTS, _ENDS, _PAIRS, _MENTIONS, _WORDS))
    if start is not None and end is not None:
        one = _between((start, end), tokens)
    elif pair is not None:
        one = _between(as_list(pair) or (), tokens)
    elif mentions is not None:
        one = _of_mentions(mentions, tokens)
    elif isinstance(words, str):
        one = _only(text, words)
    else:
        raise ValueError(f"has the keys {', '.join(map(str, value)) or '(none)'}: expected start and end")
    if isinstance(words, str) and words.strip() and 0 <= one.start < one.end <= len(text) and (
            tokens is None and loose_key(text[one.start : one.end]) != loose_key(words)):
        raise ValueError(f"{one.start}-{one.end} is {text[one.start:one.end]!r:.60} and not {words!r:.60}: places are "
                         "counted in characters from 0, and the end is behind the last one")
    kind = find(_TYPES)
    return Argument(one.start, one.end, kind.strip() or None if isinstance(kind, str) else None)


def _of_mentions(mentions: Any, tokens: Places | None) -> Argument:
    """Return the first of several mentions, each a list of tokens."""
    first = as_list((as_list(mentions) or [None])[0])
    if not first or tokens is None:
        raise ValueError("expected lists of tokens beside a list of tokens as the text")
    numbers = [_whole(number) for number in first]
    return _between((min(numbers), max(numbers) + 1), tokens)


def _between(pair: Sequence[Any], tokens: Places | None) -> Argument:
    if len(pair) != 2:
        raise ValueError(f"expected [start, end], came a list of {len(pair)}")
    start, end = (_whole(value) for value in pair)
    if tokens is None:
        return Argument(start, end)
    if not 0 <= start < end <= len(tokens):
        raise ValueError(f"tokens {start}-{end} lie outside the text of {len(tokens)} tokens, or are none")
    return Argument(tokens[start][0], tokens[end - 1][1])


def _only(text: str, words: str) -> Argument:
    """Return the one place where words stand; of several the one where they are no part of a longer word."""
    words = words.strip()
    places = [match.start() for match in re.finditer(f"(?={re.escape(words)})", text)] if words else []
    if not places:
        raise ValueError(f"{words!r:.60} does not stand in the text")
    if len(places) > 1:
        places = [match.start() for match in re.finditer(rf"(?<!\w)(?={re.escape(words)}(?!\w))", text)]
    if len(places) != 1:
        raise ValueError(f"{words!r:.60} stands in the text more than once: give its start and end")
    return Argument(places[0], places[0] + len(words))


def _whole(value: Any) -> int:
    if isinstance(value, str) and re.fullmatch(r"\s*\d{1,18}\s*", value, re.ASCII):  # a cell of a table
        return int(value)
    if isinstance(value, bool | str) or not (hasattr(value, "__index__") or (
            isinstance(value, float) and value.is_integer())):
        raise ValueError(f"a place is {value!r:.40}, expected a whole number")
    return int(value)


def _trimmed(text: str, one: Argument) -> Argument:
    """Leave white space at the ends out; what is nothing else, or lies outside, stays to be refused."""
    inside = text[max(one.start, 0) : max(one.end, 0)]
    if not inside.strip() or one.start < 0 or one.end > len(text):
        return one
    return Argument(one.start + len(inside) - len(inside.lstrip()), one.end - len(inside) + len(inside.rstrip()),
                    one.type)


def _checked(row: Marked) -> Marked:
    check_marked(row)
    return row
