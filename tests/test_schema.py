"""The values that cross boundaries."""

from __future__ import annotations

import numpy as np
import pytest

from luthier.schema import Dataset, Example, LabelSet, Prediction


def prediction(labels: tuple[str, ...], probabilities: list[float]) -> Prediction:
    return Prediction(labels, ("a", "b", "c"), np.array(probabilities, np.float32))


def test_one_label_gives_its_name_and_probability() -> None:
    one = prediction(("b",), [0.1, 0.7, 0.2])
    assert one.label == "b"
    assert one.score == pytest.approx(0.7)
    assert one.to_dict() == {"label": "b", "labels": ["b"], "score": 0.7, "truncated": False,
                             "probabilities": {"a": 0.1, "b": 0.7, "c": 0.2}}


def test_several_labels_give_the_least_sure_one_and_none_gives_the_rest() -> None:
    assert prediction(("a", "b"), [0.9, 0.7, 0.2]).label == "a|b"
    assert prediction(("a", "b"), [0.9, 0.7, 0.2]).score == pytest.approx(0.7)
    assert prediction((), [0.1, 0.3, 0.2]).label == ""
    assert prediction((), [0.1, 0.3, 0.2]).score == pytest.approx(0.7)


def test_label_sets_know_their_order() -> None:
    labels = LabelSet(("x", "y"), "multi_label_classification")
    assert (len(labels), labels.index("y"), labels.multi_label) == (2, 1, True)
    assert not LabelSet(("x", "y")).multi_label


def test_a_row_knows_what_a_predictor_takes_for_it() -> None:
    assert Example("f:1", "one").text_input == "one"
    assert Example("f:1", "one", "").text_input == ("one", "")


def test_datasets_yield_their_splits_in_order() -> None:
    row = Example("f:1", "text", labels=("x",))
    dataset = Dataset((row,), (), (row,), LabelSet(("x", "y")), "0")
    assert [(name, len(rows)) for name, rows in dataset.splits()] == [("train", 1), ("valid", 0), ("test", 1)]
