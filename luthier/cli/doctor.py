"""``luthier doctor``: what this machine has, and what it lacks."""

from __future__ import annotations

import os
import platform
import shutil
from importlib import metadata, util

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from luthier import __version__, plugins

PACKAGES = ("numpy", "torch", "transformers", "tokenizers", "scikit-learn", "fastapi", "pyarrow", "openpyxl", "peft")


def command() -> None:
    """Tell versions, cores, number formats, models, cache and missing extras of this machine."""
    from luthier.models.files import cache_directory
    from luthier.models.sources import list_models

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_row("luthier", __version__)
    table.add_row("python", f"{platform.python_version()} on {platform.platform(terse=True)}, {platform.machine()}")
    table.add_row("packages", ", ".join(_version(name) for name in PACKAGES))
    table.add_row("compute", _compute())
    table.add_row("models", ", ".join(f"{info.name} ({_state(info.installed, info.cached)})" for info in list_models()))
    cache = cache_directory()
    table.add_row("model cache", f"{cache}, {_free(str(cache))} GB free on that disk")
    missing = sorted({extra for module, extra in plugins.EXTRAS.items() if util.find_spec(module) is None})
    fix = f"not installed: {', '.join(missing)}  -> pip install 'luthier[{','.join(missing)}]'"
    table.add_row("extras", escape(fix) if missing else "all installed")
    Console(width=max(100, Console().width)).print(table, highlight=False)


def _version(name: str) -> str:
    try:
        return f"{name} {metadata.version(name)}"
    except metadata.PackageNotFoundError:
        return f"{name} missing"


def _state(installed: bool, cached: bool) -> str:
    return "ready" if cached else "installed" if installed else "not installed"


def _free(path: str) -> int:
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return shutil.disk_usage(path).free // 10**9


def _compute() -> str:
    from luthier.models.hardware import cores

    if util.find_spec("torch") is None:
        return f"{cores()} cores; torch is not installed"
    from luthier.tuning.precision import choose_precision

    decision = choose_precision("auto")
    return f"{cores()} cores; {decision.value} for tuning, because {decision.reason}"
