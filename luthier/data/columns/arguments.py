"""Which columns hold the two arguments of a relation: by the names people use for them, in every usual combination."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from luthier.data import names as roles
from luthier.data.cells.arguments import INCLUSIVE_NAMES

HEAD_NAMES = ("head", "e1", "h", "subject", "subj", "entity1", "headentity", "subjectentity", "arg1",
              "头实体", "主体", "主语", "实体1")
TAIL_NAMES = ("tail", "e2", "t", "object", "obj", "entity2", "tailentity", "objectentity", "arg2",
              "尾实体", "客体", "宾语", "实体2")
"""Names of the columns of the two arguments, as ``plain`` writes them, in pairs."""
OTHERWISE_NAMES = ("subject", "subj", "h", "主体", "主语")
"""Those of a head that other files have, too."""
PLACE_ENDINGS = ("span", "pos", "position", "offset", "offsets", "start", "位置")
TYPE_ENDINGS = ("type", "类型")
"""What is put behind an argument's name for the column of its place or its type."""
END_ENDINGS = (("start", "end"), ("begin", "end"), ("startoffset", "endoffset"), ("startpos", "endpos"),
               ("startidx", "endidx"), ("startindex", "endindex"), ("startchar", "endchar"), ("charstart", "charend"),
               ("开始", "结束"), ("起始", "结束"), ("开始位置", "结束位置"), ("起始位置", "结束位置"))
"""What is put behind it for the columns of its two ends."""

_BOTH = 2


def argument_columns(present: Sequence[str]) -> Iterator[dict[str, str]]:
    """Yield what the columns of two arguments could be: what ``marked_row`` calls them -> column.

    Places come before words alone, which may stand in a text more than once.
    """
    listed = {roles.plain(column): column for column in reversed(present)}
    for head, tail in zip(HEAD_NAMES, TAIL_NAMES, strict=True):
        names = {"head": head, "tail": tail}
        own = _found(listed, {role: [name] for role, name in names.items()})
        types = _found(listed, {f"{role} type": [name + ending for ending in TYPE_ENDINGS]
                                for role, name in names.items()})
        for endings in END_ENDINGS:
            ends = _found(listed, {f"{role} {side}": [name + ending] for role, name in names.items()
                                   for side, ending in zip(("start", "end"), endings, strict=True)})
            if len(ends) == _BOTH * len(endings) and (len(own) == _BOTH or not _count_tokens(ends)):
                yield {**own, **ends, **types}
        for ending in PLACE_ENDINGS:
            places = _found(listed, {f"{role} place": [name + ending] for role, name in names.items()})
            either = {role.partition(" ")[0] for role in (*own, *places)}
            if places and len(either) == _BOTH:
                yield {**own, **places, **types}
        if len(own) == _BOTH:
            yield {**own, **types}


def _found(listed: Mapping[str, str], wanted: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return the columns that there are: what they are called here -> column."""
    return {role: next(listed[name] for name in names if name in listed)
            for role, names in wanted.items() if any(name in listed for name in names)}


def _count_tokens(ends: Mapping[str, str]) -> bool:
    """Tell whether the columns are called like TACRED's, whose numbers are no characters unless words show it."""
    return all(roles.plain(column) in INCLUSIVE_NAMES for column in ends.values())
