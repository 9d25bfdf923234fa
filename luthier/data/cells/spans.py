"""Marked stretches of a text, in the many forms in which tools write them, as spans in code points."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from luthier.data.cells.documents import document
from luthier.data.cells.labels import as_list, label_name, spelt
from luthier.data.cells.places import is_whole, whole
from luthier.data.cells.tags import entities, is_meant_as_tag
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
        return checked(text, _of_clue(text, value))
    if isinstance(value, str) and not value.strip():
        raise ValueError("is empty: write [] where the text holds no entity")
    tags = value.split() if isinstance(value, str) else value
    if isinstance(tags, list) and any(isinstance(tag, str) and is_meant_as_tag(tag) for tag in tags):
        return tagged_spans(text, _tagged_places(text, len(tags)), tags)
    if not isinstance(value, list):
        raise ValueError(f"expected a list of spans, came {'nothing' if value is None else type(value).__name__}")
    return checked(text, (mark for member in value for mark in _of_member(text, member)))


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


def unfolded(values: dict[str, Any]) -> dict[str, Any]:
    """Lay a document of sentences, or the task of a Label Studio export, open as a row; return any other row as it is.

    In the latter the text stands below ``data`` and the spans in the results of the first annotation that was not
    cancelled, with relations between them if there are any.
    """
    if (found := document(values)) is not None:
        return found
    data = values.get("data")
    key = next((key for key in ("annotations", "completions") if isinstance(values.get(key), list)), None)
    if not isinstance(data, dict) or key is None:
        return values
    done = [one for one in values[key] if isinstance(one, dict) and not one.get("was_cancelled")]
    results = done[0].get("result", []) if done else None
    members = [one for one in results or () if isinstance(one, dict)]
    related = [{"from_id": start, "to_id": end, "label": label}
               for one in members if one.get("type") == "relation" and one.get("from_id") is not None
               for start, end in _directions(one) for label in one.get("labels") or [None]]
    placed = [one for one in members if isinstance(one.get("value"), dict) and _has_place(one["value"])]
    spans = [{**({"id": one.get("id")} if related else {}), **one["value"]} for one in placed]
    found = {key: None} if results is None else {key: spans, "relations": related}
    return {**{name: cell for name, cell in values.items() if name != "data"}, **data, **found}


def _directions(relation: Mapping[str, Any]) -> list[tuple[Any, Any]]:
    """Return the ends of an arrow of Label Studio: from and to, turned round, or both ways."""
    there = relation["from_id"], relation.get("to_id")
    back = there[::-1]
    turned: dict[Any, list[tuple[Any, Any]]] = {"left": [back], "bi": [there, back]}
    return turned.get(relation.get("direction"), [there])


def _form_of_list(value: list[Any]) -> str | None:
    if not value:
        return ""
    if all(isinstance(one, str) for one in value):
        return _form_of_tags(value)
    if all(isinstance(one, Mapping) and _has_place(one) for one in value):
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


def _key(member: Mapping[str, Any], names: Sequence[str]) -> str | None:
    shown = {plain(str(key)): key for key in member}
    return next((shown[name] for name in names if name in shown), None)


def _has_place(member: Mapping[str, Any]) -> bool:
    return _key(member, _STARTS) is not None and _key(member, (*_ENDS, *_LENGTHS)) is not None


def _place(value: Any) -> int:
    if not is_whole(value):
        raise ValueError(f"a span's place is {value!r}, expected a whole number")
    return whole(value)


def _of_member(text: str, member: Any) -> Iterator[Mark]:
    if isinstance(member, Span):
        yield member.start, member.end, member.label
    elif isinstance(member, Mapping):
        yield from _of_object(text, member)
    elif isinstance(member, list | tuple) and len(member) == 3:
        yield _place(member[0]), _place(member[1]), member[2]
    else:
        raise ValueError(f"expected spans as objects with start, end and label, or as [start, end, label], "
                         f"came {str(member)[:60]}")


def _of_object(text: str, member: Mapping[str, Any]) -> Iterator[Mark]:
    first, last = _key(member, _STARTS), _key(member, _ENDS)
    behind = last or _key(member, _LENGTHS)
    if first is None or behind is None:
        keys = ", ".join(map(str, member)) or "(none)"
        raise ValueError(f"a span has the keys {keys}: expected start, end and label")
    start = _place(member[first])
    end = _place(member[behind]) + (0 if last else start)
    named = _key(member, _LABELS)
    word = _key(member, [name for name in _WORDS if name != plain(named or "")])
    _check_words(text, start, end, member.get(word) if word else None)
    label = member[named] if named else None
    for one in label if isinstance(label, list) and label else [label]:
        yield start, end, one


def _of_clue(text: str, value: Mapping[str, Any]) -> Iterator[Mark]:
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


def _check_words(text: str, start: int, end: int, word: Any) -> None:
    """Refuse a place that holds other words than the mark says: it was counted in another unit, or from 1."""
    within = 0 <= start < end <= len(text)
    if within and isinstance(word, str) and word.strip() and loose_key(text[start:end]) != loose_key(word):
        raise ValueError(f"the span {start}-{end} is {text[start:end]!r} and not {word!r}: places are counted in "
                         "characters from 0, and the end is behind the last one")
