"""What is nested in JSON laid open: articles with their questions (SQuAD, CMRC), texts with their entities (spaCy)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Rows = list[tuple[int, Any]]

_CONTEXTS, _QUESTIONS, _IDS = ("context", "context_text"), ("question", "query_text"), ("id", "query_id")
"""Keys in SQuAD (Rajpurkar et al., 2016) and in the first form of CMRC 2018."""


def laid_open(rows: Rows) -> Rows:
    """Return a row for each question of each article, numbered from 1; rows without articles as they came.

    An article is ``{"title": …, "paragraphs": [{"context": …, "qas": [{"question": …, "answers": …}]}]}``, or one such
    paragraph.
    """
    if not any(is_nested(row) for _, row in rows):
        return rows
    return list(enumerate((one for _, row in rows for one in _questions(row)), start=1))


def is_nested(row: Any) -> bool:
    """Tell whether a row is an article, or a paragraph with its questions."""
    return bool(_paragraphs(row))


def unpaired(rows: Rows) -> Rows:
    """Return spaCy's pairs, ``["text", {"entities": [[start, end, label], …]}]``, as objects; other rows stay."""
    return [(line, {"text": row[0], "entities": row[1]["entities"]} if _is_pair(row) else row) for line, row in rows]


def _is_pair(row: Any) -> bool:
    return (isinstance(row, list) and len(row) == 2 and isinstance(row[0], str) and isinstance(row[1], dict)
            and isinstance(row[1].get("entities"), list))


def _paragraphs(row: Any) -> list[dict[str, Any]]:
    if not isinstance(row, dict):
        return []
    inner = row.get("paragraphs") if "paragraphs" in row else [row]
    return [one for one in inner if isinstance(one, dict) and isinstance(one.get("qas"), list)] \
        if isinstance(inner, list) else []


def _questions(row: Any) -> Iterator[Any]:
    paragraphs = _paragraphs(row)
    if not paragraphs:
        yield row
    for paragraph in paragraphs:
        shared = {} if row.get("title") is None else {"title": row["title"]}
        for asked in paragraph["qas"]:
            if not isinstance(asked, dict):
                yield asked
                continue
            named = {"id": _IDS, "question": _QUESTIONS}
            plain = {name: value for name, keys in named.items() if (value := _first(asked, keys)) is not None}
            rest = {key: value for key, value in asked.items() if key not in (*_IDS, *_QUESTIONS)}
            yield {**plain, **shared, "context": _first(paragraph, _CONTEXTS), **rest, **_answered(asked)}


def _answered(asked: dict[str, Any]) -> dict[str, Any]:
    """Return answers that are texts alone, as CMRC 2018 first had them, as answers whose places are not known."""
    texts = asked.get("answers")
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        return {}
    return {"answers": [{"text": text, "answer_start": None} for text in texts]}


def _first(values: dict[str, Any], keys: tuple[str, ...]) -> Any:
    return next((values[key] for key in keys if values.get(key) is not None), None)
