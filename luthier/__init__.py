"""Luthier: adapt pretrained language models to your own text, prove the result, serve it.

    import luthier
    run = luthier.train("reviews.csv", model="e5-small", method="full")
    predictor = luthier.load(run.path)
    predictor.predict(["心情很好"])

Importing this package is instant: torch and its kind are imported by what needs them, when it runs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from luthier.errors import LuthierError

if TYPE_CHECKING:
    from luthier.estimator import Estimator, TextClassifier
    from luthier.inference import Corpus, rerank
    from luthier.pipeline import Run, evaluate, load, train

__version__ = "0.1.0"
__all__ = ["Corpus", "Estimator", "LuthierError", "Run", "TextClassifier", "evaluate", "load", "rerank", "train"]

_HOMES = {
    "Corpus": "luthier.inference",
    "Estimator": "luthier.estimator",
    "Run": "luthier.pipeline",
    "evaluate": "luthier.pipeline",
    "load": "luthier.pipeline",
    "rerank": "luthier.inference",
    "train": "luthier.pipeline",
    "TextClassifier": "luthier.estimator",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'luthier' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
