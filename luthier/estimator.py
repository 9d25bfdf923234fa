"""``TextClassifier``: a scikit-learn estimator over the same run, bundle and predictor as the command line."""

from __future__ import annotations

import shutil
import weakref
from collections.abc import Sequence
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from luthier.data import from_arrays
from luthier.data.labels import label_name
from luthier.errors import DataError
from luthier.pipeline import Run, make_recipe, run, settle
from luthier.recipe import MEMORY
from luthier.schema import TextInput


class TextClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Tune a language model with ``fit`` and ask it with ``predict`` and ``predict_proba``.

    Args:
        model: packaged name, hub id or directory; ``auto`` chooses by language.
        method: ``full`` or ``lora``.
        out: directory of the bundle; a temporary one that goes with the estimator when left out.
        settings: further recipe entries, such as ``{"train": {"num_train_epochs": 2}, "seed": 1}``.
        progress: show a progress bar.

    Attributes:
        classes_: (C,) label values, of the type that ``fit`` was given, in the bundle's order.
        run_: the finished run; ``run_.path`` is the bundle.

    ``fit`` tunes on eight tenths of the rows, chooses the best step on one tenth and fills the bundle's report with
    the last; scikit-learn's own tools hold out rows of their own.
    """

    def __init__(
        self,
        model: str = "auto",
        method: str = "full",
        out: str | None = None,
        settings: dict[str, Any] | None = None,
        progress: bool = False,
    ) -> None:
        self.model = model
        self.method = method
        self.out = out
        self.settings = settings
        self.progress = progress

    def fit(self, X: Sequence[TextInput], y: Sequence[Any]) -> TextClassifier:  # noqa: N803
        """Tune on N texts (or pairs) and their N labels of any type.

        Raises:
            DataError: lengths differ, or the rows cannot be learned from.
        """
        texts, labels = _rows(X), list(y)
        if len(texts) != len(labels):
            raise DataError(f"fit got {len(texts)} texts and {len(labels)} labels", "give one label for each text")
        out = self.out or self._temporary()
        recipe = make_recipe(MEMORY, {
            "model": self.model, "method": self.method, "out": out, "prepare": {"split": (0.8, 0.1, 0.1)},
            "evaluation": {"baseline": False, "untuned": False}, **(self.settings or {}),
        })
        loaded = settle(recipe, from_arrays(texts, labels))
        self.run_: Run = run(recipe, progress=self.progress, restart=True, loaded=loaded)
        self._predictor = self.run_.predictor()
        originals = {label_name(value): value for value in labels}
        self.classes_ = np.array([originals[name] for name in self._predictor.labels.names])
        return self

    def predict_proba(self, X: Sequence[TextInput]) -> npt.NDArray[np.float32]:  # noqa: N803
        """Return (N, C) float32 probabilities, columns in the order of ``classes_``."""
        check_is_fitted(self, "run_")
        if not hasattr(self, "_predictor"):  # it came out of a pickle
            self._predictor = self.run_.predictor()
        rows = [answer.probabilities for answer in self._predictor.predict(_rows(X))]
        return np.array(rows, np.float32).reshape(len(rows), len(self.classes_))

    def predict(self, X: Sequence[TextInput]) -> npt.NDArray[Any]:  # noqa: N803
        """Return (N,) labels, of the type that ``fit`` was given."""
        probabilities = self.predict_proba(X)
        return np.asarray(self.classes_[probabilities.argmax(axis=1)])

    def __getstate__(self) -> dict[str, Any]:
        """Leave the opened model out: the bundle is where the weights are kept."""
        state: dict[str, Any] = dict(super().__getstate__())
        state.pop("_predictor", None)
        return state

    def _temporary(self) -> str:
        """Make a directory that goes when this estimator goes."""
        directory = mkdtemp(prefix="luthier-")
        weakref.finalize(self, shutil.rmtree, directory, ignore_errors=True)
        return str(Path(directory) / "bundle")


def _rows(given: Sequence[TextInput]) -> list[TextInput]:
    """Return the rows of a list, array or column; one text alone would be taken for a list of letters."""
    if isinstance(given, str):
        raise DataError("expected a list of texts, came one text", "put it in a list: [text]")
    return list(given)
