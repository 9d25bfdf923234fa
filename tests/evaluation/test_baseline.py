"""The baseline learns easy texts in both languages, one label or several, alone or in pairs."""

from __future__ import annotations

import numpy as np
import pytest

from luthier.errors import DataError
from luthier.evaluation import fit_baseline
from luthier.schema import Dataset, Example, LabelSet

MULTI = "multi_label_classification"


def dataset(texts, labels, *, names=("bad", "good"), multi=False, valid=True, pairs=False):
    examples = tuple(
        Example(f"x:{n}", text, "more" if pairs else None, label if multi else (label,))
        for n, (text, label) in enumerate(zip(texts, labels, strict=True))
    )
    label_set = LabelSet(names, MULTI if multi else "single_label_classification")
    return Dataset(examples, examples if valid else (), examples, label_set, "hash")


@pytest.mark.parametrize(
    ("language", "good", "bad"),
    [
        ("zh", "风景很美，心情很好", "质量太差，非常失望"),
        ("en", "a lovely view", "what a terrible thing"),
        ("mixed", "很 nice", "很 bad"),
    ],
)
def test_learns_easy_texts(language, good, bad):
    data = dataset([good, bad] * 8, ["good", "bad"] * 8)
    baseline = fit_baseline(data, language)
    assert [prediction.label for prediction in baseline.predict([good, bad])] == ["good", "bad"]
    probabilities = baseline([good, bad, "", "!!!"])
    assert probabilities.shape == (4, 2)
    assert probabilities.dtype == np.float32
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(4))
    assert baseline.features > 0


def test_labels_that_train_lacks_get_no_probability():
    data = dataset(["a b", "c d"] * 4, ["x", "z"] * 4, names=("x", "y", "z"))
    assert fit_baseline(data, "en")(["a b"])[0, 1] == 0
    assert fit_baseline(data, "en").predict(["c d"])[0].label == "z"


def test_several_labels_with_constant_ones():
    data = dataset(
        ["sun", "rain", "sun rain", "fog"] * 5,
        [("s",), ("r",), ("s", "r"), ()] * 5,
        names=("r", "s", "never"),
        multi=True,
    )
    baseline = fit_baseline(data, "en")
    assert [set(prediction.labels) for prediction in baseline.predict(["sun", "rain", "sun rain", "fog"])] == [
        {"s"},
        {"r"},
        {"s", "r"},
        set(),
    ]
    assert (baseline(["sun", "fog"])[:, 2] == 0).all()


def test_pairs_are_joined():
    data = dataset(["yes", "no"] * 4, ["good", "bad"] * 4, pairs=True)
    assert fit_baseline(data, "en").predict([("yes", "more"), ["no", "more"]])[1].label == "bad"


@pytest.mark.parametrize(("merits", "chosen"), [((0.4, 0.9), 10.0), ((0.9, 0.4), 1.0), ((0.5, 0.5), 1.0)])
def test_regularisation_is_chosen_on_the_validation_rows(merits, chosen, monkeypatch):
    data = dataset(["yes", "no"] * 4, ["good", "bad"] * 4)
    answers = iter(merits)
    monkeypatch.setattr("luthier.evaluation.tfidf._f1_macro", lambda *_: next(answers))
    assert fit_baseline(data, "en").strength == chosen
    monkeypatch.undo()
    assert fit_baseline(dataset(["yes", "no"] * 4, ["good", "bad"] * 4, valid=False), "en").strength == 1.0


def test_one_class_is_refused():
    with pytest.raises(DataError, match="at least two classes, got 3 rows of 1"):
        fit_baseline(dataset(["a", "b", "c"], ["good"] * 3), "en")
