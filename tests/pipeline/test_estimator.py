"""TextClassifier and Estimator are scikit-learn estimators over the same run."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import luthier
from luthier.errors import DataError, UnknownNameError
from luthier.models.tiny_generators import make_seq2seq
from luthier.schema import Candidates

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


def estimator(model: Path, task: str, epochs: int = 3, /, **settings: Any) -> luthier.Estimator:
    own = {**SETTINGS, "train": {**SETTINGS["train"], "num_train_epochs": epochs}, **settings}
    return luthier.Estimator(task, model=str(model), settings=own)


def fitted(found: luthier.Estimator, X: list[Any], y: list[Any]) -> luthier.Estimator:
    """Fit, and check what holds for every task: parameters stay, and a pickle answers and scores alike."""
    before = found.get_params()
    assert found.fit(X, y) is found
    assert found.get_params() == before
    again = pickle.loads(pickle.dumps(found))
    assert again.score(X, y) == pytest.approx(found.score(X, y), abs=1e-6)
    return found


def test_an_estimator_of_any_task_clones_and_refuses_what_cannot_be_learned_from(tiny_model: Path) -> None:
    found = estimator(tiny_model, "regression")
    assert clone(found).get_params() == found.get_params()
    assert found.get_params()["task"] == "regression"
    for ask in (found.predict, lambda rows: found.score(rows, [1.0])):
        with pytest.raises(NotFittedError):
            ask(["a"])
    with pytest.raises(DataError, match="fit got 1 texts and 2 labels"):
        found.fit(["a"], [1, 2])
    with pytest.raises(DataError, match="row 1: "):
        found.fit(["a", "b"], ["good", "bad"])
    with pytest.raises(UnknownNameError, match="regresion"):
        luthier.Estimator("regresion").fit(["a"], [1])
    unplaced = luthier.Estimator("question-answering")
    with pytest.raises(DataError, match="memory:1 cannot be learned from: "):
        unplaced.fit([("Who?", "Ann came.")], [[{"text": "Bob", "answer_start": 0}]])
    with pytest.raises(DataError, match="exactly one label"):
        luthier.TextClassifier().fit(["a", "b"], [["x", "y"], ["x"]])


@pytest.mark.slow
def test_numbers(tiny_model: Path, rows: list[tuple[str, str]]) -> None:
    X = [text for text, _ in rows]
    y = [4.5 + number / 60 if label == "positive" else 1.25 for number, (_, label) in enumerate(rows)]
    found = fitted(estimator(tiny_model, "regression", 12), X, y)
    said = found.predict(X)
    assert said.shape == (60,)
    assert said.dtype.kind == "f"
    assert found.score(X, y) == pytest.approx(-float(np.sqrt(np.mean((said - np.array(y)) ** 2))), rel=1e-3)
    assert np.corrcoef(said, y)[0, 1] > 0.7


@pytest.mark.slow
def test_entities(tiny_model: Path) -> None:
    X = [f"very {('good', 'bad')[number % 2]} and {'fine ' * (number % 7)}{number}" for number in range(60)]
    y = [[(5, 9, "PRAISE")] if number % 2 == 0 else [(5, 8, "BLAME")] for number in range(60)]
    found = fitted(estimator(tiny_model, "named-entities", 10), X, y)
    said = found.predict(X)
    assert len(said) == 60
    assert all(isinstance(one, tuple) and len(one) == 3 for row in said for one in row)
    right = sum({*one} == {*other} for one, other in zip(said, y, strict=True))
    assert right > 40
    assert found.score(X, y) > 0.6


@pytest.mark.slow
def test_texts_that_are_compared(tiny_model: Path) -> None:
    pairs = [(f"good great {number}", f"{('fine lovely', 'bad awful')[number % 2]} {number}") for number in range(60)]
    scores = [float(number % 2 == 0) + number / 1000 for number in range(60)]
    found = fitted(estimator(tiny_model, "similarity"), pairs, scores)
    assert found.problem_type_ == "similarity"
    assert found.predict(pairs).shape == (60,)
    vectors = found.predict([one for one, _ in pairs])
    assert vectors.shape[0] == 60
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)
    queries = fitted(estimator(tiny_model, "similarity"), [one for one, _ in pairs], [other for _, other in pairs])
    assert queries.problem_type_ == "retrieval"
    assert 0 <= queries.score([one for one, _ in pairs], [other for _, other in pairs]) <= 1


@pytest.mark.slow
def test_passages_are_put_in_order(tiny_model: Path) -> None:
    rows = [(f"price {number // 2}", f"{('costs', 'opens')[number % 2]} {number // 2}") for number in range(120)]
    y = [1 - number % 2 for number in range(120)]
    found = fitted(estimator(tiny_model, "re-ranking", 1), rows, y)
    said = found.predict(rows)
    assert (said.shape, said.dtype.kind) == ((120,), "f")
    passages = ("costs 1", "opens 1")
    for asked in (Candidates("price 1", passages), {"query": "price 1", "passages": [*passages]}):
        (order,) = found.predict([asked])
        assert sorted(one.score for one in order.results) == pytest.approx(sorted(said[2:4]), abs=1e-5)
    with pytest.raises(DataError, match='row 1: expected a list of texts for "passages"'):
        found.predict([{"query": "price 1"}])


@pytest.mark.slow
def test_texts_that_are_written(tmp_path: Path) -> None:
    X, y = [f"say {number}" for number in range(60)], [f"Zeile {number}" for number in range(60)]
    task = {"decoding": {"max_new_tokens": 12}}
    found = fitted(estimator(make_seq2seq(tmp_path / "m"), "text-to-text", 1, task=task), X, y)
    assert all(isinstance(one, str) for one in found.predict(X[:2]))


@pytest.mark.slow
def test_several_labels_keep_their_type(tiny_model: Path, rows: list[tuple[str, str]]) -> None:
    X, y = [text for text, _ in rows], [[7, 9] if label == "positive" else [9] for _, label in rows]
    found = fitted(estimator(tiny_model, "text-classification", task={"threshold": 0.4}), X, y)
    assert found.problem_type_ == "multi_label_classification"
    assert {value for row in found.predict(X) for value in row} <= {7, 9}
    assert found.run_.recipe.task == {"name": "text-classification", "threshold": 0.4, "pooling": "mean"}
