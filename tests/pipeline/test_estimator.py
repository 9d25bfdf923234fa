"""TextClassifier is a scikit-learn estimator over the same run."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import luthier
from luthier.errors import DataError

SETTINGS: dict[str, Any] = {
    "seed": 1, "prepare": {"deduplicate": False, "split": (0.8, 0.1, 0.1)},
    "evaluation": {"bootstrap": 100, "baseline": False, "untuned": False},
    "train": {"num_train_epochs": 16, "learning_rate": 5e-3, "per_device_train_batch_size": 8, "precision": "fp32"},
}


def test_it_stores_its_parameters_and_clones(tiny_model: Path) -> None:
    classifier = luthier.TextClassifier(model=str(tiny_model), settings=SETTINGS)
    assert clone(classifier).get_params() == classifier.get_params()
    with pytest.raises(NotFittedError):
        classifier.predict(["a"])


def test_lengths_that_differ_are_refused() -> None:
    with pytest.raises(DataError, match="fit got 2 texts and 1 labels"):
        luthier.TextClassifier().fit(["a", "b"], [1])


@pytest.mark.slow
def test_fit_and_predict_keep_the_type_of_the_labels(tiny_model: Path, rows: list[tuple[str, str]]) -> None:
    X = np.array([text for text, _ in rows])
    y = np.array([1 if label == "positive" else 0 for _, label in rows])
    classifier = luthier.TextClassifier(model=str(tiny_model), settings=SETTINGS).fit(X, y)
    probabilities = classifier.predict_proba(X)
    assert probabilities.shape == (60, 2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert classifier.classes_.dtype == y.dtype
    assert classifier.score(X, y) > 0.8
    assert (classifier.run_.path / "luthier.json").exists()
    again = pickle.loads(pickle.dumps(classifier))
    np.testing.assert_array_equal(again.predict_proba(X), probabilities)


def test_one_text_alone_is_refused() -> None:
    with pytest.raises(DataError, match="expected a list of texts"):
        luthier.TextClassifier().fit("good", ["a", "b", "a", "b"])
