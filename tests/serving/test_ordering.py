"""Queries with passages at the server: both forms of a request, the way through the batcher, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from fastapi.testclient import TestClient

from luthier.errors import DataError
from luthier.schema import Candidates, LabelSet, Relevance, Reranked, TextInput
from luthier.serving import Limits, Repository, create_app
from luthier.serving.answers import BODIES
from luthier.serving.ordering import gathered, of_row, read_order, spread
from luthier.serving.refusal import Refusal
from luthier.serving.schemas import PredictAnswer, RerankAnswer
from luthier.serving.wire import parse
from luthier.tasks import re_ranking

LIMITS = Limits(max_inputs=4, max_text_chars=10, max_batch=2)
GOOD = {"query": "q", "passages": ["a", "bbb", "bb"]}


class Longest:
    """Scores a pair by the length of its passage; keeps how many it was asked at once."""

    name, labels, pair = "longest", LabelSet(("relevant",), "re_ranking"), True

    def __init__(self) -> None:
        self.calls: list[int] = []

    def predict(self, texts: Sequence[TextInput]) -> list[Any]:
        self.calls.append(len(texts))
        return [Relevance(len(row[1]) / 10, row[1] == "bb") for row in texts]  # type: ignore[index]


class Classes(Longest):
    name, labels, pair = "classes", LabelSet(("a", "b")), False


@pytest.fixture
def model() -> Longest:
    return Longest()


@pytest.fixture
def client(model: Longest) -> Iterator[TestClient]:
    with TestClient(create_app(Repository([model]), LIMITS)) as client:
        yield client


def test_lists_and_pairs_are_answered_in_one_request(client: TestClient, model: Longest) -> None:
    body = client.post("/predict", json={"inputs": [GOOD, {"query": "q", "passage": "a"}]})
    order, pair = body.json()["predictions"]
    assert [(one["index"], one["relevance_score"]) for one in order["results"]] == [(1, 0.3), (2, 0.2), (0, 0.1)]
    assert (order["truncated"], pair) == (True, {"score": 0.1, "truncated": False})
    assert max(model.calls) == 2  # pair by pair, so that a list is no larger batch than others
    assert sum(model.calls) == 4
    single = client.post("/predict", json={"inputs": GOOD})
    assert single.json()["predictions"] == order
    PredictAnswer.model_validate_json(single.content, strict=True)
    assert client.post("/predict", json={"inputs": [["q", "a"]]}).json()["predictions"] == [pair]
    assert tuple(BODIES[Relevance].model_fields) == re_ranking.PAIR_ANSWER.KEYS


@pytest.mark.parametrize("path", ["/rerank", "/v1/rerank"])
def test_the_form_that_other_servers_have_is_understood(client: TestClient, path: str) -> None:
    asked = {"query": "q", "documents": ["a", {"text": "bbb"}, "cc"], "top_n": 2, "model": "any"}
    answer = client.post(path, json=asked)
    assert answer.json() == {"model": "longest", "truncated": False, "results": [
        {"index": 1, "relevance_score": 0.3}, {"index": 2, "relevance_score": 0.2}]}
    RerankAnswer.model_validate_json(answer.content, strict=True)
    (whole,) = client.post(path, json={"query": "q", "texts": ["a"], "return_text": True}).json()["results"]
    assert whole == {"index": 0, "relevance_score": 0.1, "document": {"text": "a"}}


@pytest.mark.parametrize(("inputs", "message"), [
    ("q", "this model takes pairs"),
    ({"query": "q"}, 'inputs has no key "passage"'),
    ({"passages": ["a"]}, 'inputs has no key "query"'),
    ({"query": "q", "passages": []}, "inputs.passages is an empty list"),
    ({"query": "q", "passages": "a"}, "inputs.passages is a text, not a list of texts"),
    ({"query": "q", "passages": ["a", 7]}, "inputs.passages[1] is a number"),
    ([GOOD, {**GOOD, "top": 1}], 'inputs[1] has the unknown key "top"'),
    ({**GOOD, "passages": ["a"] * 5}, "5 passages; this server takes 4 a request"),
    ([GOOD, GOOD], "6 passages; this server takes 4 a request"),
    ({"query": "q", "passages": ["a" * 11]}, "inputs.passages[0] has 11 characters"),
])
def test_other_inputs_are_refused_by_their_place(inputs: Any, message: str) -> None:
    with pytest.raises(Refusal) as refused:
        parse(json.dumps({"inputs": inputs}).encode(), LIMITS, pair=True, candidates=True)
    assert message in str(refused.value)


@pytest.mark.parametrize(("body", "message"), [
    ([], "expected an object with a query and documents"),
    ({"query": "q"}, "expected an object with a query and documents"),
    ({"query": "q", "documents": ["a"], "top_k": 1}, 'unknown key "top_k"'),
    ({"query": "q", "documents": []}, "documents is an empty list"),
    ({"query": 7, "documents": ["a"]}, "query is a number"),
    ({"query": "q", "documents": ["a"], "top_n": 0}, "top_n is not a whole number of 1 or more"),
    ({"query": "q", "documents": ["a"], "top_n": True}, "top_n is not a whole number of 1 or more"),
    ({"query": "q", "documents": ["a"] * 5}, "5 passages; this server takes 4 a request"),
    ({"query": "q", "documents": [{"title": "a"}]}, "documents[0] is an object"),
])
def test_other_requests_for_an_order_are_refused(body: Any, message: str) -> None:
    with pytest.raises(Refusal) as refused:
        read_order(json.dumps(body).encode(), LIMITS)
    assert message in str(refused.value)


def test_a_model_that_orders_nothing_says_so() -> None:
    with TestClient(create_app(Repository([Classes()]), LIMITS)) as client:
        answer = client.post("/rerank", json={"query": "q", "documents": ["a"]})
        assert (answer.status_code, "classes does not order passages" in answer.json()["error"]) == (422, True)


def test_what_is_spread_is_gathered_again() -> None:
    rows: list[TextInput] = [Candidates("q", ("a", "b")), ("q", "c"), Candidates("r", ())]
    assert spread(rows) == [("q", "a"), ("q", "b"), ("q", "c")]
    found = gathered(rows, [Relevance(0.1), Relevance(0.2), Relevance(0.3)])
    assert found == [Reranked.of([Relevance(0.1), Relevance(0.2)]), Relevance(0.3), Reranked(())]
    assert gathered(["a text"], [Relevance(0.5)]) == [Relevance(0.5)]


def test_a_complaint_about_a_pair_names_what_the_caller_sent() -> None:
    rows: list[TextInput] = [("q", "a"), Candidates("q", ("b", "c")), ("q", "d")]
    assert [of_row(rows, DataError("bad", "mend it", row=pair)).row for pair in range(4)] == [0, 1, 1, 2]
    assert of_row(rows, DataError("bad", "mend it")).row is None

    class Fails(Longest):
        def predict(self, texts: Sequence[TextInput]) -> list[Any]:
            for number, row in enumerate(texts):
                if row[1] == "bb":
                    raise DataError("cannot be read", "leave it out", row=number)
            return super().predict(texts)

    with TestClient(create_app(Repository([Fails()]), LIMITS)) as client:
        answer = client.post("/predict", json={"inputs": [["q", "a"], GOOD]})
        assert (answer.status_code, answer.json()["error"]) == (422, "inputs[1]: cannot be read; leave it out")
        answer = client.post("/rerank", json={"query": "q", "documents": ["a", "c", "dd", "bb"]})
        assert (answer.status_code, answer.json()["error"]) == (422, "documents[3]: cannot be read; leave it out")


@pytest.mark.parametrize("body", [b"", b"{", b"[NaN]", b"[" * 100_000, b"9" * 5000])
def test_what_is_no_json_is_told_what_this_path_takes(body: bytes) -> None:
    with pytest.raises(Refusal, match=r"(.|\n)*send \{\"query\": \"…\", \"documents\""):
        read_order(body, LIMITS)
