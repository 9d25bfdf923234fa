"""The simple model of likeness: cosines of TF-IDF vectors, through scikit-learn. It learns how rare n-grams are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from luthier.errors import DataError
from luthier.evaluation.tfidf import make_vectorizer
from luthier.plugins import require
from luthier.schema import Answer, Dataset, Example, Similarity, TextInput, parts


@dataclass(frozen=True, slots=True)
class SparseVector:
    """The vector of one text, of length 1, or of length 0 where no n-gram of it is known."""

    vector: Any = field(repr=False)
    """(1, F) sparse float32."""
    truncated: bool = False

    @property
    def labels(self) -> tuple[str, ...]:
        """Return none: a vector is no label."""
        return ()

    @property
    def label(self) -> str:
        """Return nothing: a vector decides nothing."""
        return ""

    def to_dict(self) -> dict[str, Any]:
        """Return nothing: n-grams are words of the texts."""
        return {}

    to_cells = to_dict


@dataclass(frozen=True, slots=True)
class TfidfVectors:
    """A fitted baseline that predicts like a bundle's predictor."""

    vectorizer: Any
    features: int

    def predict(self, texts: Sequence[TextInput]) -> list[Answer]:
        """Return the vector of each text, or the cosine of each pair; nothing is ever truncated."""
        from sklearn.preprocessing import normalize

        every = [part for text in texts for part in parts(text)]
        if not every:
            return []
        rows = normalize(self.vectorizer.transform(every))  # of several vectorisers together, rows are longer than 1
        found: list[Answer] = []
        at = 0
        for text in texts:
            if isinstance(text, str):
                found.append(SparseVector(rows[at]))
            else:
                found.append(Similarity(float(rows[at].multiply(rows[at + 1]).sum())))
            at += len(parts(text))
        return found


def fit_vectors(dataset: Dataset, language: str) -> TfidfVectors:
    """Count the n-grams of all train texts, passages among them.

    Raises:
        MissingExtraError: scikit-learn is not installed.
        DataError: the train split is empty.
    """
    require("sklearn")
    texts = [part for row in dataset.train for part in _texts(row)]
    if not texts:
        raise DataError("the baseline needs train rows, got none", "give more rows")
    vectorizer = make_vectorizer(language, rows=len(texts)).fit(texts)
    return TfidfVectors(vectorizer, len(vectorizer.get_feature_names_out()))


def _texts(row: Example) -> tuple[str, ...]:
    passages = () if row.passages is None else (*row.passages.positive, *row.passages.negative)
    return *parts(row.text_input), *passages
