"""Spans of a text and the relations between them, in the forms in which tools and data sets write them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from luthier.data.cells.labels import as_list, label_name, spelt
from luthier.data.cells.spans import checked, marked_spans
from luthier.data.names import plain
from luthier.schema import Span, Triple

Places = Sequence[tuple[int, int]]
"""Start and end of each token of a text."""

_SUBJECTS = ("subject", "fromid", "head", "from", "source", "arg1", "em1text", "主体")
_OBJECTS = ("object", "toid", "tail", "to", "target", "arg2", "em2text", "客体")
_LABELS = ("label", "type", "relation", "predicate", "relationtype", "关系")
"""Keys of an object for one relation, as ``plain`` writes them, the likelier first."""
_IDS = ("id", "entityid")
_TYPES = ("type", "label", "entitytype", "entitygroup")
_SPELT = r"[0-9A-Za-z\u00c0-\u024f\u0370-\u052f]"
"""Letters of scripts with spaces between words, and digits: where one goes on, a word is not whole."""
_SHOWN = 5
"""Words that are not in the text named in a message."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a row holds."""

    spans: tuple[Span, ...]
    """Sorted, each once."""
    triples: tuple[Triple, ...]
    """Sorted, each once."""


def linked(text: str, entities: Any, relations: Any, tokens: Places | None = None, *, by_place: bool = False) -> Found:
    """Return spans and the relations that name them by their ids or their places in the list.

    Args:
        text: what the spans are counted in.
        entities: a list of objects with start, end and label (or type), or of ``[start, end, label]``.
        relations: a list of objects with subject, object and label (doccano's ``from_id``, ``to_id`` and ``type``,
            SpERT's ``head``, ``tail`` and ``type``), or of ``[subject, object, label]``.
        tokens: places of the tokens, where the spans count tokens, the end being behind the last one.
        by_place: whether the numbers of relations are places in the list, as another row shows, even where each is
            the id of an entity, too.

    Raises:
        ValueError: another form, a span outside the text, or a relation to an entity that is not there or to itself.
    """
    members, links = _list(entities, "entities"), _list(relations, "relations")
    spans = [_span(text, member, tokens) for member in members]
    ids = {name: number for number, member in enumerate(members) if (name := _id(member)) is not None}
    by_id = len(ids) == len(members) and (_names_ids(links) or (not by_place and _all_known(links, ids)))
    numbers = ids if by_id else {str(number): number for number in range(len(spans))}
    found = [_triple(spans, link, numbers) for link in links]
    return Found(tuple(sorted(set(spans))), tuple(sorted(set(found))))


def names_places(entities: Any, relations: Any) -> bool:
    """Tell whether what relations name can only be places in the list of entities: one of them is nobody's id."""
    members, links = as_list(spelt(entities)) or [], as_list(spelt(relations)) or []
    ids = {name: number for number, member in enumerate(members) if (name := _id(member)) is not None}
    return 0 < len(members) == len(ids) and bool(links) and not (_names_ids(links) or _all_known(links, ids))


def spoken(text: str, cell: Any) -> Found:
    """Return the words of DuIE's ``spo_list``, where they first stand whole in the text, with their relations.

    Args:
        text: what the words stand in.
        cell: a list of objects with ``subject``, ``predicate``, ``object``, ``subject_type`` and ``object_type``; in
            DuIE 2.0 object and its type are objects themselves, of which ``@value`` is read. Or of objects with other
            names for these (``head``, ``relation``, ``tail``), or of ``[subject, relation, object]``.

    Raises:
        ValueError: another form, or words that do not stand in the text, which the message lists.
    """
    links, spans, triples, missing = _list(cell, "spo_list"), set[Span](), set[Triple](), list[str]()
    for link in map(_in_duies_words, (link for link in links if not _says_none(link))):
        ends = [_words(text, link, side, missing) for side in ("subject", "object")]
        name = label_name(link.get("predicate"))
        if name is None:
            raise ValueError(f"a relation has no predicate: {str(link)[:80]}")
        spans |= {one for one in ends if one is not None}
        if ends[0] is not None and ends[1] is not None:
            triples.add(_checked(Triple(ends[0], ends[1], name)))
    if missing:
        more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        raise ValueError(f"{len(missing)} of the words of its relations do not stand in the text: "
                         f"{', '.join(map(repr, missing[:_SHOWN]))}{more}")
    return Found(tuple(sorted(spans)), tuple(sorted(triples)))


def names_relations(cell: Any) -> bool:
    """Tell whether a cell is a list of relations, with one at least."""
    links = as_list(spelt(cell))
    return bool(links) and all(_is_link(link) or _is_triplet(link) for link in links or [])


def is_spoken(cell: Any) -> bool:
    """Tell whether a cell is a list as DuIE's ``spo_list``, with one relation at least."""
    links = as_list(spelt(cell))
    return bool(links) and all(isinstance(link, Mapping) and {"subject", "predicate", "object"} <= set(link)
                               for link in links or [])


def is_said(cell: Any) -> bool:
    """Tell whether a cell is a list of relations whose ends are words, with one at least."""
    links = as_list(spelt(cell))
    return bool(links) and all(_is_link(link) and isinstance(_value(link, _SUBJECTS), str) if isinstance(link, Mapping)
                               else _is_triplet(link) and isinstance(link[0], str) for link in links or [])


def _in_duies_words(link: Any) -> Mapping[str, Any]:
    """Return a relation with the keys of ``spo_list``.

    Raises:
        ValueError: it is neither an object nor a list of three.
    """
    if isinstance(link, list | tuple) and len(link) == 3:
        return dict(zip(("subject", "predicate", "object"), link, strict=True))
    if not isinstance(link, Mapping):
        raise ValueError(f"expected a relation as an object, came {str(link)[:60]}")
    if {"subject", "predicate", "object"} <= set(link):
        return link
    kinds = {f"{side}_type": link.get(f"{side}_type", link.get(f"{name}_type"))
             for side, name in (("subject", "head"), ("object", "tail"))}
    return {"subject": _value(link, _SUBJECTS), "predicate": _value(link, _LABELS), "object": _value(link, _OBJECTS),
            **{key: kind for key, kind in kinds.items() if kind is not None}}


def _says_none(link: Any) -> bool:
    """Tell whether a pair of NYT's mentions (Riedel et al., 2010) holds no relation, which it calls ``None``."""
    return isinstance(link, Mapping) and "em1Text" in link and link.get("label") == "None"


def _list(cell: Any, name: str) -> list[Any]:
    members = as_list(spelt(cell))
    if members is None:
        raise ValueError(f"expected a list of {name}, came {'nothing' if cell is None else type(cell).__name__}")
    return members


def _value(member: Mapping[str, Any], names: Sequence[str]) -> Any:
    shown = {plain(str(key)): key for key in member}
    return next((member[shown[name]] for name in names if name in shown), None)


def _id(member: Any) -> str | None:
    """Return the id of an entity, if it has one."""
    value = _value(member, _IDS) if isinstance(member, Mapping) else None
    return None if value is None else str(value)


def _names_ids(links: Sequence[Any]) -> bool:
    """Tell whether relations name entities by their ids: under keys that say so, or by words; else by their places."""
    objects = [link for link in links if isinstance(link, Mapping)]
    keys = {plain(str(key)) for link in objects for key in link}
    return "fromid" in keys or "toid" in keys or any(isinstance(_value(link, _SUBJECTS), str) for link in objects)


def _all_known(links: Sequence[Any], ids: Mapping[str, int]) -> bool:
    """Tell whether whatever relations name is the id of an entity; ids are there to be named, and go before places."""
    ends = [end for link in links if isinstance(link, Mapping) for end in (_value(link, _SUBJECTS),
                                                                           _value(link, _OBJECTS))]
    ends += [end for link in links if isinstance(link, list | tuple) for end in link[:2]]
    return bool(ends) and all(str(end) in ids for end in ends)


def _span(text: str, member: Any, tokens: Places | None) -> Span:
    if tokens is None:
        found = marked_spans(text, [member])
        if len(found) != 1:
            raise ValueError(f"an entity has several labels, and relations need one: {str(member)[:60]}")
        return found[0]
    given: Sequence[Any] = member if isinstance(member, list | tuple) and len(member) == 3 else (None, None, None)
    if isinstance(member, Mapping):
        given = member.get("start"), member.get("end"), _value(member, _TYPES)
    start, end, name = given
    if not (_whole(start) and _whole(end) and 0 <= start < end <= len(tokens)):
        raise ValueError(f"tokens {start}-{end} lie outside the text of {len(tokens)} tokens, or are none")
    return checked(text, [(tokens[start][0], tokens[end - 1][1], name)])[0]


def _triple(spans: Sequence[Span], link: Any, numbers: Mapping[str, int]) -> Triple:
    if isinstance(link, Mapping):
        ends, label = [_value(link, names) for names in (_SUBJECTS, _OBJECTS)], _value(link, _LABELS)
    elif isinstance(link, list | tuple) and len(link) == 3:
        ends, label = list(link[:2]), link[2]
    elif isinstance(link, Triple):
        return _known(link, spans)
    else:
        raise ValueError(f"expected a relation as an object with subject, object and label, came {str(link)[:60]}")
    name = label_name(label) if not isinstance(label, list | tuple | Mapping) else None
    if name is None:
        raise ValueError(f"the relation from {ends[0]!r:.40} to {ends[1]!r:.40} has no label ({label!r:.40})")
    for end in ends:
        if isinstance(end, bool) or str(end) not in numbers:
            raise ValueError(f"the relation {name!r} names the entity {end!r:.40}, which is not there: the "
                             f"{len(spans)} entities are {', '.join(list(numbers)[:8]) or '(none)'}"
                             + (" …" if len(numbers) > 8 else ""))
    return _checked(Triple(spans[numbers[str(ends[0])]], spans[numbers[str(ends[1])]], name))


def _known(one: Triple, spans: Sequence[Span]) -> Triple:
    for span in (one.subject, one.object):
        if span not in spans:
            raise ValueError(f"the relation {one.label!r} names the entity {span.start}-{span.end} ({span.label}), "
                             "which is not there")
    return _checked(one)


def _checked(one: Triple) -> Triple:
    if (one.subject.start, one.subject.end) == (one.object.start, one.object.end):
        raise ValueError(f"the relation {one.label!r} holds between {one.subject.start}-{one.subject.end} and itself: "
                         "a relation needs two stretches of the text")
    return one


def _words(text: str, link: Mapping[str, Any], side: str, missing: list[str]) -> Span | None:
    """Return where the words of one end stand first, if they can as whole words; where they do not, add them to
    ``missing``.
    """
    words, kind = (value.get("@value") if isinstance(value, Mapping) else value
                   for value in (link.get(side), link.get(f"{side}_type")))
    if not isinstance(words, str) or not words.strip():
        raise ValueError(f"the {side} of a relation is {words!r:.40}, expected words of the text")
    words = words.strip()
    whole = re.search(rf"(?<!{_SPELT}){re.escape(words)}(?!{_SPELT})", text)
    start = whole.start() if whole else text.find(words)
    if start < 0:
        missing.append(words)
        return None
    return Span(start, start + len(words), label_name(kind) or side)


def _is_link(link: Any) -> bool:
    return isinstance(link, Mapping) and all(_value(link, names) is not None for names in (
        _SUBJECTS, _OBJECTS, _LABELS)) and all(_is_name(_value(link, names)) for names in (_SUBJECTS, _OBJECTS))


def _is_triplet(link: Any) -> bool:
    return isinstance(link, list | tuple) and len(link) == 3 and _is_name(link[0]) and _is_name(link[1]) and isinstance(
        link[2], str)


def _is_name(value: Any) -> bool:
    return isinstance(value, int | str) and not isinstance(value, bool)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
