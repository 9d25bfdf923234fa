"""Work that nobody waits for any more ends: a late answer's, a client's that has gone, a stopping server's."""

from __future__ import annotations

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
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from luthier.cli.serve import command
from luthier.errors import DataError, LimitError
from luthier.inference.generation import Stop
from luthier.schema import Generated, LabelSet, TextInput
from luthier.serving import Limits, background
from luthier.serving.server import listen
from luthier.serving.worker import Worker

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]


class Writer:
    """Writes a token each 5 ms: as many as a text says, or for a minute."""

    name = "writer"
    labels = LabelSet(("generated_text",), problem_type="text_generation")
    pair = False

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.written: list[dict[str, int]] = []
        """Tokens of each text of each batch."""

    def predict(self, texts: Sequence[TextInput], *, stop: Stop | None = None) -> list[Generated]:
        assert stop is not None
        if "unreadable" in texts:
            raise DataError("it cannot be read", "send another", row=list(texts).index("unreadable"))
        if "too long" in texts:
            raise LimitError("it leaves no room", "shorten it", row=list(texts).index("too long"))
        counts = {str(text): 0 for text in texts}
        self.written.append(counts)
        self.begun.set()
        going = {row: int(str(text)) if str(text).isdigit() else 12_000 for row, text in enumerate(texts)}
        while going:
            time.sleep(0.005)
            for row in going:
                counts[str(texts[row])] += 1
            going = {row: most for row, most in going.items() if counts[str(texts[row])] < most and not stop(row)}
        return [Generated("x" * counts[str(text)], "stop", 1.0) for text in texts]


@pytest.fixture
def writer() -> Writer:
    return Writer()


def post(url: str, inputs: Any) -> tuple[int, Any, float]:
    """Return status, answer and seconds."""
    began = time.monotonic()
    request = urllib.request.Request(f"{url}/predict", json.dumps({"inputs": inputs}).encode())
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer), time.monotonic() - began
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error), time.monotonic() - began


def get(url: str) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def counted(url: str, line: str) -> float:
    found = [row for row in get(f"{url}/metrics")[1].splitlines() if row.startswith(line)]
    return sum(float(row.rsplit(" ", 1)[1]) for row in found)


@contextmanager
def connection(url: str, inputs: Any) -> Iterator[None]:
    """Ask, and hang up at the end of the block."""
    host, port = url.removeprefix("http://").split(":")
    body = json.dumps({"inputs": inputs}).encode()
    with socket.create_connection((host, int(port)), timeout=10) as opened:
        opened.sendall(b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
        yield


def test_a_request_that_runs_into_its_time_limit_frees_the_model(writer: Writer) -> None:
    with background(writer, limits=Limits(timeout_seconds=1)) as url:
        status, answer, _ = post(url, ["long", "longer"])
        assert (status, answer["error_type"]) == (503, "timeout")
        status, answer, seconds = post(url, "3")
        assert (status, answer["predictions"]["generated_text"]) == (200, "xxx")
        assert seconds < 1
        assert max(writer.written[0].values()) < 1000


def test_a_client_that_hangs_up_frees_the_model(writer: Writer) -> None:
    with background(writer) as url:
        with connection(url, "long"):
            assert writer.begun.wait(10)
        status, _, seconds = post(url, "3")
        assert (status, seconds < 5) == (200, True)
        assert counted(url, 'luthier_requests_total{model="writer",route="/predict",status="499"}') == 1


def test_who_shares_a_batch_with_one_that_hangs_up_gets_the_whole_answer(writer: Writer) -> None:
    with background(writer) as url, ThreadPoolExecutor(2) as clients:
        first = clients.submit(post, url, "100")
        assert writer.begun.wait(10)
        with connection(url, "long"):
            while counted(url, "luthier_queue_size{") < 1:
                pass
            other = clients.submit(post, url, "200")
            while counted(url, "luthier_queue_size{") < 2:
                pass
            assert first.result()[0] == 200
        status, answer, _ = other.result()
        assert (status, len(answer["predictions"]["generated_text"])) == (200, 200)
        assert {*writer.written[1]} == {"long", "200"}
        assert writer.written[1]["long"] < 200


def test_a_server_that_stops_waits_a_second_for_what_is_written_and_no_longer(writer: Writer) -> None:
    with ThreadPoolExecutor(3) as clients:
        with background(writer) as url:
            batch = clients.submit(post, url, ["long", "3"])
            assert writer.begun.wait(10)
            waiting = clients.submit(post, url, "60")
            while counted(url, "luthier_queue_size{") < 1:
                pass
            began = time.monotonic()
        assert time.monotonic() - began < 6
        for asked in (batch, waiting):
            status, answer, _ = asked.result()
            assert (status, answer["error_type"]) == (503, "unavailable")
            assert "the server is stopping" in answer["error"]
    assert not {"luthier-server", "luthier-model-writer"} & {thread.name for thread in threading.enumerate()}


def test_a_server_that_stops_lets_short_texts_be_written_to_their_end(writer: Writer) -> None:
    with ThreadPoolExecutor(1) as clients:
        with background(writer) as url:
            asked = clients.submit(post, url, "40")
            assert writer.begun.wait(10)
        assert asked.result()[0] == 200


@pytest.mark.parametrize(("text", "said"), [
    ("unreadable", "it cannot be read; send another"), ("too long", "it leaves no room; shorten it")])
def test_what_the_model_cannot_read_is_named_as_the_caller_knows_it(writer: Writer, text: str, said: str) -> None:
    with background(writer, limits=Limits(max_batch=3)) as url, ThreadPoolExecutor(3) as clients:
        held = clients.submit(post, url, "100")  # the others are one batch, or several, behind it
        assert writer.begun.wait(10)
        several = clients.submit(post, url, [*"1234", text, "5"])
        good = clients.submit(post, url, "2")
        assert several.result()[:2] == (422, {"error": f"inputs[4]: {said}", "error_type": "validation"})
        assert post(url, text)[1]["error"] == f"inputs: {said}"
        assert (held.result()[0], good.result()[0]) == (200, 200)


LOADING = textwrap.dedent("""
    import sys, time
    import luthier.inference
    from luthier.errors import BundleError
    from luthier.serving import serve

    def load(*_, **__):
        print("loading", flush=True)
        time.sleep(float(sys.argv[2]))
        raise BundleError("no bundle is there", "name another")

    luthier.inference.open_fastest = load
    serve("x", port=int(sys.argv[1]))
    print("over", flush=True)
""")


def start_loading(seconds: float) -> tuple[subprocess.Popen[str], str]:
    with listen("127.0.0.1", 0) as found:
        port = found.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-W", "error", "-c", LOADING, str(port), str(seconds)], text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT)
    assert process.stdout is not None
    assert process.stdout.readline() == "loading\n"
    return process, f"http://127.0.0.1:{port}"


@pytest.mark.parametrize(("number", "status", "said"), [(signal.SIGTERM, 0, "over\n"), (signal.SIGINT, -2, "")])
def test_a_server_answers_and_can_be_stopped_while_its_model_loads(number: signal.Signals, status: int, said: str,
                                                                   ) -> None:
    process, url = start_loading(60)
    with process:
        assert get(f"{url}/health") == (200, '{"status":"ok","models":"loading"}')
        ready = get(f"{url}/ready")
        assert (ready[0], "the model is still loading" in ready[1]) == (503, True)
        assert post(url, "a")[1]["error_type"] == "unavailable"
        process.send_signal(number)
        assert process.wait(10) == status
        output, errors = process.communicate()
    assert output == said
    assert errors == "" or number == signal.SIGINT


def test_a_model_that_cannot_be_loaded_ends_the_server() -> None:
    process, _ = start_loading(0.1)
    with process:
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "BundleError: no bundle is there" in errors


WRITING = textwrap.dedent("""
    import sys
    from pathlib import Path

    import luthier.inference
    from luthier.inference import Predictor
    from luthier.inference.backends.torch import from_model
    from luthier.models.causal import build_causal
    from luthier.models.chat import ChatEncoder
    from luthier.models.tiny_generators import make_causal
    from luthier.schema import LabelSet
    from luthier.serving import Limits, serve
    from luthier.tasks import dialogue

    base = make_causal(Path(sys.argv[1]), width=16, max_length=40_000)
    labels = LabelSet(("generated_text",), problem_type="dialogue")
    settings = dialogue.Settings.model_validate({"decoding": {"max_new_tokens": 30_000, "min_new_tokens": 30_000,
                                                              "num_beams": int(sys.argv[2])}})
    encoder = ChatEncoder.load(base, max_length=40_000, new_tokens=30_000)
    predictor = Predictor(from_model(build_causal(base, labels).model), encoder, labels, dialogue, settings, False, "w")
    luthier.inference.open_fastest = lambda *_, **__: (predictor, "a stand-in")
    serve(Path("x"), port=0, limits=Limits(timeout_seconds=float(sys.argv[3])),
          on_ready=lambda url, _: print(url, flush=True))
    print("over", flush=True)
""")


@pytest.mark.parametrize("beams", [1, 3])
def test_a_real_model_that_writes_is_stopped_within_seconds(tmp_path: Path, beams: int) -> None:
    with subprocess.Popen([sys.executable, "-c", WRITING, str(tmp_path / "base"), str(beams), "3"], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert post(url, ["hello"] * 3)[1]["error_type"] == "timeout"
        began = time.monotonic()
        while counted(url, "luthier_inference_duration_seconds_count") < 1:
            assert time.monotonic() - began < 3  # the model is free: alone it would write for a minute
        with ThreadPoolExecutor(1) as clients:
            asked = clients.submit(post, url, "hello")
            while counted(url, "luthier_queue_duration_seconds_count") < 2 and time.monotonic() - began < 2:
                time.sleep(0.1)
            process.send_signal(signal.SIGTERM)
            began = time.monotonic()
            assert process.stdout.readline() == "over\n"
            assert time.monotonic() - began < 4
            assert asked.result()[1]["error_type"] in ("unavailable", "timeout")
        assert process.wait(60) == 0  # ending an interpreter that holds torch takes seconds on a busy machine
        assert process.communicate() == ("", "")


@pytest.mark.parametrize(("raised", "status"), [(None, 0), (KeyboardInterrupt, 130)])
def test_the_command_ends_beside_a_model_that_still_computes(monkeypatch: pytest.MonkeyPatch, raised: Any, status: int,
                                                             ) -> None:
    """An interpreter that ends takes such a thread down in the middle of C++, which aborts the process."""
    over, worker = threading.Event(), Worker("hung")

    def wait() -> None:
        over.wait(60)

    def served(*_: Any, **__: Any) -> None:
        worker.start()
        worker.put(wait)
        if raised is not None:
            raise raised

    def left(code: int) -> None:
        over.set()
        raise SystemExit(code)

    monkeypatch.setattr("luthier.serving.serve", served)
    monkeypatch.setattr("os._exit", left)
    with pytest.raises(SystemExit) as ended:
        command(Path("x"), backend="torch")
    assert ended.value.code == status
    assert worker.stop(10)
