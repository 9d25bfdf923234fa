"""The simple model of classes: TF-IDF and logistic regression, through scikit-learn."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from luthier.errors import DataError
from luthier.evaluation.metrics import choose, membership
from luthier.plugins import require
from luthier.schema import Bool, Dataset, Example, Float32, LabelSet, Marked, Prediction, TextInput, parts
from luthier.tasks import averages, counts

STRENGTHS = (1.0, 10.0)
"""Values of C (inverse regularisation) tried on the validation rows."""

PAIR_SEPARATOR = " \n "
"""Stands between the texts of a pair."""

_MANY_ROWS = 2000  # from here on an n-gram must occur in two rows: rarer ones cost memory and teach nothing


@dataclass(frozen=True, slots=True)
class Baseline:
    """A fitted baseline; call it for probabilities, or let it ``predict`` like a bundle's predictor."""

    vectorizer: Any
    columns: tuple[Any, ...]
    """One classifier for single-label sets; C for several labels, each a classifier or a constant probability."""
    labels: LabelSet
    strength: float
    """The C that was chosen."""
    features: int
    threshold: float
    """Least probability of a chosen label, several labels only."""

    def __call__(self, texts: Sequence[TextInput]) -> Float32:
        """Return (N, C) float32 probabilities in the order of the label set."""
        return _probabilities(self.columns, self.vectorizer.transform(_joined(texts)), self.labels)

    def predict(self, texts: Sequence[TextInput]) -> list[Prediction]:
        """Return one prediction for each of N texts; nothing is ever truncated."""
        probabilities = self(texts)
        chosen = choose(probabilities, self.labels, self.threshold)
        names = self.labels.names
        return [
            Prediction(tuple(names[c] for c in np.flatnonzero(row)), names, probabilities[n])
            for n, row in enumerate(chosen)
        ]


def fit_classifier(dataset: Dataset, language: str, *, threshold: float = 0.5, seed: int = 0) -> Baseline:
    """Fit TF-IDF and logistic regression on the train split, the regularisation chosen on the validation split.

    Args:
        dataset: prepared rows with labels.
        language: ``en`` takes words and letters within words; any other code takes characters alone.
        threshold: least probability of a chosen label, several labels only.
        seed: of the solver.

    Raises:
        MissingExtraError: scikit-learn is not installed.
        DataError: the train split is empty or holds one class only.
    """
    require("sklearn")
    truth = membership(dataset.train, dataset.labels)
    if not len(truth) or (not dataset.labels.multi_label and truth.any(axis=0).sum() < 2):
        raise DataError(
            f"the baseline needs train rows of at least two classes, got {len(truth)} rows of "
            f"{int(truth.any(axis=0).sum()) if len(truth) else 0}",
            "give more rows",
        )
    vectorizer = make_vectorizer(language, rows=len(truth))
    features = vectorizer.fit_transform(_texts(dataset.train))
    valid = vectorizer.transform(_texts(dataset.valid)) if dataset.valid else None
    best: tuple[float, float, tuple[Any, ...]] | None = None
    for strength in STRENGTHS if valid is not None else STRENGTHS[:1]:
        columns = _fit(features, truth, dataset.labels, strength, seed)
        merit = 0.0 if valid is None else _f1_macro(_probabilities(columns, valid, dataset.labels), dataset, threshold)
        if best is None or merit > best[0]:
            best = (merit, strength, columns)
    assert best is not None  # noqa: S101 - STRENGTHS is never empty
    return Baseline(vectorizer, best[2], dataset.labels, best[1], int(features.shape[1]), threshold)


def _texts(examples: Sequence[Example]) -> list[str]:
    return _joined([example.text_input for example in examples])


def _joined(texts: Sequence[TextInput]) -> list[str]:
    return [_between(text) if isinstance(text, Marked) else PAIR_SEPARATOR.join(parts(text)) for text in texts]


def _between(row: Marked) -> str:
    """Return what stands between two stretches, and which they are: the rest of a text only confuses a linear model."""
    first, second = sorted((row.head, row.tail))
    head, tail = (row.text[one.start : one.end] for one in (row.head, row.tail))
    return f"{row.text[first.end : second.start]}{PAIR_SEPARATOR}h_{head} t_{tail}"


def make_vectorizer(language: str, *, rows: int) -> Any:
    """Return an unfitted TF-IDF vectoriser for so many train rows."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import FeatureUnion

    shared: dict[str, Any] = {"sublinear_tf": True, "min_df": 2 if rows >= _MANY_ROWS else 1, "dtype": np.float32}
    if language != "en":
        return TfidfVectorizer(analyzer="char", ngram_range=(1, 3), **shared)
    # One letter is a word too, and digits count: short texts are all there is.
    words = TfidfVectorizer(analyzer="word", ngram_range=(1, 2), token_pattern=r"(?u)\b\w+\b|[^\w\s]", **shared)  # noqa: S106
    letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), **shared)
    return FeatureUnion([("words", words), ("letters", letters)])


def _fit(features: Any, truth: Bool, labels: LabelSet, strength: float, seed: int) -> tuple[Any, ...]:
    if not labels.multi_label:
        return (_regression(features, truth.argmax(axis=1), strength, seed),)
    columns: list[Any] = []
    for column in truth.T:
        constant = column.all() or not column.any()
        columns.append(float(column[0]) if constant else _regression(features, column.astype(int), strength, seed))
    return tuple(columns)


def _regression(features: Any, targets: Any, strength: float, seed: int) -> Any:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    # Loose tolerance and few iterations: past these the scores no longer move, the minutes do.
    model = LogisticRegression(C=strength, max_iter=200, tol=1e-3, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(features, targets)


def _probabilities(columns: tuple[Any, ...], features: Any, labels: LabelSet) -> Float32:
    result = np.zeros((features.shape[0], len(labels)), dtype=np.float32)
    if not labels.multi_label:
        result[:, columns[0].classes_] = columns[0].predict_proba(features)
        return result
    for c, column in enumerate(columns):
        result[:, c] = column if isinstance(column, float) else column.predict_proba(features)[:, 1]
    return result


def _f1_macro(probabilities: Float32, dataset: Dataset, threshold: float) -> float:
    truth, chosen = membership(dataset.valid, dataset.labels), choose(probabilities, dataset.labels, threshold)
    parts = counts(truth, chosen, len(dataset.labels))
    return float(averages(*parts, multi_label=dataset.labels.multi_label)["f1_macro"])
