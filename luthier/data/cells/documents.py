"""Documents of sentences, as SciERC (Luan et al., 2018) and PURE write them, laid open as one list of tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def document(values: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return a document as tokens with entities and relations; ``None`` where it is none.

    There ``sentences`` are lists of tokens, ``ner`` and ``relations`` have a list for each sentence, places count the
    tokens of the document, and the last one belongs to the span. Relations name entities by their places in the list.
    """
    sentences, marks, links = (_inner(values.get(name)) for name in ("sentences", "ner", "relations"))
    if not sentences or marks is None or not (_begin_with(marks, 2) and _begin_with(links or [], 4)):
        return None
    if not all(isinstance(token, str) for token in sentences):
        return None
    numbers = {tuple(mark[:2]): number for number, mark in enumerate(marks)}

    def end(link: Any, at: int) -> Any:
        return numbers.get(tuple(link[at : at + 2]), f"tokens {link[at]}-{link[at + 1]}")

    kept = {key: value for key, value in values.items() if key not in ("sentences", "ner", "relations", "clusters")}
    return {**kept, "tokens": sentences,
            "entities": [{"start": mark[0], "end": mark[1] + 1, "type": mark[2]} for mark in marks],
            "relations": [{"head": end(link, 0), "tail": end(link, 2), "type": link[4]} for link in links or []]}


def _inner(value: Any) -> list[Any] | None:
    """Return what stands in the lists of a list, or ``None`` where it is not such."""
    if not isinstance(value, list) or not all(isinstance(one, list) for one in value):
        return None
    return [member for one in value for member in one]


def _begin_with(members: list[Any], places: int) -> bool:
    """Tell whether each member is a list of that many whole numbers with something behind them."""
    return all(isinstance(one, list) and len(one) > places and all(type(place) is int for place in one[:places])
               for one in members)
