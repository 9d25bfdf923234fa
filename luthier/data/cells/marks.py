"""One marked stretch of a text, in the many forms in which tools and data sets write it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from luthier.data.cells.labels import as_list
from luthier.data.cells.places import is_whole, whole
from luthier.data.names import plain
from luthier.schema import Span
from luthier.text import loose_key

Mark = tuple[int, int, Any]
"""First character, the character behind the last, label as it came."""

_STARTS = ("start", "startoffset", "begin", "beginoffset", "startidx", "startpos", "startchar", "from", "offset")
_ENDS = ("end", "endoffset", "finish", "stop", "endidx", "endpos", "endchar", "to")
_LENGTHS = ("length", "len")
_LABELS = ("label", "labels", "type", "entitygroup", "entitytype", "tag", "category", "class", "entity")
_WORDS = ("text", "word", "mention", "surface", "entity")
"""Keys of an object for one span, as ``plain`` writes them, the likelier first."""
_CMEEE = ("startidx", "endidx")
"""Those of CMeEE (Zhang et al., 2022, "CBLUE"), where the last character belongs to the span."""


def has_place(member: Mapping[str, Any]) -> bool:
    """Tell whether an object says where a span begins and where it ends."""
    return _key(member, _STARTS) is not None and _key(member, (*_ENDS, *_LENGTHS)) is not None


def of_member(text: str, member: Any) -> Iterator[Mark]:
    """Yield the marks of one member of a list: an object, ``[start, end, label]`` or a ``Span``.

    Raises:
        ValueError: another form, a place that is no whole number, or other words there than it says.
    """
    if isinstance(member, Span):
        yield member.start, member.end, member.label
    elif isinstance(member, Mapping):
        yield from _of_object(text, member)
    elif isinstance(member, list | tuple) and len(member) == 3:
        yield _place(member[0]), _place(member[1]), member[2]
    else:
        raise ValueError(f"expected spans as objects with start, end and label, or as [start, end, label], "
                         f"came {str(member)[:60]}")


def of_clue(text: str, value: Mapping[str, Any]) -> Iterator[Mark]:
    """Yield the marks in CLUE's ``{label: {words: [[first, last], …]}}``, where the last character belongs to the span.

    Raises:
        ValueError: another form, or other words at a place than it says.
    """
    for label, words in value.items():
        if not isinstance(words, Mapping):
            raise ValueError("expected {label: {words: [[first, last]]}}, "
                             f"came {type(words).__name__} for {label!r}")
        for word, places in words.items():
            for pair in as_list(places) or []:
                if not (isinstance(pair, list | tuple) and len(pair) == 2):
                    raise ValueError(f"the place of {word!r} is {str(pair)[:40]}, expected [first, last]")
                start, end = _place(pair[0]), _place(pair[1]) + 1
                _check_words(text, start, end, word)
                yield start, end, label


def _of_object(text: str, member: Mapping[str, Any]) -> Iterator[Mark]:
    first, last = _key(member, _STARTS), _key(member, _ENDS)
    behind = last or _key(member, _LENGTHS)
    if first is None or behind is None:
        keys = ", ".join(map(str, member)) or "(none)"
        raise ValueError(f"a span has the keys {keys}: expected start, end and label")
    start = _place(member[first])
    end = _place(member[behind]) + (0 if last else start)
    words = _words_of(member)
    if words is not None and (plain(first), plain(last or "")) == _CMEEE:
        end = _end_behind(text, start, end, words)
    _check_words(text, start, end, words)
    named = _key(member, _LABELS)
    label = member[named] if named else None
    for one in label if isinstance(label, list) and label else [label]:
        yield start, end, one


def _words_of(member: Mapping[str, Any]) -> str | None:
    """Return the words that an object for one span says it marks, if it does."""
    named = plain(_key(member, _LABELS) or "")
    key = _key(member, [name for name in _WORDS if name != named])
    words = member[key] if key else None
    return words if isinstance(words, str) and words.strip() else None


def _end_behind(text: str, start: int, last: int, words: str) -> int:
    """Return the end of a span that has the keys of CMeEE, behind its last character.

    Others use these keys for an end that is behind the last character already, which the words tell.
    """
    ends = (last + 1, last)
    # Punctuation behind a span does not count when words are compared loosely; how long they are tells it apart.
    return max(ends, key=lambda end: (text[start:end] == words, loose_key(text[start:end]) == loose_key(words),
                                      -abs(end - start - len(words.strip()))))


def _check_words(text: str, start: int, end: int, word: Any) -> None:
    """Refuse a place that holds other words than the mark says: it was counted in another unit, or from 1."""
    within = 0 <= start < end <= len(text)
    if within and isinstance(word, str) and word.strip() and loose_key(text[start:end]) != loose_key(word):
        raise ValueError(f"the span {start}-{end} is {text[start:end]!r} and not {word!r}: places are counted in "
                         "characters from 0, and the end is behind the last one")


def _key(member: Mapping[str, Any], names: Sequence[str]) -> str | None:
    shown = {plain(str(key)): key for key in member}
    return next((shown[name] for name in names if name in shown), None)


def _place(value: Any) -> int:
    if not is_whole(value):
        raise ValueError(f"a span's place is {value!r}, expected a whole number")
    return whole(value)
