"""What every file in ``luthier/tasks`` keeps to: labels survive the round trip, losses are finite, order is kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from luthier import plugins, recipe
from luthier.models.encoding import Encoder, Ragged
from luthier.schema import Argument, Example, GoldAnswer, LabelSet, Logits, Scale, Span, TextInput
from luthier.tasks import SpanTargets
from luthier.tuning.validation import better

LABEL_SETS = [
    LabelSet(("a", "b", "c")),
    LabelSet(("a", "b", "c"), "multi_label_classification"),
    LabelSet(("only", "two")),
    LabelSet(("PER", "LOC"), "token_classification"),
    LabelSet(("only",), "token_classification"),
    LabelSet(("stars",), "regression", Scale(2.0, 0.5, (1, 2, 3))),
    LabelSet(("price",), "regression", Scale(250.0, 40.0)),
    LabelSet(("answer",), "question_answering"),
    LabelSet(("Cause-Effect(e1,e2)", "Cause-Effect(e2,e1)", "Other"), "relation_classification", negative="Other"),
]
CASES = [(name, labels) for name in plugins.names("tasks") for labels in LABEL_SETS
         if labels.problem_type in plugins.load("tasks", name).PROBLEMS]


@dataclass(frozen=True)
class Case:
    """A task with labelled rows, as the model would see them."""

    task: ModuleType
    labels: LabelSet
    rows: list[Example]
    ragged: Ragged

    @property
    def texts(self) -> list[TextInput]:
        return [row.text_input for row in self.rows]

    @property
    def settings(self) -> Any:
        return self.task.Settings(**({"unanswerable": True} if self.labels.of_answers else {}))

    @property
    def outputs(self) -> int:
        return len(self.task.outputs(self.labels))

    def targets(self) -> Any:
        return self.task.targets(self.rows, self.labels, self.ragged)

    def sure(self) -> Logits:
        """Return the logits of a model that knows the targets."""
        every, targets = 20 * np.eye(self.outputs, dtype=np.float32) - 10, self.targets()
        if self.labels.of_numbers:
            return targets[:, None]
        if self.labels.of_answers:
            return [np.stack([np.where((row > 0) & (row & bit > 0), 10, -10) for bit in (1, 2)], axis=1)
                    .astype(np.float32) for row in targets.rows]
        if isinstance(targets, SpanTargets):
            return [self._saying(len(real), spans) for real, spans in zip(targets.tokens, targets.spans, strict=True)]
        if self.labels.of_spans:
            return [every[np.maximum(row, 0)] for row in targets.rows]
        if self.labels.of_relations:  # at the marks alone: what stands elsewhere must not count
            return [np.where((row > 0)[:, None], np.tile(every[np.maximum(row, 0) // 4][:, : len(self.labels)], 2), 99)
                    .astype(np.float32) for row in targets.rows]
        return every[targets] if targets.ndim == 1 else (20 * targets - 10).astype(np.float32)

    def _saying(self, length: int, spans: np.ndarray) -> np.ndarray:
        """Return logits of tokens that say at most one span of each type, by the outputs to start and to end it."""
        logits, types = np.zeros((length, self.outputs), np.float32), len(self.labels)
        logits[:, -2 * types:] = -20
        for first, last, kind in spans.tolist():
            logits[first, kind - 2 * types] = logits[last, kind - types] = 9
        return logits

    def random(self) -> Logits:
        generator = np.random.default_rng(0)
        if self.labels.per_token:
            return [generator.normal(size=(len(ids), self.outputs)).astype(np.float32) for ids in self.ragged.ids]
        return generator.normal(size=(len(self.rows), self.outputs)).astype(np.float32)

    def decode(self, logits: Logits) -> list[Any]:
        return self.task.decode(logits, self.ragged, self.texts, self.labels, self.settings)

    def alone(self, row: int) -> Case:
        parts = {name: value[row : row + 1] for name in ("ids", "truncated", "offsets", "sequence")
                 if (value := getattr(self.ragged, name)) is not None}
        return Case(self.task, self.labels, self.rows[row : row + 1], replace(self.ragged, **parts))


def examples(labels: LabelSet) -> list[Example]:
    texts = [f"text {number} 很好 of {name}" for number, name in enumerate(labels.names * 3)]
    if labels.of_numbers:
        return [Example(f"x:{number}", text, value=float(number + 1)) for number, text in enumerate(texts)]
    if labels.of_answers:
        return [Example(f"x:{number}", "which is it?", text, answers=(GoldAnswer("text", 0),) * (number > 0))
                for number, text in enumerate(texts)]
    if labels.of_relations:
        return [Example(f"x:{number}", text, labels=(labels.names[number % 3],),
                        arguments=(Argument(0, 4), Argument(len(text) - 5, len(text)))) for number, text in
                enumerate(texts)]
    if not labels.of_spans:
        return [Example(f"x:{number}", text, None, (labels.names[number % len(labels)],))
                for number, text in enumerate(texts)]
    return [Example(f"x:{number}", text, spans=tuple(
        Span(start, start + 4, labels.names[number % len(labels)]) for start in (0,) * (number > 0)))
        for number, text in enumerate(texts)]


@pytest.fixture(params=CASES, ids=[f"{name}-{labels.problem_type}-{len(labels)}" for name, labels in CASES])
def case(request: pytest.FixtureRequest, tiny_model: Path) -> Case:
    name, labels = request.param
    task, rows = plugins.load("tasks", name), examples(labels)
    ragged = Encoder.load(tiny_model).encode_ragged([row.text_input for row in rows], offsets=task.OFFSETS)
    return Case(task, labels, rows, replace(ragged, truncated=np.arange(len(rows)) % 2 == 0))


def test_it_tells_its_name_settings_and_metrics(case: Case) -> None:
    task = case.task
    assert task.TITLE
    assert issubclass(task.Settings, recipe.Settings)
    task.Settings()
    assert task.GUESS
    weighed = task.weighed(case.labels)
    assert len(weighed) == case.outputs if weighed else task.UNWEIGHED
    assert set(weighed) <= {"", *case.labels.names}
    assert "loss" in task.METRICS
    assert task.BEST_METRIC in task.METRICS
    assert set(task.ANSWER.COLUMNS) <= set(task.ANSWER.KEYS)


def test_labels_survive_the_round_trip(case: Case) -> None:
    sure, scale = case.sure(), case.labels.scale
    answers = case.decode(sure if scale is None else scale.natural(sure).astype(np.float32))
    if scale is None:
        assert [answer.labels for answer in answers] == [row.label_names for row in case.rows]
    else:
        assert [answer.score for answer in answers] == pytest.approx([row.value for row in case.rows], rel=1e-4)
        assert [answer.grade for answer in answers] == ([1, 2, 3] if scale.grades else [None] * 3)
    assert [answer.truncated for answer in answers] == case.ragged.truncated.tolist()
    for answer in answers:
        assert isinstance(answer, case.task.ANSWER)
        assert tuple(answer.to_dict()) == case.task.ANSWER.KEYS
        assert tuple(answer.to_cells()) == case.task.ANSWER.COLUMNS
    found = case.task.metrics(case.sure(), case.targets(), case.labels)
    assert set(found) == set(case.task.METRICS)
    if scale is None:
        assert found["accuracy"] == found[case.task.BEST_METRIC] == 1.0
    else:
        assert found["loss"] == found["mse"] == found["mae"] == 0.0
        assert found["pearson"] == pytest.approx(1.0)


def test_batched_equals_single(case: Case) -> None:
    logits = case.random()
    together = case.decode(logits)
    for row in range(len(case.rows)):
        (alone,) = case.alone(row).decode(logits[row : row + 1])
        assert alone.to_dict() == together[row].to_dict()


def test_no_rows_have_no_answers(case: Case) -> None:
    none = replace(case, rows=[], ragged=replace(case.ragged, ids=[], truncated=case.ragged.truncated[:0]))
    assert none.decode(case.random()[:0]) == []


def test_a_guess_is_worse_than_knowing(case: Case) -> None:
    targets = case.targets()
    found = case.task.guessed(targets, targets, case.labels)
    assert set(found) == set(case.task.METRICS)
    known = case.task.metrics(case.sure(), targets, case.labels)
    best = case.task.BEST_METRIC
    assert better(best, known[best], found[best])
    assert np.isfinite(found["loss"])


@pytest.mark.slow
@pytest.mark.parametrize("scale", [0.0, 1.0, 1e4])
def test_losses_and_gradients_are_finite(case: Case, scale: float) -> None:
    import torch

    logits = (padded(case.random()) * scale).requires_grad_()
    rows = case.task.loss(logits, every_target(case), class_weights=torch.ones(case.outputs), label_smoothing=0.1)
    assert rows.shape == (len(case.rows),)
    rows.mean().backward()
    assert torch.isfinite(rows).all()
    assert torch.isfinite(logits.grad).all()


@pytest.mark.slow
def test_a_built_model_answers_with_a_logit_for_each_output(case: Case, tiny_model: Path) -> None:
    import torch

    built = case.task.build(tiny_model, case.labels, dropout=None, seed=0, attention="sdpa")
    with torch.inference_mode():
        logits = built.model(torch.tensor([[2, 9, 3]])).logits
    assert logits.shape == ((1, 3, case.outputs) if case.labels.per_token else (1, case.outputs))
    assert not built.model.training
    assert built.new_modules
    named = built.model.config.id2label
    assert tuple(named[number] for number in range(len(named))) == case.task.outputs(case.labels).names


@pytest.mark.slow
def test_the_loss_of_a_row_does_not_depend_on_its_company(case: Case) -> None:
    import torch

    targets, logits = every_target(case), padded(case.random())
    options = {"class_weights": torch.arange(1.0, case.outputs + 1), "label_smoothing": 0.1}
    together = case.task.loss(logits, targets, **options)
    alone = torch.cat([case.task.loss(logits[row : row + 1], targets[row : row + 1], **options)
                       for row in range(len(case.rows))])
    assert torch.allclose(together, alone, atol=1e-5)


def every_target(case: Case) -> Any:
    import torch

    targets = case.targets()
    return torch.from_numpy(targets[np.arange(len(case.rows))])


def padded(logits: Logits) -> Any:
    import torch

    if not isinstance(logits, list):
        return torch.from_numpy(logits)
    return torch.nn.utils.rnn.pad_sequence([torch.from_numpy(row) for row in logits], batch_first=True)
