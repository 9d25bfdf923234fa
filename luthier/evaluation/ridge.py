"""The simple model of numbers: TF-IDF and ridge regression, through scikit-learn.

Of a pair it sees the words of both texts and how alike their TF-IDF vectors are, without which words alone could never
tell how alike two texts are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from luthier.data.cells.numbers import values_of
from luthier.errors import DataError
from luthier.evaluation.outcomes import Array
from luthier.plugins import require
from luthier.schema import Dataset, Estimate, LabelSet, Scale, TextInput, parts

ALPHAS = (0.3, 1.0, 3.0, 10.0)
"""Strengths of the penalty tried on the validation rows."""


@dataclass(frozen=True, slots=True)
class Ridge:
    """A fitted baseline that predicts like a bundle's predictor."""

    vectorizer: Any
    model: Any
    labels: LabelSet
    alpha: float
    """The strength that was chosen."""
    features: int

    def predict(self, texts: Sequence[TextInput]) -> list[Estimate]:
        """Return one number for each of N texts; nothing is ever truncated."""
        scale = self.labels.scale or Scale(0.0, 1.0)
        values = scale.natural(self.model.predict(_features(self.vectorizer, texts)))
        grades = [scale.grades[place] for place in scale.nearest(values)] if scale.grades else [None] * len(values)
        return [Estimate(float(value), grade) for value, grade in zip(values, grades, strict=True)]


def fit_ridge(dataset: Dataset, make_vectorizer: Callable[[int], Any], *, seed: int = 0) -> Ridge:
    """Fit ridge regression on the train split, its penalty chosen on the validation split.

    Args:
        dataset: prepared rows with numbers.
        make_vectorizer: gives a TF-IDF vectoriser for so many train rows.
        seed: of the solver.

    Raises:
        MissingExtraError: scikit-learn is not installed.
        DataError: the train split is empty, or its scale is not known.
    """
    require("sklearn")
    from sklearn.linear_model import Ridge as Model

    scale = dataset.labels.scale
    if not dataset.train or scale is None:
        raise DataError("the baseline needs train rows with numbers, got none", "give more rows")
    texts = [row.text_input for row in dataset.train]
    vectorizer = make_vectorizer(len(texts)).fit([part for text in texts for part in parts(text)])
    features, wanted = _features(vectorizer, texts), scale.standard(values_of(dataset.train))
    valid = _features(vectorizer, [row.text_input for row in dataset.valid]) if dataset.valid else None
    best: tuple[float, float, Any] | None = None
    for alpha in ALPHAS if valid is not None else ALPHAS[1:2]:
        model = Model(alpha=alpha, solver="sparse_cg", random_state=seed).fit(features, wanted)
        error = 0.0 if valid is None else _squared(model.predict(valid), scale.standard(values_of(dataset.valid)))
        if best is None or error < best[0]:
            best = (error, alpha, model)
    assert best is not None  # noqa: S101 - ALPHAS is never empty
    return Ridge(vectorizer, best[2], dataset.labels, best[1], int(features.shape[1]))


def _squared(given: Array, true: Array) -> float:
    return float(((given - true) ** 2).mean())


def _features(vectorizer: Any, texts: Sequence[TextInput]) -> Any:
    """Return the TF-IDF of N texts; of pairs both texts' sum, and their cosine."""
    from scipy.sparse import csr_matrix, hstack  # type: ignore[import-untyped]  # no stubs are installed

    rows = [parts(text) for text in texts]
    if not rows or len(rows[0]) == 1:
        return vectorizer.transform([row[0] for row in rows])
    one, other = (vectorizer.transform([row[side] for row in rows]) for side in (0, 1))
    # Of several vectorisers together, rows are longer than 1.
    norms = np.sqrt(np.asarray(one.multiply(one).sum(1)) * np.asarray(other.multiply(other).sum(1)))
    alike = np.asarray(one.multiply(other).sum(1)) / np.maximum(norms, 1e-12)  # (N, 1)
    return hstack([one + other, csr_matrix(alike.astype(np.float32))]).tocsr()
