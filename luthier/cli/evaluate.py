"""``luthier evaluate``: score a bundle on a labelled file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from luthier.cli._settings import SETTINGS_HELP, task_settings


def command(
    bundle: Annotated[Path, Argument(help="Directory of a bundle.")],
    data: Annotated[Path, Argument(help="A labelled file.")],
    settings: Annotated[list[str] | None, Argument(help=SETTINGS_HELP)] = None,
    text: Annotated[str | None, Option(help="Column with the text. [default: as in training]")] = None,
    text_b: Annotated[str | None, Option(help="Column with the second text of a pair.")] = None,
    label: Annotated[str | None, Option(help="Column with the label or labels.")] = None,
    json: Annotated[Path | None, Option(help="Write the scores to this file.")] = None,
    report: Annotated[Path | None, Option(help="Write an HTML report into this directory.")] = None,
    backend: Annotated[str, Option(help="What computes; torch is the reference, auto what serves.")] = "auto",
    offline: Annotated[bool, Option("--offline", help="Never ask a model hub.")] = False,
) -> None:
    """Score a bundle on a labelled file, with confidence intervals."""
    from luthier.cli._show import print_evaluation
    from luthier.data import Columns
    from luthier.inference import Opening
    from luthier.pipeline import ProgressView, evaluate

    columns = Columns(text=text, text_b=text_b, label=label)
    with ProgressView() as view:
        scored = evaluate(bundle, data, columns=columns, json=json, report=report, listener=view,
                          opening=Opening(backend, offline=offline, task=task_settings(settings)))
    print_evaluation(scored)
    for path in (json, report):
        if path is not None:
            typer.echo(f"written: {path}")
