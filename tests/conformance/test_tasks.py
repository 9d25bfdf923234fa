"""What every file in ``luthier/tasks`` keeps to: labels survive the round trip, losses are finite, order is kept."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from luthier import plugins, recipe
from luthier.schema import Example, LabelSet

LABEL_SETS = [
    LabelSet(("a", "b", "c")),
    LabelSet(("a", "b", "c"), "multi_label_classification"),
    LabelSet(("only", "two")),
]


@pytest.fixture(params=plugins.names("tasks"))
def task(request: pytest.FixtureRequest) -> ModuleType:
    return plugins.load("tasks", request.param)


@pytest.fixture(params=LABEL_SETS, ids=["one", "several", "two"])
def labels(request: pytest.FixtureRequest) -> LabelSet:
    return request.param


def examples(labels: LabelSet) -> list[Example]:
    return [Example(f"x:{number}", f"text {number}", None, (name,)) for number, name in enumerate(labels.names)]


def sure_logits(labels: LabelSet) -> np.ndarray:
    return (20 * np.eye(len(labels)) - 10).astype(np.float32)


def test_it_tells_its_name_settings_and_metrics(task: ModuleType) -> None:
    assert task.TITLE
    assert issubclass(task.Settings, recipe.Settings)
    task.Settings()
    assert "loss" in task.METRICS


def test_labels_survive_the_round_trip(task: ModuleType, labels: LabelSet) -> None:
    rows = examples(labels)
    predictions = task.decode(sure_logits(labels), labels, np.zeros(len(rows), bool), task.Settings())
    assert [prediction.labels for prediction in predictions] == [row.labels for row in rows]
    assert all(prediction.names == labels.names for prediction in predictions)
    found = task.metrics(sure_logits(labels), task.targets(rows, labels), labels)
    assert set(found) == set(task.METRICS)
    assert found["accuracy"] == found["f1_macro"] == 1.0


def test_batched_equals_single(task: ModuleType, labels: LabelSet) -> None:
    logits = np.random.default_rng(0).normal(size=(9, len(labels))).astype(np.float32)
    cut = np.arange(9) % 2 == 0
    together = task.decode(logits, labels, cut, task.Settings())
    for row in range(9):
        (alone,) = task.decode(logits[row : row + 1], labels, cut[row : row + 1], task.Settings())
        assert (alone.labels, alone.truncated) == (together[row].labels, together[row].truncated)
        assert np.array_equal(alone.probabilities, together[row].probabilities)


@pytest.mark.slow
@pytest.mark.parametrize("scale", [0.0, 1.0, 1e4])
def test_losses_and_gradients_are_finite(task: ModuleType, labels: LabelSet, scale: float) -> None:
    import torch

    targets = torch.from_numpy(task.targets(examples(labels), labels))
    logits = (
        torch.randn(len(labels), len(labels), generator=torch.Generator().manual_seed(0)) * scale
    ).requires_grad_()
    rows = task.loss(logits, targets, class_weights=torch.ones(len(labels)), label_smoothing=0.1)
    assert rows.shape == (len(labels),)
    rows.mean().backward()
    assert torch.isfinite(rows).all()
    assert torch.isfinite(logits.grad).all()


@pytest.mark.slow
def test_a_built_model_answers_with_a_logit_for_each_class(
    task: ModuleType, labels: LabelSet, tiny_model: Path
) -> None:
    import torch

    built = task.build(tiny_model, labels, dropout=None, seed=0, attention="sdpa")
    with torch.inference_mode():
        logits = built.model(torch.tensor([[2, 9, 3]])).logits
    assert logits.shape == (1, len(labels))
    assert not built.model.training
    assert built.new_modules


@pytest.mark.slow
def test_the_loss_of_a_row_does_not_depend_on_its_company(task: ModuleType, labels: LabelSet) -> None:
    import torch

    rows = examples(labels) * 3
    targets = torch.from_numpy(task.targets(rows, labels))
    logits = torch.randn(len(rows), len(labels), generator=torch.Generator().manual_seed(0))
    options = {"class_weights": torch.arange(1.0, len(labels) + 1), "label_smoothing": 0.1}
    together = task.loss(logits, targets, **options)
    alone = torch.cat([task.loss(logits[row : row + 1], targets[row : row + 1], **options) for row in range(len(rows))])
    assert torch.allclose(together, alone, atol=1e-6)
