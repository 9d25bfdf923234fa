"""Spans that count tokens, as some data sets have them beside a list of tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from luthier.data.cells.labels import as_list, spelt
from luthier.data.cells.places import is_whole, whole
from luthier.data.cells.spans import checked
from luthier.data.names import plain
from luthier.schema import Span

LAST_INCLUDED = "tokenizedtext"
"""The column of tokens of GLiNER (Zaratiana et al., 2024), as ``plain`` writes it: lists of three beside it end with
the last token, and not behind it."""
_LABELS = ("label", "type", "labels")


def counted_spans(text: str, places: Sequence[tuple[int, int]], cell: Any, tokens: str) -> tuple[Span, ...]:
    """Return the spans that a cell marks in a text whose tokens lie at these places.

    Args:
        text: joined from the tokens.
        places: start and end of each token.
        cell: a list of ``{"index": [0, 1], "type": …}`` (W2NER, Li et al., 2022), of ``{"start": 0, "end": 2, "label":
            …}`` with the end behind the last token (SpERT), or of GLiNER's ``[first, last, type]``.
        tokens: the column of the tokens.

    Raises:
        ValueError: another form, a span outside the tokens, or one of several stretches.
    """
    marks = as_list(spelt(cell))
    if marks is None:
        raise ValueError(f"expected a list of spans, came {'nothing' if cell is None else type(cell).__name__}")
    found = []
    for mark in marks:
        if not is_counted(mark, tokens):
            raise ValueError(f"expected a span that counts tokens, with start, end and label, came {str(mark)[:60]}")
        first, behind, label = _counted(mark)
        if not 0 <= first < behind <= len(places):
            raise ValueError(f"tokens {first}-{behind} lie outside the text of {len(places)} tokens, or are none")
        found.append((places[first][0], places[behind - 1][1], label))
    return checked(text, found)


def fit(marks: Sequence[Any], count: int, tokens: str) -> bool:
    """Tell whether members of a cell can all be spans that count this many tokens."""
    return all(is_counted(mark, tokens) and _end(mark) <= count for mark in marks)


def is_counted(mark: Any, tokens: str) -> bool:
    """Tell whether a member of a cell has a form that can count tokens."""
    if isinstance(mark, list | tuple):
        return plain(tokens) == LAST_INCLUDED and len(mark) == 3 and all(map(is_whole, mark[:2]))
    if not isinstance(mark, Mapping):
        return False
    return bool(_index(mark)) or (is_whole(mark.get("start")) and is_whole(mark.get("end")))


def _counted(mark: Any) -> tuple[int, int, Any]:
    """Return the first token of a span, the one behind its last, and its label.

    Raises:
        ValueError: its tokens do not follow each other.
    """
    if isinstance(mark, list | tuple):
        return whole(mark[0]), _end(mark), mark[2]
    label = next((mark[key] for key in _LABELS if key in mark), None)
    label = label[0] if isinstance(label, list) and len(label) == 1 else label
    index = _index(mark)
    if index and index != list(range(index[0], index[0] + len(index))):
        raise ValueError(f"an entity is of several stretches, tokens {', '.join(map(str, index[:8]))}: give each its "
                         "own, or leave it out")
    return index[0] if index else whole(mark["start"]), _end(mark), label


def _end(mark: Any) -> int:
    """Return the token behind the last one of a span."""
    if isinstance(mark, list | tuple):
        return whole(mark[1]) + 1
    index = _index(mark)
    return max(index) + 1 if index else whole(mark["end"])


def _index(mark: Mapping[str, Any]) -> list[int]:
    """Return the tokens that a span lists; where it has a start, an index is a number of another kind."""
    index = mark.get("index")
    listed = isinstance(index, list) and "start" not in mark and all(map(is_whole, index))
    return [whole(one) for one in index] if listed and isinstance(index, list) else []
