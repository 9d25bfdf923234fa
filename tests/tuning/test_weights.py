from __future__ import annotations

import numpy as np
import pytest

from luthier.errors import RecipeError
from luthier.schema import LabelSet
from luthier.tuning.weights import class_weights

LABELS = LabelSet(("a", "b"))


def test_auto_leaves_balanced_data_alone() -> None:
    weights, why = class_weights("auto", np.array([0, 0, 1]), LABELS)
    assert weights is None
    assert "2.0 times" in why.reason


def test_auto_balances_from_a_ratio_of_three() -> None:
    weights, why = class_weights("auto", np.array([0, 0, 0, 1]), LABELS)
    assert weights is not None
    assert weights.tolist() == pytest.approx([4 / 6, 4 / 2])
    assert why.value == "balanced"


def test_auto_counts_each_of_several_labels() -> None:
    several = LabelSet(("a", "b"), "multi_label_classification")
    weights, _ = class_weights("auto", np.array([[1, 0], [1, 0], [1, 1]], np.float32), several)
    assert weights is not None
    assert weights.tolist() == pytest.approx([4 / 6, 4 / 2])


def test_none_and_given() -> None:
    assert class_weights("none", np.array([0, 0, 0, 1]), LABELS)[0] is None
    weights, why = class_weights({"b": 2.5}, np.array([0, 1]), LABELS)
    assert weights is not None
    assert weights.tolist() == [1.0, 2.5]
    assert why.value == "given"


def test_faults_come_together() -> None:
    with pytest.raises(RecipeError, match=r"'aa' is not a label, did you mean 'a'\?; 'b' has weight -1, below 0"):
        class_weights({"aa": 1.0, "b": -1.0}, np.array([0, 1]), LABELS)
