"""``luthier train``: from a labelled file to a verified bundle."""

from __future__ import annotations

from typing import Annotated

import typer
from typer import Argument, Option

from luthier import plugins


def command(
    source: Annotated[str, Argument(help="A file of rows (csv, tsv, txt, jsonl, json, conll, parquet, xlsx; text also "
                                         "as .gz) or a recipe.yaml.")],
    overrides: Annotated[
        list[str] | None, Argument(help="Any setting of the recipe, such as train.num_train_epochs=2 seed=1.")
    ] = None,
    text: Annotated[str | None, Option(help="Column with the text. [default: told by names and contents]")] = None,
    text_b: Annotated[str | None, Option(help="Column with the second text of a pair.")] = None,
    label: Annotated[str | None, Option(help="Column with the label; several: FIRST,SECOND. [default: told by "
                                             "names and contents]")] = None,
    label_separator: Annotated[str | None, Option(help="What stands between several labels in a cell.")] = None,
    task: Annotated[str | None, Option(help=f"What to learn: {', '.join(plugins.names('tasks'))}. "
                                            "[default: told from the data]")] = None,
    valid: Annotated[str | None, Option(help="File for choosing the best step.")] = None,
    test: Annotated[str | None, Option(help="File for the final scores.")] = None,
    model: Annotated[str | None, Option(help="Packaged name, hub id or directory (see `luthier models`).")] = None,
    method: Annotated[str | None, Option(help="How to tune: full, lora or freeze.")] = None,
    out: Annotated[str | None, Option(help="Directory of the bundle. [default: runs/<file name>]")] = None,
    offline: Annotated[bool, Option("--offline", help="Never ask a model hub.")] = False,
    resume: Annotated[bool, Option("--resume", help="Go on from the last checkpoint.")] = False,
    restart: Annotated[bool, Option("--restart", help="Throw an unfinished run away.")] = False,
) -> None:
    """Tune a model to a labelled file and write a verified bundle."""
    from luthier.cli._show import next_steps, print_scores
    from luthier.pipeline import make_recipe, run

    said = {
        "text": text, "text_b": text_b, "label": label, "label_separator": label_separator, "task": task,
        "valid": valid, "test": test, "model": model, "method": method, "out": out, "offline": offline or None,
    }
    finished = run(make_recipe(source, said, overrides or ()), resume=resume, restart=restart)
    print_scores(finished)
    typer.echo(next_steps(finished))
