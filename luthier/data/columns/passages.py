"""Queries and their passages: which columns hold them, and what their cells hold."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from luthier.data import names as roles
from luthier.data.cells.flags import flag
from luthier.data.cells.labels import spelt
from luthier.data.cells.texts import check_characters
from luthier.data.columns.targets import labels_beside
from luthier.data.layout_values import Seen
from luthier.errors import DataError
from luthier.schema import Example, Passages

ANCHOR_NAMES = ("anchor", "query", "sent0", "锚点", "查询")
QUERY_NAMES = (*ANCHOR_NAMES, "question", "sentence", "text", "问题", "提问")
SURE_NAMES = ("positivepassages", "positivectxs")
"""Names of passages that mean nothing else, as Tevatron and DPR have them: only what is called so is a label there."""
POSITIVE_NAMES = ("positive", "pos", "positives", *SURE_NAMES, "sent1", "正例", "正样本")
NEGATIVE_NAMES = ("negative", "neg", "negatives", "negativepassages", "hardnegative", "hardnegatives", "hardneg",
                  "hardnegativectxs", "negativectxs", "负例", "负样本")
PASSAGE_NAMES = ("passage", "document", "answer", "answers", "response", "reply", "paragraph", "paraphrase", "答案",
                 "回答", "回复", "段落")
"""Names of the columns, as ``plain`` writes them, the likelier first. ``ANCHOR_NAMES`` with ``POSITIVE_NAMES`` tell the
task, too."""
_VERDICTS = ("label", "labels", "goldlabel", "relation", "match", "duplicate", "isduplicate", "relevance", "relevant",
             "isrelevant", "relevancescore", "relevancelabel", "rel", "gain", "grade", "score", "scores", "rating",
             "标签", "关系", "相关性", "相关度", "相关", *roles.NUMBER_NAMES)
"""How columns are called that say whether a pair belongs together, or how well."""
_TEXTS = ("text", "passage", "content")
"""Keys of a passage that is an object."""



def find_passages(seen: Seen, *, asked: bool) -> tuple[str, str, tuple[str, ...]] | None:
    """Return the columns of queries, of passages that belong to them, and of such that do not.

    Args:
        seen: the first rows. Passages may be named as the second text or as the label.
        asked: whether texts shall be compared; without it the names of the columns must tell.

    Returns:
        ``None`` when the file is of another kind, or a column is missing.
    """
    columns, present = seen.columns, seen.present
    named = columns.text_b or columns.label
    if columns.label_separator or (columns.text_b and columns.label):
        return None
    sure = roles.named(present, SURE_NAMES) is not None
    query = roles.asked_or_named(present, columns.text, QUERY_NAMES if asked or sure else ANCHOR_NAMES, ())
    passage = roles.asked_or_named(present, named, (*POSITIVE_NAMES, *(PASSAGE_NAMES if asked else ())), (query,))
    if asked and not (columns.text and named):
        _check_verdicts(seen, (query, passage))
    if asked and not (query and passage) and (pair := roles.named_pair(present)) and not named:
        query, passage = pair
    if query is None or passage is None or not holds_texts(seen.rows, passage):
        return None
    if not asked and not _told_by_names(seen, query, passage):
        return None
    negatives = [column for column in present if roles.plain(column).rstrip("0123456789") in NEGATIVE_NAMES]
    return query, passage, tuple(negatives)


def _check_verdicts(seen: Seen, taken: tuple[str | None, ...]) -> None:
    """Refuse a column that says of each pair whether its texts belong together: all would be taken for right ones.

    Raises:
        DataError: names it.
    """
    for column in (one for one in seen.present if one not in taken):
        cells = [cell for row in seen.rows if (cell := row.get(column)) not in (None, "")]
        known = roles.plain(column) in _VERDICTS and (
            len({repr(cell) for cell in cells}) > 1 or any(isinstance(cell, list) for cell in cells))
        if known or {flag(cell) for cell in cells} == {True, False}:
            raise DataError(f"{seen.path}: column {column!r} seems to say of each pair whether its texts belong "
                            "together, and here all of them would count as right",
                            "write plain numbers in it, such as 0.8, and name all three: --text ONE --text-b OTHER "
                            f"--label {column}; or keep the right pairs, and leave the column out; or name both "
                            "columns of texts: --text QUERY --label PASSAGE")


def passages_of(positive: Any, negatives: Sequence[Any]) -> Passages:
    """Return what belongs to a query, and what does not; each text once.

    Args:
        positive: a cell with a text, a list of texts, or objects that hold one each.
        negatives: such cells, perhaps empty.

    Raises:
        ValueError: no passage belongs to it, or a cell holds something else than texts.
    """
    right = passage_texts(positive)
    if not right:
        raise ValueError("no passage belongs to the query: the cell is empty")
    return Passages(right, tuple(dict.fromkeys(text for cell in negatives for text in passage_texts(cell)
                                               if text not in right)))


def joined(rows: Sequence[Example]) -> Example:
    """Return the first of the rows of one query with the passages of all: what belongs to one belongs to the query.

    Of several grades of one passage the highest counts.
    """
    every = [row.passages for row in rows if row.passages]
    graded: dict[str, float] = {}
    for one in every:
        for text, grade in zip(one.positive, one.relevance, strict=True):
            graded[text] = max(grade, graded.get(text, 0.0))
    negative = dict.fromkeys(text for one in every for text in one.negative if text not in graded)
    grades = () if all(grade == 1 for grade in graded.values()) else tuple(graded.values())
    return replace(rows[0], passages=Passages(tuple(graded), tuple(negative), grades))


def _told_by_names(seen: Seen, query: str, passage: str) -> bool:
    """Tell whether the columns are called as only queries and passages are, and neither they nor others are labels."""
    beside = [column for column in seen.present if roles.plain(column).rstrip("0123456789") in NEGATIVE_NAMES]
    if roles.plain(passage) in SURE_NAMES:
        free = [column for column in seen.present if column not in (query, passage, *beside)]
        return roles.named(free, roles.LABEL_NAMES) is None
    return (roles.plain(query) in ANCHOR_NAMES and roles.plain(passage) in POSITIVE_NAMES
            and not _labels(seen.rows, passage)
            and labels_beside(seen.rows, seen.present, (query, passage, *beside)) is None)


def _labels(rows: Sequence[Mapping[str, Any]], column: str) -> bool:
    """Tell whether the cells of a column are short and repeat, as labels do and passages do not."""
    cells = [str(row.get(column) or "") for row in rows]
    return bool(roles.few_values(rows, [column])) and max(len(cell.split()) for cell in cells) <= 2


def holds_texts(rows: Sequence[Mapping[str, Any]], column: str) -> bool:
    """Tell whether most cells of a column hold texts."""
    cells = [cell for row in rows if (cell := row.get(column)) not in (None, "", [])]
    return bool(cells) and 2 * sum(_is_texts(cell) for cell in cells) > len(cells)


def _is_texts(cell: Any) -> bool:
    try:
        return any(not roles.is_number(text) for text in passage_texts(cell))
    except ValueError:
        return False


def passage_texts(cell: Any) -> tuple[str, ...]:
    """Return the texts of a cell: one, a list of them, or objects that hold one each; empty ones are left out.

    Raises:
        ValueError: it holds something else.
    """
    return tuple(dict.fromkeys(text for text in every_text(cell) if text.strip()))


def every_text(cell: Any) -> list[str]:
    """Return the texts of a cell as they stand in it, empty and equal ones, too.

    Raises:
        ValueError: it holds something else.
    """
    value = spelt(cell)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return []
    found = []
    for one in value if isinstance(value, list) else [value]:
        text = next((one[key] for key in _TEXTS if key in one), None) if isinstance(one, Mapping) else one
        if not isinstance(text, str):
            raise ValueError(f"expected a text or a list of texts, came {type(one).__name__}")
        check_characters(text, "passage")
        found.append(text)
    return found
