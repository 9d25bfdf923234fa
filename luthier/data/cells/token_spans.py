"""Rows of tokens beside spans that count tokens, laid open as a text with spans that count characters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from luthier.data.cells.labels import as_list
from luthier.data.cells.places import is_whole, whole
from luthier.data.cells.spans import glue_of, joined
from luthier.data.names import RELATION_NAMES, SPAN_NAMES, TEXT_NAMES, TOKEN_NAMES, matching, plain

_TOKENS = (*TOKEN_NAMES, "sentence", "text")
_SPANS = ("entities", "spans", "ents", "ner", "实体")
"""Columns of which an empty list says that there is no entity; under other names it could be one of labels or tags."""
_LAST_INCLUDED = "tokenized_text"
"""The column of GLiNER (Zaratiana et al., 2024), whose lists of three end with the last token and not behind it."""


def counted_in_characters(values: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return a row with its tokens joined and its spans counted in characters; ``None`` where it is another row.

    Read are ``{"sentence": [token, …], "ner": [{"index": [0, 1], "type": …}]}`` of W2NER (Li et al., 2022), ``{
    "tokenized_text": […], "ner": [[first, last, type], …]}`` of GLiNER, and ``{"tokens": […], "entities": [{"start": 0,
    "end": 2, "label": …}]}``, the end behind the last token; beside relations lists of three, which end there, too.

    Raises:
        ValueError: a span lies outside the tokens, or is of several stretches.
    """
    columns = [name for name, cell in values.items() if not isinstance(cell, str) or cell[:1] == "["]
    if not columns:
        return None
    tokens = next((one for one in matching(columns, _TOKENS) if _are_tokens(as_list(values[one]))), None)
    if tokens is None or any(_is_text(values[one]) for one in matching(list(values), TEXT_NAMES)):
        return None
    lists = tokens == _LAST_INCLUDED or bool(matching(list(values), RELATION_NAMES))
    column = next((one for one in matching(columns, SPAN_NAMES) if one != tokens
                   and _are_counted(one, as_list(values[one]), lists=lists)), None)
    if column is None:
        return None
    words, marks = as_list(values[tokens]) or [], as_list(values[column]) or []
    text, places = joined(words, glue_of([words]))
    spans = []
    for mark in marks:
        first, behind = _counted(mark, extra=tokens == _LAST_INCLUDED)
        if not 0 <= first < behind <= len(places):
            raise ValueError(f"{column!r}: tokens {first}-{behind} lie outside the {len(places)} tokens, or are none")
        spans.append(_placed(mark, places[first][0], places[behind - 1][1]))
    return {**values, tokens: text, column: spans}


def _is_text(cell: Any) -> bool:
    return isinstance(cell, str) and as_list(cell) is None


def _are_tokens(cell: list[Any] | None) -> bool:
    return bool(cell) and all(isinstance(one, str) for one in cell or ())


def _are_counted(column: str, marks: list[Any] | None, *, lists: bool) -> bool:
    """Tell whether a cell lists marks that can only count tokens, as no text stands beside them."""
    if marks is None:
        return False
    return all(_is_counted(mark, lists=lists) for mark in marks) if marks else plain(column) in _SPANS


def _is_counted(mark: Any, *, lists: bool) -> bool:
    if isinstance(mark, list | tuple):
        return lists and len(mark) == 3 and all(map(is_whole, mark[:2])) and isinstance(mark[2], str)
    if not isinstance(mark, Mapping):
        return False
    index = mark.get("index")
    return (isinstance(index, list) and bool(index) and all(map(is_whole, index))) or (
        is_whole(mark.get("start")) and is_whole(mark.get("end")))


def _counted(mark: Any, *, extra: bool) -> tuple[int, int]:
    """Return the first token of a span, and the one behind its last.

    Raises:
        ValueError: its tokens do not follow each other.
    """
    if isinstance(mark, list | tuple):
        return whole(mark[0]), whole(mark[1]) + extra
    if "index" not in mark:
        return whole(mark["start"]), whole(mark["end"])
    index = [whole(one) for one in mark["index"]]
    if index != list(range(index[0], index[0] + len(index))):
        raise ValueError(f"an entity is of several stretches, tokens {', '.join(map(str, index[:8]))}: give each its "
                         "own, or leave it out")
    return index[0], index[-1] + 1


def _placed(mark: Any, start: int, end: int) -> Any:
    """Return a mark in characters; whatever else it says, an id, say, it keeps."""
    return [start, end, mark[2]] if isinstance(mark, list | tuple) else {
        **{key: value for key, value in mark.items() if key != "index"}, "start": start, "end": end}
