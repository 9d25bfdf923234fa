"""What every route family keeps: one error form, limits that hold, a description of every path."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from luthier import plugins
from luthier.schema import LabelSet, Prediction, TextInput
from luthier.serving import Limits, Repository, create_app
from luthier.serving.context import Context
from luthier.serving.telemetry import Telemetry

FAMILIES = plugins.names("serving.routes")
LIMITS = Limits(max_body_bytes=1000, max_inputs=4, max_text_chars=100)
GARBAGE = [
    b"", b"{", b"\xff\xfe", b"[]", b"null", b'{"inputs": NaN}', b'{"a": ' * 150, b'{"inputs": [[[]]]}', b"9" * 900,
]


class OneLabel:
    name = "one"
    labels = LabelSet(("yes", "no"))
    pair = False

    def predict(self, texts: Sequence[TextInput]) -> list[Prediction]:
        return [Prediction(("yes",), self.labels.names, np.array([1, 0], np.float32)) for _ in texts]


def routes_of(family: str) -> list[APIRoute]:
    repository = Repository([OneLabel()])
    router = plugins.load("serving.routes", family).router(Context(repository, LIMITS, Telemetry.create()))
    assert isinstance(router, APIRouter)
    return [route for route in router.routes if isinstance(route, APIRoute)]


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with TestClient(create_app(Repository([OneLabel()]), LIMITS), raise_server_exceptions=False) as client:
        yield client


def test_the_seam_lists_the_families() -> None:
    assert set(FAMILIES) >= {"docs", "health", "metrics", "predict"}


@pytest.mark.parametrize("family", FAMILIES)
def test_every_path_is_described(client: TestClient, family: str) -> None:
    described = client.get("/openapi.json").json()["paths"]
    routes = routes_of(family)
    assert routes
    for route in routes:
        if not route.include_in_schema:
            continue
        for method in route.methods:
            entry = described[route.path][method.lower()]
            assert entry["summary"]
            assert entry["description"]
            assert method == "GET" or {"400", "413", "422", "429", "503"} <= set(entry["responses"])


@pytest.mark.parametrize("family", FAMILIES)
def test_what_can_be_got_is_got(client: TestClient, family: str) -> None:
    for route in routes_of(family):
        if "GET" in route.methods and "{" not in route.path:
            assert client.get(route.path).status_code == 200, route.path


@pytest.mark.parametrize("family", FAMILIES)
def test_another_method_is_refused_in_the_one_form(client: TestClient, family: str) -> None:
    for route in routes_of(family):
        other = client.delete(route.path)
        assert other.status_code == 405
        assert set(other.json()) == {"error", "error_type"}
        assert other.json()["error_type"] == "method_not_allowed"


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("body", GARBAGE, ids=repr)
def test_garbage_is_a_4xx_in_the_one_form(client: TestClient, family: str, body: bytes) -> None:
    for route in routes_of(family):
        if "POST" in route.methods:
            answer = client.post(route.path, content=body)
            assert answer.status_code in (400, 422), body
            assert set(answer.json()) == {"error", "error_type"}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("chunked", [False, True])
def test_the_body_limit_holds(client: TestClient, family: str, chunked: bool) -> None:
    for route in routes_of(family):
        if "POST" in route.methods:
            answer = client.post(route.path, content=iter([b"x" * 600, b"x" * 600]) if chunked else b"x" * 1200)
            assert answer.status_code == 413
            assert "1000 bytes" in answer.json()["error"]


@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_is_taken_before_a_model_is_ready(family: str) -> None:
    client = TestClient(create_app(Repository([]), LIMITS))
    for route in routes_of(family):
        if "POST" in route.methods:
            answer = client.post(route.path, json={"inputs": "x"})
            assert (answer.status_code, answer.json()["error_type"]) == (503, "unavailable")
            assert answer.headers["retry-after"]


def test_an_unknown_path_is_refused_in_the_one_form(client: TestClient) -> None:
    answer = client.get("/nowhere")
    assert answer.status_code == 404
    assert answer.json() == {"error": "Not Found; GET /docs lists what there is", "error_type": "not_found"}


def test_answers_are_what_the_description_says(client: TestClient) -> None:
    from luthier.serving.schemas import ErrorAnswer, PredictAnswer

    for inputs in ("x", ["x", "y"]):
        PredictAnswer.model_validate_json(client.post("/predict", json={"inputs": inputs}).content, strict=True)
    ErrorAnswer.model_validate_json(client.post("/predict", json={}).content, strict=True)
