"""``luthier verify``: is this bundle what it was on the day it was written?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option


def command(
    bundle: Annotated[Path, Argument(help="Directory of a bundle.")],
    offline: Annotated[bool, Option("--offline", help="Never ask a model hub.")] = False,
) -> None:
    """Check hashes, labels, ids and probe answers of a bundle; exit code 2 when one fails."""
    from luthier.inference import verify

    report = verify(bundle, offline=offline)
    for line in report.lines():
        typer.echo(line)
    if not report.ok:
        typer.echo(f"luthier: {bundle} is not what was written\n  -> restore it, or train it again", err=True)
        raise typer.Exit(2)
    typer.echo(f"{bundle} is whole: it answers as on the day it was written")
