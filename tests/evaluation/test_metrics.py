"""Scores and curves against scikit-learn, over random and adversarial inputs."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from luthier.errors import DataError
from luthier.evaluation import choose, membership, score
from luthier.evaluation.curves import average_precision, precision_recall_curve, roc_curve, thin
from luthier.schema import Example, LabelSet

MULTI = "multi_label_classification"


def draw(seed, rows, classes, *, multi=False, ties=True):
    random = np.random.default_rng(seed)
    probabilities = random.random((rows, classes))
    if not multi:
        probabilities /= probabilities.sum(axis=1, keepdims=True)
    if ties:
        probabilities = np.round(probabilities, 1)
    truth = (
        random.random((rows, classes)) < 0.4
        if multi
        else np.eye(classes, dtype=bool)[random.integers(0, classes, rows)]
    )
    return probabilities, truth


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(2, 6))
def test_single_label_scores_equal_scikit_learn(seed, rows, classes):
    probabilities, truth = draw(seed, rows, classes)
    labels = LabelSet(tuple(map(str, range(classes))))
    scores = score(probabilities, truth, labels)
    targets, chosen = truth.argmax(1), probabilities.argmax(1)
    assert scores.values["accuracy"] == pytest.approx(reference.accuracy_score(targets, chosen))
    for average in ("macro", "micro", "weighted"):
        expected = reference.precision_recall_fscore_support(targets, chosen, average=average, zero_division=0)[:3]
        got = [scores.values[f"{name}_{average}"] for name in ("precision", "recall", "f1")]
        assert got == pytest.approx(expected)
    precision, recall, f1, support = reference.precision_recall_fscore_support(
        targets, chosen, labels=range(classes), zero_division=0
    )
    assert [entry.precision for entry in scores.classes] == pytest.approx(precision)
    assert [entry.recall for entry in scores.classes] == pytest.approx(recall)
    assert [entry.f1 for entry in scores.classes] == pytest.approx(f1)
    assert [entry.support for entry in scores.classes] == support.tolist()
    assert np.array_equal(scores.confusion, reference.confusion_matrix(targets, chosen, labels=range(classes)))
    again = np.zeros((classes, classes), np.int64)
    for true, answer, rows in scores.to_dict()["confusion"]:
        assert rows > 0
        again[true, answer] = rows
    assert np.array_equal(again, scores.confusion)


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(2, 6))
def test_multi_label_scores_equal_scikit_learn(seed, rows, classes):
    probabilities, truth = draw(seed, rows, classes, multi=True)
    labels = LabelSet(tuple(map(str, range(classes))), MULTI)
    scores = score(probabilities, truth, labels, threshold=0.5)
    chosen = probabilities >= 0.5
    assert scores.confusion is None
    assert scores.values["accuracy"] == pytest.approx(reference.accuracy_score(truth, chosen))
    assert scores.values["hamming_loss"] == pytest.approx(reference.hamming_loss(truth, chosen))
    for average in ("macro", "micro", "weighted"):
        expected = reference.precision_recall_fscore_support(truth, chosen, average=average, zero_division=0)[:3]
        assert [scores.values[f"{name}_{average}"] for name in ("precision", "recall", "f1")] == pytest.approx(expected)


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(2, 60), st.booleans())
def test_curves_and_areas_equal_scikit_learn(seed, rows, ties):
    random = np.random.default_rng(seed)
    scores = random.random(rows)
    scores = np.round(scores, 1) if ties else scores
    positive = random.random(rows) < 0.5
    roc, recall_curve = roc_curve(scores, positive), precision_recall_curve(scores, positive)
    if positive.any():
        assert recall_curve.area == pytest.approx(reference.average_precision_score(positive, scores))
        precision, recall, _ = reference.precision_recall_curve(positive, scores)
        assert recall_curve.x == pytest.approx(recall[::-1])
        assert recall_curve.y == pytest.approx(precision[::-1])
    else:
        assert recall_curve is None
    if positive.any() and not positive.all():
        false, true, _ = reference.roc_curve(positive, scores, drop_intermediate=False)
        assert roc.area == pytest.approx(reference.roc_auc_score(positive, scores))
        assert (roc.x, roc.y) == (pytest.approx(false), pytest.approx(true))
    else:
        assert roc is None


def test_macro_areas_leave_undefined_classes_out():
    probabilities, _ = draw(3, 30, 3, ties=False)
    truth = np.eye(3, dtype=bool)[np.arange(30) % 2]  # the third class never occurs
    scores = score(probabilities, truth, LabelSet(("a", "b", "c")))
    expected = np.mean([reference.roc_auc_score(truth[:, c], probabilities[:, c]) for c in (0, 1)])
    assert scores.values["roc_auc_macro"] == pytest.approx(expected)
    assert scores.classes[2].roc_auc is None
    assert scores.classes[2].average_precision is None


def test_log_loss_equals_scikit_learn_and_stays_finite():
    probabilities, truth = draw(4, 50, 4, ties=False)
    labels = LabelSet(("a", "b", "c", "d"))
    assert score(probabilities, truth, labels).values["log_loss"] == pytest.approx(
        reference.log_loss(truth.argmax(1), probabilities, labels=range(4))
    )
    sure = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert np.isfinite(score(sure, ~np.eye(2, dtype=bool), LabelSet(("a", "b"))).values["log_loss"])


def test_the_predictors_choice_is_scored_not_a_second_decoding():
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1]])
    truth = np.array([[False, True], [False, True]])
    assert score(probabilities, truth, LabelSet(("a", "b")), chosen=truth).values["accuracy"] == 1.0


def test_a_thinned_curve_keeps_ends_area_and_order():
    random = np.random.default_rng(0)
    curve = roc_curve(random.random(5000), random.random(5000) < 0.5)
    thinned = thin(curve, 50)
    assert 40 <= len(thinned.x) <= 60
    assert (thinned.x[0], thinned.y[0], thinned.x[-1], thinned.y[-1]) == (0, 0, 1, 1)
    assert thinned.area == curve.area
    assert (np.diff(thinned.x) >= 0).all()


def test_choose_takes_one_label_or_all_above_the_threshold():
    probabilities = np.array([[0.5, 0.5, 0.0], [0.2, 0.2, 0.6]])
    assert choose(probabilities, LabelSet(("a", "b", "c"))).tolist() == [[True, False, False], [False, False, True]]
    assert choose(probabilities, LabelSet(("a", "b", "c"), MULTI), 0.5).sum() == 3


def test_membership_names_the_row_that_cannot_be_scored():
    labels = LabelSet(("a", "b"))
    with pytest.raises(DataError, match=r"f.csv:7: evaluation needs exactly one label.*got None"):
        membership([Example("f.csv:7", "x")], labels)
    with pytest.raises(DataError, match=r"f.csv:7: the label 'z' is not one that the model knows: a, b"):
        membership([Example("f.csv:7", "x", labels=("z",))], labels)
    assert not membership([Example("f.csv:7", "x", labels=())], LabelSet(("a", "b"), MULTI)).any()


def test_scores_of_nothing_are_refused():
    with pytest.raises(DataError, match="at least one row"):
        score(np.zeros((0, 2)), np.zeros((0, 2), dtype=bool), LabelSet(("a", "b")))


def test_average_precision_is_summed_in_steps():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert average_precision(np.array([3.0, 2.0, 1.0]), np.array([True, False, True])) == pytest.approx(5 / 6)
