"""Queries with passages on their way through the batcher: pair by pair, so that a long list shares batches with others.

No web framework, no model.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from luthier.errors import LuthierError
from luthier.schema import Answer, Candidates, Relevance, Reranked, TextInput
from luthier.serving.limits import Limits
from luthier.serving.refusal import Refusal
from luthier.serving.rows import check_passages, read_passages, read_text
from luthier.serving.wire import read_json

_KEYS = ("query", "documents", "texts", "top_n", "return_documents", "return_text", "model")
_FORM = 'send {"query": "…", "documents": ["…", "…"]}, and "top_n" if you want but the first'


@dataclass(frozen=True, slots=True)
class Order:
    """What a request to ``/rerank`` asks for."""

    candidates: Candidates
    top: int | None
    """Most results; ``None`` for all."""
    with_texts: bool
    """Whether results hold their passages."""


def spread(rows: Sequence[TextInput]) -> list[TextInput]:
    """Return the pairs of all rows, one after the other; what is no list of passages as it is."""
    return [pair for row in rows for pair in (row.pairs if isinstance(row, Candidates) else [row])]


def gathered(rows: Sequence[TextInput], answers: Sequence[Answer]) -> list[Answer]:
    """Return one answer for each row from those to its pairs: the order of passages where there were several.

    The same as a predictor answers to the rows themselves.

    Args:
        rows: N rows.
        answers: to what ``spread`` made of them.
    """
    left = iter(answers)
    return [Reranked.of([_scored(next(left)) for _ in row.passages]) if isinstance(row, Candidates) else next(left)
            for row in rows]


def of_row(rows: Sequence[TextInput], error: LuthierError) -> LuthierError:
    """Return a model's complaint about one of the pairs that ``spread`` made, as one about its row."""
    if error.row is None:
        return error
    owners = [number for number, row in enumerate(rows) for _ in (row.passages if isinstance(row, Candidates) else "1")]
    return error.at(owners[error.row])


def of_document(error: LuthierError) -> Refusal:
    """Return how a model's complaint about a pair is told to a caller who sent documents."""
    place = "" if error.row is None else f"documents[{error.row}]: "
    return Refusal("validation", place + error.said, error.fix)


def read_order(body: bytes, limits: Limits) -> Order:
    """Check a request body of the form that servers of re-ranking models share.

    Args:
        body: UTF-8 JSON: ``{"query": …, "documents": […]}``; a document is a text or ``{"text": …}``. ``texts`` stands
            for ``documents``, ``return_text`` for ``return_documents``; ``model`` is left alone.
        limits: most documents and most characters.

    Raises:
        Refusal: not JSON, not of this form, or over a limit; the message names the place.
    """
    value = read_json(body, _FORM)
    if not isinstance(value, dict) or "query" not in value or not {"documents", "texts"} & {*value}:
        raise Refusal("validation", "expected an object with a query and documents", _FORM)
    if unknown := [key for key in value if key not in _KEYS]:
        raise Refusal("validation", f"unknown key {json.dumps(unknown[0][:40])}", f"the keys are {', '.join(_KEYS)}")
    name = "documents" if "documents" in value else "texts"
    given = value[name]
    plain = [one["text"] if isinstance(one, dict) and "text" in one else one for one in given] if isinstance(
        given, list) else given
    found = Candidates(read_text(value["query"], "query", limits), read_passages(plain, name, limits))
    check_passages([found], limits)
    top = value.get("top_n")
    if top is not None and (isinstance(top, bool) or not isinstance(top, int) or top < 1):
        raise Refusal("validation", "top_n is not a whole number of 1 or more", "leave it out to get all documents")
    return Order(found, top, bool(value.get("return_documents") or value.get("return_text")))


def order_of(model: str, asked: Order, answer: Answer) -> bytes:
    """Return the JSON answer of ``/rerank``, UTF-8: ``results``, the best first, each with the document's number."""
    results = answer.to_dict()["results"][: asked.top]
    if asked.with_texts:
        results = [{**one, "document": {"text": asked.candidates.passages[one["index"]]}} for one in results]
    value = {"model": model, "results": results, "truncated": answer.truncated}
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _scored(answer: Answer) -> Relevance:
    assert isinstance(answer, Relevance)  # noqa: S101 - what pairs are answered with
    return answer
