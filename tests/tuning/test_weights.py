from __future__ import annotations

import numpy as np
import pytest

from luthier import plugins
from luthier.errors import RecipeError
from luthier.schema import LabelSet
from luthier.tuning.weights import class_weights

LABELS = LabelSet(("a", "b"))
TASK = plugins.load("tasks", "text-classification")


def test_auto_leaves_balanced_data_alone() -> None:
    weights, why = class_weights("auto", np.array([0, 0, 1]), LABELS, TASK)
    assert weights is None
    assert "2.0 times" in why.reason


def test_auto_balances_from_a_ratio_of_three() -> None:
    weights, why = class_weights("auto", np.array([0, 0, 0, 1]), LABELS, TASK)
    assert weights is not None
    assert weights.tolist() == pytest.approx([4 / 6, 4 / 2])
    assert why.value == "balanced"


def test_auto_counts_each_of_several_labels() -> None:
    several = LabelSet(("a", "b"), "multi_label_classification")
    weights, _ = class_weights("auto", np.array([[1, 0], [1, 0], [1, 1]], np.float32), several, TASK)
    assert weights is not None
    assert weights.tolist() == pytest.approx([4 / 6, 4 / 2])


def test_none_and_given() -> None:
    assert class_weights("none", np.array([0, 0, 0, 1]), LABELS, TASK)[0] is None
    weights, why = class_weights({"b": 2.5}, np.array([0, 1]), LABELS, TASK)
    assert weights is not None
    assert weights.tolist() == [1.0, 2.5]
    assert why.value == "given"


def test_faults_come_together() -> None:
    with pytest.raises(RecipeError, match=r"'aa' is not a label, did you mean 'a'\?; 'b' has weight -1, below 0"):
        class_weights({"aa": 1.0, "b": -1.0}, np.array([0, 1]), LABELS, TASK)


def test_a_type_weighs_both_its_tags() -> None:
    labels, task = LabelSet(("PER", "LOC"), "token_classification"), plugins.load("tasks", "named-entities")
    assert class_weights({"LOC": 2.0}, None, labels, task)[0].tolist() == [1, 1, 1, 2, 2]
    weights, why = class_weights("auto", None, labels, task)
    assert weights is None
    assert "stand in no span" in why.reason


def test_what_has_no_classes_is_not_weighed() -> None:
    labels, task = LabelSet(("stars",), "regression"), plugins.load("tasks", "regression")
    assert class_weights("auto", None, labels, task)[1].reason == "numbers have no classes"
    with pytest.raises(RecipeError, match="numbers have no classes to weigh"):
        class_weights({"stars": 2.0}, None, labels, task)
