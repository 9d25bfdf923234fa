"""``luthier models``: which pretrained models are at hand."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table


def command() -> None:
    """List the packaged models; any hub id or local directory works too."""
    from luthier.models.sources import list_models

    table = Table("name", "kind", "languages", "parameters", "size", "licence", "state", box=None, pad_edge=False)
    infos = list_models()
    for info in infos:
        state = "ready" if info.cached else "installed" if info.installed else "not installed"
        table.add_row(info.name, info.kind, info.languages, f"{info.parameters / 1e6:.1f} M", f"{info.size_mb} MB",
                      info.licence, state)
    console = Console()
    console.print(table, highlight=False)
    missing = [f"  {info.how_to_install}" for info in infos if not info.installed]
    if missing:
        # One line each, however narrow the terminal: it is to be copied.
        console.print("\nTo install the missing:", *missing, sep="\n", highlight=False, soft_wrap=True)
    console.print("\nAny local directory with config.json, model.safetensors and a tokenizer works too, and so does\n"
                  "any hub id where a hub can be reached: luthier train data.csv --model bert-base-chinese",
                  highlight=False)
