"""Evaluating a predictor: its own choices, its errors in order, its truncation; comparing two."""

from __future__ import annotations

import json

import numpy as np
import pytest
from fakes import QUICK, FakePredictor, rows

from luthier.errors import DataError
from luthier.evaluation import compare, evaluate
from luthier.schema import Example, LabelSet, Prediction


class Fixed:
    def __init__(self, answers):
        self.answers, self.seen = answers, None

    def predict(self, texts):
        self.seen = list(texts)
        return self.answers


def answer(names, label, probabilities, *, truncated=False):
    return Prediction((label,), names, np.array(probabilities, dtype=np.float32), truncated)


def test_errors_come_most_confident_first_and_as_many_as_asked():
    labels, examples, truth = rows(3, 90)
    result = evaluate(FakePredictor(labels, truth, skill=0.3), examples, labels, QUICK)
    assert len(result.errors) == 5
    assert result.wrong == round((1 - result.scores.values["accuracy"]) * 90) > 5
    confidence = [error.confidence for error in result.errors]
    assert confidence == sorted(confidence, reverse=True)
    for error in result.errors:
        assert error.prediction.labels != error.example.labels
        assert error.confidence == pytest.approx(error.prediction.score)


def test_pairs_reach_the_predictor_as_pairs_and_truncation_is_counted():
    names = ("a", "b")
    predictor = Fixed([answer(names, "a", [0.9, 0.1], truncated=True), answer(names, "a", [0.6, 0.4])])
    examples = [Example("x:1", "one", "two", ("a",)), Example("x:2", "three", None, ("b",))]
    result = evaluate(predictor, examples, LabelSet(names), QUICK)
    assert predictor.seen == [("one", "two"), "three"]
    assert result.truncated == 1
    assert result.scores.values["accuracy"] == 0.5
    assert result.errors[0].confidence == pytest.approx(0.6)


def test_several_labels_a_row_none_of_them_chosen():
    labels, examples, truth = rows(4, 50, multi=True)
    result = evaluate(FakePredictor(labels, truth, skill=0.5), examples, labels, QUICK)
    assert result.scores.confusion is None
    worst = result.errors[0]
    carried = np.isin(labels.names, worst.example.labels)
    assert worst.confidence == pytest.approx(np.abs(worst.prediction.probabilities - carried).max())
    assert all(0.5 <= error.confidence <= 1 for error in result.errors)


def test_the_json_form_holds_numbers_and_ids_but_no_texts():
    labels, examples, truth = rows(2, 40, text="SECRET")
    result = evaluate(FakePredictor(labels, truth, skill=0.2), examples, labels, QUICK).to_dict()
    written = json.dumps(result, allow_nan=False)
    assert "SECRET" not in written
    assert "rows.csv:" in written
    assert result["intervals"]["f1_macro"]["value"] == pytest.approx(result["metrics"]["f1_macro"])
    assert {"label", "precision", "recall", "f1", "support", "f1_interval"} <= set(result["classes"][0])


def test_comparing_needs_the_same_rows():
    labels, examples, truth = rows(2, 40)
    whole = evaluate(FakePredictor(labels, truth), examples, labels, QUICK)
    part = evaluate(FakePredictor(labels, truth[:39]), examples[:39], labels, QUICK)
    assert compare(whole, whole, QUICK)["accuracy"].value == 0
    with pytest.raises(DataError, match="not evaluated on the same rows"):
        compare(whole, part, QUICK)


def test_no_rows_and_a_predictor_of_other_labels_are_refused():
    labels, examples, _ = rows(2, 2)
    with pytest.raises(DataError, match="no rows to evaluate"):
        evaluate(Fixed([]), [], labels, QUICK)
    with pytest.raises(DataError, match="answered 1 of 2 rows"):
        evaluate(Fixed([answer(labels.names, "label 0", [1, 0])]), examples, labels, QUICK)
    with pytest.raises(DataError, match="with the labels b, a; expected one answer a row with label 0, label 1"):
        evaluate(Fixed([answer(("b", "a"), "a", [0, 1])] * 2), examples, labels, QUICK)
