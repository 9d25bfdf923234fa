"""A real server over real sockets."""

from __future__ import annotations

import errno
import json
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from luthier.errors import ServingError
from luthier.serving import Limits, background, serve
from luthier.serving.server import listen, url_of


def post(url: str, body: Any, headers: dict[str, str] | None = None) -> tuple[int, Any]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(f"{url}/predict", data, headers or {})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


@pytest.fixture
def url(fake: Any) -> Iterator[str]:
    with background(fake, limits=Limits(max_body_bytes=2000, timeout_seconds=5)) as url:
        yield url


def exchange(url: str, *parts: bytes) -> bytes:
    """Send raw bytes and return the answer up to the end of its body."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        for part in parts:
            connection.sendall(part)
        received = b""
        while not received.endswith(b"}"):
            received += connection.recv(65536)
        return received


def test_limits_hold_on_the_wire_whatever_the_header_says(url: str) -> None:
    head = b"POST /predict HTTP/1.1\r\nhost: x\r\n"
    chunk = b"400\r\n" + b"x" * 0x400 + b"\r\n"
    chunked = exchange(url, head + b"transfer-encoding: chunked\r\n\r\n", chunk, chunk, b"0\r\n\r\n")
    assert b" 413 " in chunked
    assert b"the body is larger than 2000 bytes" in chunked
    declared = exchange(url, head + b"content-length: 500000000\r\n\r\n", b"x" * 5000)
    assert b" 413 " in declared
    expecting = exchange(url, head + b"content-length: 5000000\r\nexpect: 100-continue\r\n\r\n")
    assert expecting.startswith(b"HTTP/1.1 413 ")
    assert post(url, {"inputs": "abc"})[0] == 200


def test_a_client_that_sends_on_gets_the_413_and_not_a_broken_pipe(url: str) -> None:
    assert post(url, b"x" * 3_000_000)[0] == 413


def test_garbage_is_a_clear_4xx(url: str) -> None:
    for body in (b"\xff\xfe", b"[" * 1900, b'{"inputs": NaN}', b'{"inputs": "\\ud800"}', b"null"):
        status, answer = post(url, body)
        assert status in (400, 422), body
        assert set(answer) == {"error", "error_type"}


def test_clients_share_batches(fake: Any, url: str) -> None:
    fake.gate.clear()
    texts = ["x" * (n + 1) for n in range(24)]
    with ThreadPoolExecutor(24) as clients:
        first = clients.submit(post, url, {"inputs": "first"})
        assert fake.entered.wait(5)
        answers = [clients.submit(post, url, {"inputs": text}) for text in texts[:23]]
        while waiting(url) < 23:
            pass
        fake.gate.set()
        for text, answer in zip(texts, answers, strict=False):
            assert answer.result() == (200, {"model": "fake", "predictions": fake.expect(text).to_dict()})
        assert first.result()[0] == 200
    assert fake.sizes == [1, 23]


def waiting(url: str) -> float:
    with urllib.request.urlopen(f"{url}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return next(float(line.split()[-1]) for line in lines if line.startswith("luthier_queue_size{"))


def test_the_end_of_the_block_answers_what_is_in_flight(fake: Any) -> None:
    fake.gate.clear()
    with ThreadPoolExecutor(1) as clients:
        with background(fake) as url:
            answer = clients.submit(post, url, {"inputs": "abc"})
            assert fake.entered.wait(5)
            threading.Timer(0.2, fake.gate.set).start()
        assert answer.result()[0] == 200
    with pytest.raises(urllib.error.URLError):
        post(url, {"inputs": "late"})


def test_a_taken_port_is_refused_before_the_model_is_loaded(tmp_path: Path) -> None:
    with listen("127.0.0.1", 0) as other:
        port = other.getsockname()[1]
        message = f"port {port} on 127.0.0.1 is taken by another program\n  -> choose another with --port"
        with pytest.raises(ServingError, match=message):
            serve(tmp_path / "no bundle here", port=port)  # would be a BundleError, had it been opened


def test_a_wrong_host_is_refused() -> None:
    with pytest.raises(ServingError, match="the host 'a..b' has no address\n  -> use 127.0.0.1"):
        listen("a..b", 0)


@pytest.mark.parametrize(("number", "message"), [
    (errno.EACCES, "port 80 needs rights that this user lacks\n  -> .* 1024 and up need none"),
    (errno.EADDRNOTAVAIL, "127.0.0.1 is not an address of this machine\n  -> use 127.0.0.1, or 0.0.0.0"),
    (errno.ENOBUFS, "cannot listen on 127.0.0.1 port 80: no luck\n  -> choose another with --port"),
])
def test_what_the_system_refuses_is_explained(monkeypatch: pytest.MonkeyPatch, number: int, message: str) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(number, "no luck")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(ServingError, match=message):
        listen("127.0.0.1", 80)


def test_a_server_that_fails_to_start_says_so(fake: Any, caplog: pytest.LogCaptureFixture) -> None:
    del fake.pair
    with pytest.raises(ServingError, match="the server did not start\n  -> its log has the reason"), background(fake):
        pass


@pytest.mark.parametrize(("host", "shown"), [
    ("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("localhost", "localhost")])
def test_the_url_is_one_that_this_machine_reaches(host: str, shown: str) -> None:
    with listen(host, 0) as listener:
        assert url_of(host, listener) == f"http://{shown}:{listener.getsockname()[1]}"


SLOW_SERVER = textwrap.dedent("""
    import time
    from pathlib import Path
    from types import SimpleNamespace

    import numpy as np

    import luthier.inference
    from luthier.schema import LabelSet, Prediction
    from luthier.serving import Limits, serve

    labels = LabelSet(("a", "b"))

    def predict(texts):
        print("predicting", flush=True)
        time.sleep(SECONDS)
        return [Prediction(("a",), labels.names, np.array([0.75, 0.25], np.float32)) for _ in texts]

    slow = SimpleNamespace(name="slow", labels=labels, pair=False, predict=predict)
    luthier.inference.open_fastest = lambda *_, **__: (slow, "a stand-in")
    serve(Path("x"), port=0, limits=Limits(timeout_seconds=LIMIT), on_ready=lambda url, _: print(url, flush=True))
    print("over", flush=True)
""")


def start_slow_server(seconds: float, *, limit: float = 30) -> tuple[subprocess.Popen[str], str]:
    script = SLOW_SERVER.replace("SECONDS", str(seconds)).replace("LIMIT", str(limit))
    process = subprocess.Popen([sys.executable, "-W", "error", "-c", script], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, -signal.SIGINT)])
def test_a_signal_answers_those_in_flight_refuses_new_ones_and_ends(number: signal.Signals, status: int) -> None:
    process, url = start_slow_server(1.0)
    with process, ThreadPoolExecutor(4) as clients:
        answers = [clients.submit(post, url, {"inputs": ["x"] * 3}) for _ in range(4)]
        assert process.stdout is not None
        assert process.stdout.readline() == "predicting\n"
        while waiting(url) < 9:
            pass
        process.send_signal(number)
        started = time.monotonic()
        assert process.stdout.readline() == "predicting\n"  # the second batch, after the signal
        with pytest.raises(urllib.error.URLError):
            post(url, {"inputs": "late"})
        assert [answer.result()[0] for answer in answers] == [200] * 4
        assert process.wait(10) == status
        assert time.monotonic() - started < 5
        output, errors = process.communicate()
    assert ("over" in output) == (status == 0)
    assert errors == "" or number == signal.SIGINT


@pytest.mark.slow
def test_a_model_that_hangs_does_not_keep_the_server_from_ending() -> None:
    process, url = start_slow_server(60, limit=1)
    with process, ThreadPoolExecutor(1) as clients:
        answer = clients.submit(post, url, {"inputs": "x"})
        assert process.stdout is not None
        assert process.stdout.readline() == "predicting\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert (answer.result()[0], answer.result()[1]["error_type"]) == (503, "timeout")
        assert process.communicate() == ("over\n", "")


@pytest.mark.slow
def test_many_clients_get_what_the_predictor_says_offline(tiny_bundle: Path, rows: list[tuple[str, str]]) -> None:
    from luthier.inference import Predictor

    texts = [text for text, _ in rows] * 4
    expected = dict(zip(texts, Predictor.open(tiny_bundle).predict(texts), strict=True))
    script = ("import sys; from pathlib import Path; from luthier.inference import Opening\n"
              "from luthier.serving import serve\n"
              "serve(Path(sys.argv[1]), port=0, opening=Opening('torch', threads=1, offline=True),\n"
              "      on_ready=lambda url, _: print(url, flush=True))")
    with subprocess.Popen([sys.executable, "-c", script, str(tiny_bundle)], stdout=subprocess.PIPE, text=True,
                          cwd=Path(__file__).parents[2]) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        with ThreadPoolExecutor(32) as clients:
            answers = list(clients.map(lambda text: post(url, {"inputs": text}), texts))
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    for text, (status, answer) in zip(texts, answers, strict=True):
        assert status == 200
        assert answer["predictions"]["labels"] == list(expected[text].labels)
        offline = expected[text].to_dict()["probabilities"]
        assert answer["predictions"]["probabilities"] == pytest.approx(offline, abs=2e-6)
