"""Queries with one passage each and a number that tells how relevant it is: which columns hold them."""

from __future__ import annotations

from dataclasses import dataclass

from luthier.data import names as roles
from luthier.data.cells import numbers
from luthier.data.cells.labels import as_list
from luthier.data.columns.passages import NEGATIVE_NAMES, PASSAGE_NAMES, POSITIVE_NAMES, QUERY_NAMES, holds_texts
from luthier.data.columns.texts import asked_column
from luthier.data.layout_values import Seen

RELEVANCE_NAMES = ("relevance", "relevant", "isrelevant", "grade", "label", "score", "target", "relevancescore",
                   "relevancelabel", "rel", "gain", "rating", "相关性", "相关度", "相关", "标签", "分数", "得分")
"""Names of a column that tells how relevant a passage is, as ``plain`` writes them, the likelier first."""
LIST_NAMES = ("passages", "documents", "candidates", "texts", "answers", "候选", "段落")
"""Names of a column of lists of passages."""


@dataclass(frozen=True, slots=True)
class Judged:
    """Where everything stands."""

    query: str
    passage: str
    relevance: str | None
    """``None`` where rows are only to be scored."""
    lists: bool
    """Whether a cell holds several passages; only where rows are to be scored."""


def find_judged(seen: Seen, *, labelled: bool) -> Judged | None:
    """Return the columns of pairs and of their relevance; ``None`` where there are none.

    Raises:
        DataError: a column that the caller named is missing.
    """
    relevance = _relevance(seen) if labelled else None
    told_apart = any(roles.plain(column).rstrip("0123456789") in NEGATIVE_NAMES for column in seen.present)
    if labelled and (relevance is None or told_apart):
        return None
    query = (asked_column(seen.path, "text", seen.columns.text, seen.present) if seen.columns.text else
             roles.named(seen.present, QUERY_NAMES))
    passage = _passage(seen, (query, relevance), lists=not labelled)
    if query is None or passage is None:
        pair = roles.named_pair(seen.present)
        if pair is None or seen.columns.text or seen.columns.text_b:
            return None
        query, passage = pair
    if not holds_texts(seen.rows, passage):
        return None
    lists = any(as_list(row.get(passage)) is not None for row in seen.rows)
    return None if lists and labelled else Judged(query, passage, relevance, lists)


def _passage(seen: Seen, taken: tuple[str | None, ...], *, lists: bool) -> str | None:
    if seen.columns.text_b:
        return asked_column(seen.path, "text_b", seen.columns.text_b, seen.present)
    free = [column for column in seen.present if column not in taken]
    return roles.named(free, (*(LIST_NAMES if lists else ()), *PASSAGE_NAMES, *POSITIVE_NAMES))


def _relevance(seen: Seen) -> str | None:
    """Return the column of relevance: as named, if it holds numbers, or by its name."""
    asked = seen.columns.label
    if asked:
        column = asked_column(seen.path, "label", asked, seen.present)
        return column if _tells(seen, column) else None
    free = [column for column in seen.present if column not in (seen.columns.text, seen.columns.text_b)]
    return next((column for column in roles.matching(free, RELEVANCE_NAMES) if _tells(seen, column)), None)


def _tells(seen: Seen, column: str) -> bool:
    cells = [row.get(column) for row in seen.rows]
    return all(isinstance(cell, bool) for cell in cells) or numbers.numbers_in(
        seen.rows, column, share=numbers.MOST) is not None
