from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from starlette.requests import Request

from luthier.errors import ServingError
from luthier.schema import Prediction
from luthier.serving import Limits, Repository, create_app
from luthier.serving.refusal import STATUS

REFERENCE = Path(__file__).parents[2] / "docs" / "serving.md"
LIMITS = Limits(max_body_bytes=2000, max_inputs=8, max_text_chars=300, timeout_seconds=5)


@pytest.fixture
def client(fake: Any) -> Iterator[TestClient]:
    with TestClient(create_app(Repository([fake]), LIMITS), raise_server_exceptions=False) as client:
        yield client


def metric(client: TestClient, line: str) -> float:
    found = [row for row in client.get("/metrics").text.splitlines() if row.startswith(line + " ")]
    return float(found[0].rsplit(" ", 1)[1]) if found else 0.0


def test_a_list_gets_a_list_and_one_text_gets_one_object(client: TestClient) -> None:
    expected = {"label": "odd", "labels": ["odd"], "score": 0.75,
                "probabilities": {"even": 0.25, "odd": 0.75}, "truncated": False}
    assert client.post("/predict", json={"inputs": "abc"}).json() == {"model": "fake", "predictions": expected}
    answer = client.post("/predict", json={"inputs": ["abc", "心情很好"]})
    assert answer.headers["content-type"] == "application/json"
    assert [each["label"] for each in answer.json()["predictions"]] == ["odd", "even"]


def test_a_text_whose_end_was_not_seen_says_so(client: TestClient) -> None:
    assert client.post("/predict", json={"inputs": "x" * 101}).json()["predictions"]["truncated"] is True
    assert metric(client, 'luthier_truncated_total{model="fake"}') == 1


def test_a_model_of_pairs_takes_pairs(make_fake: Any) -> None:
    with TestClient(create_app(Repository([make_fake(pair=True)]))) as client:
        assert client.get("/ready").json()["models"][0]["pair"] is True
        answer = client.post("/predict", json={"inputs": [["ab", "c"], {"text": "a", "text_b": "b"}]}).json()
        assert [each["label"] for each in answer["predictions"]] == ["odd", "even"]
        assert client.post("/predict", json={"inputs": ["a"]}).status_code == 422


def test_the_content_type_does_not_matter(client: TestClient) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}  # what `curl -d` says when told nothing
    assert client.post("/predict", content=b'{"inputs": "abc"}', headers=form).status_code == 200


def test_a_compressed_body_is_refused_and_not_guessed_at(client: TestClient) -> None:
    answer = client.post("/predict", content=b"\x1f\x8b", headers={"content-encoding": "gzip"})
    assert answer.status_code == 415
    assert answer.json() == {"error": "the body is compressed; send plain JSON, without a Content-Encoding header",
                             "error_type": "unsupported"}


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_refused(client: TestClient, chunked: bool) -> None:
    body = b'{"inputs": "' + b"x" * 3000 + b'"}'
    answer = client.post("/predict", content=iter([body[:900], body[900:]]) if chunked else body)
    assert answer.status_code == 413
    assert answer.json()["error"] == "the body is larger than 2000 bytes; send fewer texts a request"


def test_a_declared_size_over_the_limit_is_refused_unread(client: TestClient) -> None:
    for size in ("9" * 30, "99999999"):
        assert client.post("/predict", content=b"{}", headers={"content-length": size}).status_code == 413


def test_a_declared_size_that_is_no_number_is_refused(client: TestClient) -> None:
    answer = client.post("/predict", content=b"{}", headers={"content-length": "-2"})
    assert (answer.status_code, answer.json()["error_type"]) == (400, "malformed")
    assert "the Content-Length is not a number" in answer.json()["error"]


def test_an_endless_body_is_not_read_to_the_end(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("luthier.serving.body._DRAINED_BYTES", 5000)
    read: list[int] = []

    async def endless(self: Request) -> AsyncIterator[bytes]:
        while True:
            read.append(1000)
            yield b"x" * 1000

    monkeypatch.setattr(Request, "stream", endless)
    assert client.post("/predict", content=iter([b"x"])).status_code == 413
    assert sum(read) == 6000


def test_what_the_model_refuses_is_the_callers_to_mend(client: TestClient) -> None:
    answer = client.post("/predict", json={"inputs": "refuse me"})
    assert (answer.status_code, answer.json()["error"]) == (422, "one text is refused; send another")


def test_a_broken_model_is_a_500_in_the_same_form_that_tells_no_secrets(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    answer = client.post("/predict", json={"inputs": "crash me"})
    assert answer.status_code == 500
    assert answer.json() == {"error": "the model failed on this request; the server's log has the reason",
                             "error_type": "backend"}
    assert "secret of the house" in caplog.text


def test_a_fault_of_the_server_itself_has_the_same_form(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Repository, "get", lambda self: 1 / 0)
    answer = client.get("/ready")
    assert (answer.status_code, answer.json()["error_type"]) == (500, "backend")


def test_a_late_answer_is_a_503_and_frees_the_queue(fake: Any) -> None:
    fake.gate.clear()
    limits = Limits(timeout_seconds=0.05)
    with TestClient(create_app(Repository([fake]), limits)) as client:
        answer = client.post("/predict", json={"inputs": "abc"})
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert answer.json()["error"] == "no answer within 0.05 seconds; send fewer texts, or try again later"
        assert client.get("/health").status_code == 200
        fake.gate.set()


def test_a_full_queue_is_a_429(fake: Any) -> None:
    fake.gate.clear()
    with TestClient(create_app(Repository([fake]), Limits(max_queue=1))) as client:
        first = threading.Thread(target=client.post, args=("/predict",), kwargs={"json": {"inputs": "a"}})
        first.start()
        assert fake.entered.wait(5)
        second = threading.Thread(target=client.post, args=("/predict",), kwargs={"json": {"inputs": "b"}})
        second.start()
        while metric(client, 'luthier_queue_size{model="fake"}') < 1:
            pass
        answer = client.post("/predict", json={"inputs": "c"})
        fake.gate.set()
        first.join()
        second.join()
    assert (answer.status_code, answer.json()["error_type"]) == (429, "overloaded")
    assert answer.headers["retry-after"] == "1"


def test_ready_is_503_before_the_start_and_after_the_stop(fake: Any) -> None:
    repository = Repository([fake])
    app = create_app(repository)
    before = TestClient(app)  # outside `with` the app's start-up has not run
    answer = before.get("/ready")
    assert (answer.status_code, answer.json()["error_type"]) == (503, "unavailable")
    assert "the model is still loading; wait until GET /ready answers 200" in before.post("/predict").json()["error"]
    assert before.get("/health").json() == {"status": "ok", "models": "loading"}
    with TestClient(app) as client:
        assert client.get("/ready").json() == {"status": "ready", "models": [
            {"name": "fake", "labels": ["even", "odd"], "problem_type": "single_label_classification", "pair": False}]}
        repository.refuse_new()
        answer = client.post("/predict", json={"inputs": "a"})
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert "the server is stopping" in answer.json()["error"]
        assert client.get("/ready").status_code == 503


def test_the_metrics_count_what_happened(client: TestClient) -> None:
    client.post("/predict", json={"inputs": ["abc", "ab", "a"]})
    client.post("/predict", json={"inputs": 3})
    client.get("/nowhere")
    for line, value in {
        'luthier_requests_total{model="fake",route="/predict",status="200"}': 1,
        'luthier_requests_total{model="fake",route="/predict",status="422"}': 1,
        'luthier_requests_total{model="",route="other",status="404"}': 1,
        'luthier_request_duration_seconds_count{model="fake",route="/predict"}': 2,
        'luthier_queue_duration_seconds_count{model="fake"}': 1,
        'luthier_inference_duration_seconds_count{model="fake"}': 1,
        'luthier_batch_size_sum{model="fake"}': 3,
        'luthier_queue_size{model="fake"}': 0,
        'luthier_predictions_total{label="odd",model="fake"}': 2,
        'luthier_predictions_total{label="even",model="fake"}': 1,
    }.items():
        assert metric(client, line) == value, line
    assert "process_resident_memory_bytes" in client.get("/metrics").text


def test_two_apps_in_one_process_do_not_share_metrics(make_fake: Any) -> None:
    apps = [create_app(Repository([make_fake()])) for _ in range(2)]
    with TestClient(apps[0]) as one, TestClient(apps[1]) as two:
        one.post("/predict", json={"inputs": "a"})
        assert metric(one, 'luthier_predictions_total{label="odd",model="fake"}') == 1
        assert metric(two, 'luthier_predictions_total{label="odd",model="fake"}') == 0


def test_the_event_loop_answers_while_the_model_is_busy(fake: Any) -> None:
    fake.gate.clear()
    with TestClient(create_app(Repository([fake]))) as client:
        busy = threading.Thread(target=client.post, args=("/predict",), kwargs={"json": {"inputs": "a"}})
        busy.start()
        assert fake.entered.wait(5)
        assert client.get("/health").json() == {"status": "ok", "models": "ready"}
        assert client.get("/ready").status_code == 200
        fake.gate.set()
        busy.join()


def test_a_connection_that_breaks_off_is_no_fault_of_the_server(fake: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> list[Any]:
        repository = Repository([fake])
        app = create_app(repository, LIMITS)
        sent: list[Any] = []
        parts = iter([{"type": "http.request", "body": b'{"inp', "more_body": True}, {"type": "http.disconnect"}])

        async def receive() -> Any:
            return next(parts)

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": "/predict", "headers": [], "query_string": b"",
                 "http_version": "1.1", "scheme": "http", "root_path": "", "server": ("x", 80), "client": ("y", 1)}
        async with app.router.lifespan_context(app):
            await app(scope, receive, send)
        return sent

    sent = asyncio.run(test())
    assert sent[0]["status"] == 400
    assert b"the connection closed before the body ended" in sent[1]["body"]
    assert caplog.records == []


def test_a_body_that_trickles_is_a_408(fake: Any) -> None:
    async def test() -> list[Any]:
        app = create_app(Repository([fake]), Limits(timeout_seconds=0.02))
        sent: list[Any] = []

        async def receive() -> Any:
            await asyncio.Event().wait()

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": "/predict", "headers": [], "query_string": b"",
                 "http_version": "1.1", "scheme": "http", "root_path": "", "server": ("x", 80), "client": ("y", 1)}
        async with app.router.lifespan_context(app):
            await app(scope, receive, send)
        return sent

    sent = asyncio.run(test())
    assert sent[0]["status"] == 408
    assert b"the body did not arrive within 0.02 seconds" in sent[1]["body"]


def test_the_docs_page_asks_for_nothing_outside(client: TestClient) -> None:
    page = client.get("/docs")
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert "http" not in page.text.replace("https-", "")
    for name in ("swagger-ui.css", "swagger-ui-bundle.js", "start.js", "favicon-32x32.png"):
        assert client.get(f"/docs/{name}").status_code == 200, name
    assert client.get("/docs/..%2f__init__.py").status_code == 404
    assert client.get("/docs/index.html").json()["error_type"] == "not_found"
    assert client.get("/", follow_redirects=False).headers["location"] == "docs"
    assert client.get("/openapi.json").json()["openapi"] == "3.0.3"


@pytest.mark.parametrize("name", ["max_body_bytes", "max_inputs", "max_text_chars", "max_queue", "max_batch",
                                  "timeout_seconds"])
def test_a_limit_of_nothing_is_refused(name: str) -> None:
    with pytest.raises(ServingError, match=f"{name} must be above 0, got 0\n  -> set {name} to 1 or more"):
        Limits(**{name: 0})


def test_the_examples_of_the_reference_are_what_the_server_says(fake: Any) -> None:
    shares = {"心情很好": 0.9, "工作很忙": 0.25}
    names = ("negative", "positive")
    fake.name = "reviews"
    fake.predict = lambda texts: [
        Prediction((names[shares[text] > 0.5],), names, np.array([1 - shares[text], shares[text]], np.float32))
        for text in texts
    ]
    examples = re.findall(r"/predict -d '(.+)'\n((?:    .+\n)+)", REFERENCE.read_text(encoding="utf-8"))
    assert len(examples) == 5
    with TestClient(create_app(Repository([fake]))) as client:
        for question, answer in examples:
            assert client.post("/predict", content=question.encode()).json() == json.loads(answer), question


def test_the_reference_names_every_limit_metric_and_error(client: TestClient) -> None:
    reference = REFERENCE.read_text(encoding="utf-8")
    types = [line for line in client.get("/metrics").text.splitlines() if line.startswith("# TYPE luthier_")]
    shown = {line.split()[2] for line in types if not line.split()[2].endswith("_created")}
    assert shown
    for name in [*shown, *STATUS, *(each.name for each in fields(Limits))]:
        assert f"`{name}`" in reference, name
    for path in client.get("/openapi.json").json()["paths"]:
        assert path in reference, path
