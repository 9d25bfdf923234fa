"""``luthier models``: which pretrained models are at hand."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table


def command() -> None:
    """List the packaged models; any hub id or local directory works too."""
    from luthier.models.sources import list_models

    table = Table("name", "languages", "parameters", "size", "licence", "state", box=None, pad_edge=False)
    for info in list_models():
        state = "installed, made ready on first use" if info.installed else info.how_to_install
        table.add_row(info.name, info.languages, f"{info.parameters / 1e6:.1f} M", f"{info.size_mb} MB", info.licence,
                      "ready" if info.cached else state)
    console = Console()
    console.print(table, highlight=False)
    console.print("\nAny local directory with config.json, model.safetensors and a tokenizer works too, and so does\n"
                  "any hub id where a hub can be reached: luthier train data.csv --model bert-base-chinese",
                  highlight=False)
