from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luthier.errors import DataError
from luthier.models.encoding import Ragged
from luthier.schema import Example, LabelSet
from luthier.tasks import text_classification as task

ONE = LabelSet(("no", "yes", "maybe"))
MANY = LabelSet(("no", "yes", "maybe"), "multi_label_classification")


def examples(*labels: tuple[str, ...] | None) -> list[Example]:
    return [Example(f"rows.csv:{number}", "text", None, names) for number, names in enumerate(labels, 2)]


def test_targets_of_one_label() -> None:
    found = task.targets(examples(("yes",), ("no",)), ONE)
    assert found.dtype == np.int64
    assert found.tolist() == [1, 0]


def test_targets_of_several_labels() -> None:
    found = task.targets(examples(("yes", "maybe"), ()), MANY)
    assert found.dtype == np.float32
    assert found.tolist() == [[0, 1, 1], [0, 0, 0]]
    assert task.targets([], MANY).shape == (0, 3)


@pytest.mark.parametrize(
    ("labels", "label_set", "message"),
    [
        (None, ONE, r"rows.csv:2: expected exactly one label, got None"),
        (("yes", "no"), ONE, r"rows.csv:2: expected exactly one label, got \('yes', 'no'\)"),
        ((), ONE, r"expected exactly one label, got \(\)"),
        (None, MANY, r"rows.csv:2: expected labels, got None"),
        (("yess",), ONE, r"rows.csv:2: label 'yess' is not in the label set\n  -> did you mean 'yes'\?"),
    ],
)
def test_rows_without_usable_labels_are_refused(
    labels: tuple[str, ...] | None, label_set: LabelSet, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        task.targets(examples(labels), label_set)


@given(st.lists(st.lists(st.floats(-1e4, 1e4, width=32), min_size=3, max_size=3), min_size=1, max_size=6))
@settings(max_examples=40)
def test_probabilities_are_probabilities(rows: list[list[float]]) -> None:
    logits = np.array(rows, np.float32)
    one, many = task.probabilities(logits, ONE), task.probabilities(logits, MANY)
    assert one.dtype == many.dtype == np.float32
    assert np.allclose(one.sum(axis=1), 1, atol=1e-6)
    assert ((one >= 0) & (one <= 1)).all()
    assert ((many >= 0) & (many <= 1)).all()
    assert np.allclose(task.probabilities(logits + np.float32(3), ONE), one, atol=1e-3)


def seen(*truncated: bool) -> Ragged:
    """Return rows as the model saw them, as far as decoding looks."""
    return Ragged([[1]] * len(truncated), None, np.array(truncated))


def test_decode_one_label() -> None:
    logits = np.array([[0, 2, 0], [5, 0, 0]], np.float32)
    first, second = task.decode(logits, seen(True, False), ["", ""], ONE, task.Settings())
    assert (first.labels, first.truncated, first.names) == (("yes",), True, ONE.names)
    assert first.score == pytest.approx(np.exp(2) / (np.exp(2) + 2))
    assert (second.label, second.truncated) == ("no", False)


def test_windows_of_a_text_have_its_label_together_and_what_is_new_in_each_counts() -> None:
    windows = Ragged([[1]] * 4, None, np.array([False, True, False, False]), owners=np.array([0, 0, 0, 1]),
                     fresh=np.array([10, 5, 5, 0]))
    assert task.targets(examples(("yes",), ("no",)), ONE, windows).tolist() == [1, 0]
    assert task.targets(examples(("yes",), ()), MANY, windows).sum() == 1
    logits = np.array([[4, 0, 0], [0, 6, 0], [0, 4, 0], [9, 1, 1]], np.float32)
    first, second = task.decode(logits, windows, ["a", "b"], ONE, task.Settings())
    assert (first.label, second.label) == ("yes", "no")  # means of 2 and of 2.5, where the first window counts twice
    assert first.score == pytest.approx(np.exp(2.5) / (np.exp(2) + np.exp(2.5) + 1))
    assert (first.truncated, second.truncated) == (True, False)
    alone = task.decode(logits[3:], seen(False), ["b"], ONE, task.Settings())[0]
    assert second.score == alone.score
    highest, _ = task.decode(logits, windows, ["a", "b"], ONE, task.Settings(pooling="max"))
    assert highest.score == pytest.approx(np.exp(6) / (np.exp(4) + np.exp(6) + 1))


def test_decode_several_labels_by_the_threshold() -> None:
    logits = np.array([[-1, 0, 3], [-5, -5, -5]], np.float32)
    whole, texts = seen(False, False), ["", ""]
    found = task.decode(logits, whole, texts, MANY, task.Settings())
    assert [answer.labels for answer in found] == [("yes", "maybe"), ()]
    strict = task.decode(logits, whole, texts, MANY, task.Settings(threshold=0.9))
    assert [answer.labels for answer in strict] == [("maybe",), ()]


def test_metrics() -> None:
    logits = np.log(np.array([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.5, 0.3, 0.2]], np.float32))
    found = task.metrics(logits, np.array([0, 1, 1]), ONE)
    assert tuple(found) == task.METRICS
    assert found["accuracy"] == found["f1_micro"] == pytest.approx(2 / 3)
    assert found["loss"] == pytest.approx(-np.log([0.7, 0.6, 0.3]).mean(), rel=1e-5)
    many = task.metrics(
        np.array([[9, -9, 9], [-9, 9, -9]], np.float32), np.array([[1, 0, 1], [1, 1, 0]], np.float32), MANY
    )
    assert (many["accuracy"], many["f1_macro"]) == (0.5, pytest.approx((2 / 3 + 1 + 1) / 3))


@pytest.mark.slow  # imports torch
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_loss_of_rows_equals_torchs(smoothing: float) -> None:
    import torch
    from torch.nn import functional

    logits = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
    numbers = torch.arange(8) % 3
    hot = functional.one_hot(numbers, 3).float()
    rows = task.loss(logits, numbers, label_smoothing=smoothing)
    assert rows.shape == (8,)
    assert torch.allclose(rows.mean(), functional.cross_entropy(logits, numbers, label_smoothing=smoothing))
    soft = hot * (1 - smoothing) + smoothing / 2
    assert torch.allclose(
        task.loss(logits, hot, label_smoothing=smoothing).mean(),
        functional.binary_cross_entropy_with_logits(logits, soft),
    )
    weights = torch.tensor([1.0, 2.0, 0.5])
    weighted = task.loss(logits, numbers, class_weights=weights, label_smoothing=smoothing)
    assert torch.allclose(weighted, rows * weights[numbers])
    assert task.loss(logits.bfloat16(), numbers).dtype == torch.float32
    if not smoothing:
        assert task.metrics(logits.numpy(), numbers.numpy(), ONE)["loss"] == pytest.approx(float(rows.mean()), rel=1e-5)
        many = task.loss(logits, hot).mean()
        assert task.metrics(logits.numpy(), hot.numpy(), MANY)["loss"] == pytest.approx(float(many), rel=1e-5)


@pytest.mark.slow
def test_a_guess_of_several_labels_is_made_at_the_threshold_of_the_task() -> None:
    rows = np.array([[1, 1, 0]] + [[1, 0, 0]] * 3, np.float32)
    assert task.guessed(rows, rows, MANY)["accuracy"] == 3 / 4
    assert task.guessed(rows, rows, MANY, task.Settings(threshold=0.2))["accuracy"] == 1 / 4


def test_weights_of_several_labels_are_on_the_positive_part() -> None:
    import torch

    logits, weights = torch.zeros(2, 2), torch.tensor([3.0, 1.0])
    rows = task.loss(logits, torch.tensor([[1.0, 0.0], [0.0, 0.0]]), class_weights=weights)
    assert rows.tolist() == pytest.approx([np.log(2) * 2, np.log(2)])
