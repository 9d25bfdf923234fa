"""Whole jobs made of the stages below: train, evaluate, label a file.

Each is imported when it is asked for, so that labelling a file does not load what tunes and scores.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from luthier.data import Columns
    from luthier.pipeline.labelling import Labelled, predict_file
    from luthier.pipeline.loading import Loaded, load_data, settle
    from luthier.pipeline.progress import ProgressView
    from luthier.pipeline.result import Run
    from luthier.pipeline.settings import make_recipe, settings_of
    from luthier.pipeline.training import run, train
    from luthier.pipeline.using import evaluate, load

__all__ = [
    "Columns",
    "Labelled",
    "Loaded",
    "ProgressView",
    "Run",
    "evaluate",
    "load",
    "load_data",
    "make_recipe",
    "predict_file",
    "run",
    "settings_of",
    "settle",
    "train",
]

_HOMES = {
    "Columns": "luthier.data",
    "Labelled": "luthier.pipeline.labelling",
    "predict_file": "luthier.pipeline.labelling",
    "Loaded": "luthier.pipeline.loading",
    "load_data": "luthier.pipeline.loading",
    "settle": "luthier.pipeline.loading",
    "ProgressView": "luthier.pipeline.progress",
    "Run": "luthier.pipeline.result",
    "make_recipe": "luthier.pipeline.settings",
    "settings_of": "luthier.pipeline.settings",
    "run": "luthier.pipeline.training",
    "train": "luthier.pipeline.training",
    "evaluate": "luthier.pipeline.using",
    "load": "luthier.pipeline.using",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'luthier.pipeline' has no attribute {name!r}")
