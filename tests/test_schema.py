"""The values that cross boundaries."""

from __future__ import annotations

import numpy as np
import pytest

from luthier.schema import GENERATED, Dataset, Example, Generated, LabelSet, Prediction


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


def test_a_written_text_tells_how_it_ended() -> None:
    one = Generated("two dogs", "stop", 0.51234567)
    assert (one.label, one.labels) == ("two dogs", ())
    assert one.to_dict() == {"generated_text": "two dogs", "score": 0.512346, "finish_reason": "stop",
                             "truncated": False}
    assert one.to_cells() == {**one.to_dict(), "score": "0.512346"}
    assert tuple(one.to_dict()) == Generated.KEYS
    unscored = Generated("", "length", truncated=True)
    assert unscored.to_dict() == unscored.to_cells() == {
        "generated_text": "", "score": None, "finish_reason": "length", "truncated": True}


def test_texts_to_write_are_no_labels() -> None:
    assert Example("f:1", "ein Hund", targets=("a dog", "one dog")).label_names == ()
    assert LabelSet((GENERATED,), "text_generation").of_texts
    assert not LabelSet(("x", "y")).of_texts
