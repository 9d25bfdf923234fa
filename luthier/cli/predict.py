"""``luthier predict``: label a file of texts, however long."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from luthier.cli._settings import SETTINGS_HELP, task_settings


def command(
    bundle: Annotated[Path, Argument(help="Directory of a bundle.")],
    data: Annotated[Path, Argument(help="A file of texts; labels in it are left alone.")],
    settings: Annotated[list[str] | None, Argument(help=SETTINGS_HELP)] = None,
    out: Annotated[Path | None, Option(help="File to write: .jsonl, .csv, .xlsx. [default: JSON, stdout]")] = None,
    text: Annotated[str | None, Option(help="Column with the text. [default: as in training]")] = None,
    text_b: Annotated[str | None, Option(help="Column with the second text of a pair.")] = None,
    max_bad_rows: Annotated[int, Option(min=0, help="Unreadable rows tolerated before stopping.")] = 100,
    backend: Annotated[str, Option(help="What computes; auto takes the fastest that agrees with the probes.")] = "auto",
    threads: Annotated[int | None, Option(min=1, max=1024, help="CPU threads. [default: all cores]")] = None,
    offline: Annotated[bool, Option("--offline", help="Never ask a model hub.")] = False,
) -> None:
    """Label every row of a file; rows stream through, so memory does not grow with the file."""
    from luthier.data import Columns
    from luthier.inference import Opening
    from luthier.pipeline import ProgressView, predict_file

    with ProgressView() as view:
        done = predict_file(
            bundle, data, out, columns=Columns(text=text, text_b=text_b), max_bad_rows=max_bad_rows,
            opening=Opening(backend, threads=threads, offline=offline, task=task_settings(settings)), listener=view,
        )
    summary = f"{done.rows} rows in {done.seconds:.1f} s, {done.rows / max(done.seconds, 1e-9):.0f} rows/s"
    if done.first_bad is not None:
        first = f"line {done.first_bad.line}: {done.first_bad.reason}"
        summary += f"; {done.bad_rows} unreadable rows left out, the first: {first}"
    if done.truncated:
        summary += f"; {done.truncated} texts were not looked at as a whole (truncated)"
    typer.echo(summary + (f"; written: {out}" if out else ""), err=True)
