"""Tags of tokens to entities and back.

Every usual scheme (IOB1, IOB2 alias BIO, IOBES, BILOU, BMES) is read by the same rules, those of the CoNLL evaluation
script (Tjong Kim Sang and Buchholz, "Introduction to the CoNLL-2000 Shared Task: Chunking", 2000): a tag that cannot
go on with the entity before it begins one, so every sequence of tags has exactly one reading. Where tags are bare types
without letters (IO, as Few-NERD has them), neighbours of one type are one entity.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

Entity = tuple[int, int, str]
"""First token, the token behind the last, type."""

_TAG = re.compile(r"([BIESLUM])[-_](.+)", re.DOTALL)
_TURNED = re.compile(r".+[-_][BIESLUM]", re.DOTALL)
"""``PER-B``, which is read by nobody else here either, and is no type."""
_SAME = {"L": "E", "U": "S", "M": "I"}
"""Letters of BILOU and BMES -> those of IOBES."""


def is_tag(word: str) -> bool:
    """Tell whether a word is ``O``, or a letter of a scheme with a type, such as ``B-PER``."""
    return word == "O" or _TAG.fullmatch(word) is not None


def is_meant_as_tag(word: str) -> bool:
    """Tell whether a word is a tag, or would be one with its first letter as a capital."""
    return is_tag(_capital(word))


def are_bare(tags: Iterable[str]) -> bool:
    """Tell whether tags of many tokens are types and ``O``, none of them with a letter of a scheme."""
    found = set(tags)
    types = found - {"O", "o"}
    return ("O" in found and bool(types) and not any(map(is_meant_as_tag, types))
            and not all(map(_TURNED.fullmatch, types)))


def entities(tags: Sequence[str], *, bare: bool = False) -> list[Entity]:
    """Return the entities that a sequence of tags marks, in their order.

    Args:
        tags: T tags of any scheme; several schemes may be mixed.
        bare: they are types without letters.

    Raises:
        ValueError: a tag is none of any scheme.
    """
    found: list[Entity] = []
    start, before, kind = 0, "O", ""
    for place, (letter, name) in enumerate(map(_bare_parts if bare else _parts, (*tags, "O"))):
        # After O, E and S nothing is open; B and S begin in any case, and so does another type.
        begins = letter in "BS" or before in "OES" or name != kind
        if before != "O" and begins:
            found.append((start, place, kind))
        if begins:
            start = place
        before, kind = letter, name
    return found


def bio(spans: Iterable[Entity], length: int) -> list[str]:
    """Return the IOB2 tags of ``length`` tokens.

    Raises:
        ValueError: a span is empty, lies outside the tokens, or overlaps another: one row of tags cannot say that.
    """
    tags = ["O"] * length
    for start, end, name in sorted(spans):
        if not 0 <= start < end <= length:
            raise ValueError(f"tokens {start} to {end} ({name}) do not lie within {length} tokens")
        if any(tag != "O" for tag in tags[start:end]):
            raise ValueError(f"tokens {start} to {end} ({name}) overlap another entity")
        tags[start:end] = [f"B-{name}", *[f"I-{name}"] * (end - start - 1)]
    return tags


def _parts(tag: str) -> tuple[str, str]:
    """Return the letter in IOBES, and the type."""
    if tag == "O":
        return "O", ""
    match = _TAG.fullmatch(tag)
    if match is None:
        hint = f": write {_capital(tag)!r}" if is_meant_as_tag(tag) else ""
        raise ValueError(f"unknown tag {tag!r}: expected O, or B, I, E, S, L, U or M with a hyphen and a type, "
                         f"such as B-PER{hint}")
    letter, name = match.groups()
    return _SAME.get(letter, letter), name


def _bare_parts(tag: str) -> tuple[str, str]:
    """Return the letter and the type of a tag that is a type, or ``O``."""
    return ("O", "") if tag in ("O", "o") else ("I", tag)


def _capital(word: str) -> str:
    return word[:1].upper() + word[1:]
