"""``luthier serve``: answer over HTTP from a bundle."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from luthier.cli._settings import SETTINGS_HELP, task_settings


def command(
    bundle: Annotated[Path, Argument(help="Directory of a bundle.")],
    settings: Annotated[list[str] | None, Argument(help=SETTINGS_HELP)] = None,
    host: Annotated[str, Option(help="Address to listen on; 0.0.0.0 for every interface.")] = "127.0.0.1",
    port: Annotated[int, Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8000,
    max_inputs: Annotated[int, Option(min=1, help="Texts in one request.")] = 256,
    max_text_chars: Annotated[int, Option(min=1, help="Characters in one text.")] = 20_000,
    max_body_bytes: Annotated[int, Option(min=1024, help="Bytes in one request.")] = 1 << 20,
    backend: Annotated[str, Option(help="What computes; auto takes the fastest that agrees with the probes.")] = "auto",
    threads: Annotated[int | None, Option(min=1, max=1024, help="CPU threads. [default: all cores]")] = None,
    offline: Annotated[bool, Option("--offline", help="Never ask a model hub.")] = False,
) -> None:
    """Serve a bundle: POST /predict and /rerank, GET /health, /ready, /metrics, /docs."""
    from luthier.bundle import read_manifest
    from luthier.bundle.card import request
    from luthier.cli import INTERRUPTED
    from luthier.inference import Opening
    from luthier.serving import Limits, serve

    limits = Limits(max_inputs=max_inputs, max_text_chars=max_text_chars, max_body_bytes=max_body_bytes)

    def ready(url: str, chosen: str) -> None:
        typer.echo(chosen)
        typer.echo(f"{bundle} answers at {url}  (docs: {url}/docs; stop with Ctrl-C)")
        manifest = read_manifest(bundle)
        body = shlex.quote(request(manifest))
        typer.echo(f"try: curl -s {url}/predict -H 'Content-Type: application/json' -d {body}")
        for warning in manifest.warnings:
            typer.echo(f"warning, from its tuning: {warning}")

    if backend == "auto":
        typer.echo(f"opening {bundle}; the first start on a machine measures its backends, which takes up to a minute")
    try:
        serve(bundle, host=host, port=port, limits=limits, on_ready=ready,
              opening=Opening(backend, threads=threads, offline=offline, task=task_settings(settings)))
    except KeyboardInterrupt:
        _leave(INTERRUPTED)
        raise
    _leave(0)


def _leave(status: int) -> None:
    """End the process where a model that was told to stop still computes.

    The interpreter, ending, would take its thread down in the middle of C++, which aborts.
    """
    from luthier.serving.worker import unfinished

    if unfinished():
        sys.stdout.flush()
        os._exit(status)
