"""What every file in ``luthier/tasks`` keeps to: labels survive the round trip, losses are finite, order is kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from luthier import plugins, recipe
from luthier.inference.generation import Written
from luthier.inference.inputs import encoded
from luthier.models.encoding import Encoder, Ragged
from luthier.models.tiny_generators import make_causal, make_seq2seq
from luthier.schema import (
    GENERATED,
    TOKEN,
    Argument,
    Example,
    Fill,
    GoldAnswer,
    LabelSet,
    Logits,
    Passages,
    Scale,
    Span,
    TextInput,
    Triple,
)
from luthier.tasks import SpanTargets
from luthier.tasks._two_passes import MARKED
from luthier.tuning.validation import better

MASKED = "masked_language_modelling"
WIDTH = 8
"""Of made up vectors."""
LABEL_SETS = [
    LabelSet(("a", "b", "c")),
    LabelSet(("a", "b", "c"), "multi_label_classification"),
    LabelSet(("only", "two")),
    LabelSet(("PER", "LOC"), "token_classification"),
    LabelSet(("only",), "token_classification"),
    LabelSet(("stars",), "regression", Scale(2.0, 0.5, (1, 2, 3))),
    LabelSet(("price",), "regression", Scale(250.0, 40.0)),
    LabelSet(("answer",), "question_answering"),
    LabelSet((GENERATED,), "text_generation"),
    LabelSet((GENERATED,), "dialogue"),
    LabelSet((TOKEN,), "masked_language_modelling"),
    LabelSet((TOKEN,), "causal_language_modelling"),
    LabelSet(("score",), "similarity"),
    LabelSet(("relevant",), "retrieval"),
    LabelSet(("lives_in", "works_in"), "joint_extraction", types=("PER", "LOC")),
    LabelSet(("relevant",), "re_ranking"),
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
    """What a predictor makes of the rows."""
    learned: Ragged
    """What is learned from: the same, but where a row has more texts than it is asked with."""
    taught: list[Example]
    """The rows as they are learned from: the same, but where each is learned as several, the rows themselves first."""

    @property
    def compares(self) -> bool:
        return self.labels.of_embeddings

    @property
    def writes(self) -> bool:
        return self.labels.of_texts or self.labels.of_tokens

    @property
    def texts(self) -> list[TextInput]:
        return [row.text_input for row in self.rows]

    @property
    def settings(self) -> Any:
        return self.task.Settings(**({"unanswerable": True} if self.labels.of_answers else {}))

    @property
    def outputs(self) -> int:
        if self.writes:  # what it puts out is the next token, or a hidden one
            return max(max(row) for row in self.ragged.ids) + 1
        return len(self.task.outputs(self.labels))

    def targets(self) -> Any:
        return self.task.targets(self.taught, self.labels, self.learned)

    def sure(self) -> Logits:
        """Return the logits of a model that knows the targets."""
        if self.writes:  # condensed: the log probability, and whether it is the top one
            return [np.tile(np.float32([0, 1]), (len(row), 1)) for row in self.targets().rows]
        every, targets = 20 * np.eye(self.outputs, dtype=np.float32) - 10, self.targets()
        if self.labels.problem_type == "similarity":
            angles = np.linspace(1.5, 0.1, len(self.rows))  # the more alike, the nearer
            return np.stack([vector for angle in angles for vector in ((1, 0), (np.cos(angle), np.sin(angle)))]
                            ).astype(np.float32)
        if self.labels.problem_type == "retrieval":
            wrong = len(self.rows) + np.arange(len(targets))
            return np.eye(2 * len(targets), dtype=np.float32)[np.where(targets[:, 1] == 2, wrong, targets[:, 0])]
        if self.labels.of_candidates:
            return 20 * targets[:, 1:] - 10
        if self.labels.problem_type == "regression":
            return targets[:, None]
        if self.labels.of_answers:
            return [np.stack([np.where((row > 0) & (row & bit > 0), 10, -10) for bit in (1, 2)], axis=1)
                    .astype(np.float32) for row in targets.rows]
        if isinstance(targets, SpanTargets):
            return [self._saying(len(real), spans) for real, spans in zip(targets.tokens, targets.spans, strict=True)]
        if self.labels.of_spans or self.labels.of_triples:
            return [every[np.maximum(row, 0) % MARKED] for row in targets.rows]
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
        if self.compares:
            vectors = generator.normal(size=(len(self.learned), WIDTH)).astype(np.float32)
            return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
        if self.labels.per_token or self.writes:
            return [generator.normal(size=(len(ids), self.outputs)).astype(np.float32) for ids in self.learned.ids]
        sequences = len(self.learned) if self.labels.of_candidates else len(self.rows)
        return generator.normal(size=(sequences, self.outputs)).astype(np.float32)

    def decode(self, logits: Logits) -> list[Any]:
        if self.labels.of_masks:
            logits = [[[Fill(f"it {row.sum():.3f}", 0.5, 7, "it")]] for row in logits]
        elif self.writes:  # decoded from what was written, not from logits
            logits = [Written((), f"{row.sum():.3f}", -abs(float(row.sum())), "stop") for row in logits]
        return self.task.decode(logits, self.ragged, self.texts, self.labels, self.settings)

    def alone(self, row: int) -> Case:
        parts = [replace(ragged, **{name: [value[place] for place in places_of(ragged, row)]
                                    for name in ("ids", "offsets", "sequence")
                                    if (value := getattr(ragged, name)) is not None},
                         truncated=ragged.truncated[places_of(ragged, row)],
                         owners=None if ragged.owners is None else 0 * places_of(ragged, row))
                 for ragged in (self.ragged, self.learned)]
        return Case(self.task, self.labels, self.rows[row : row + 1], *parts, self.taught[row : row + 1])


def places_of(ragged: Ragged, row: int) -> Any:
    """Return where the sequences of a row stand."""
    return np.flatnonzero((np.arange(len(ragged)) if ragged.owners is None else ragged.owners) == row)


def documents() -> list[Example]:
    return [Example(f"x:{number}", f"text {number} 很好 of all") for number in range(3)]


def examples(labels: LabelSet) -> list[Example]:
    texts = [f"text {number} 很好 of {name}" for number, name in enumerate(labels.names * 3)]
    if labels.problem_type == "similarity":
        return [Example(f"x:{number}", text, "another text", value=float(number)) for number, text in enumerate(texts)]
    if labels.problem_type == "retrieval":
        return [Example(f"x:{number}", text, passages=Passages((f"found {number}",), ("never",) * (number % 2)))
                for number, text in enumerate(texts)]
    if labels.of_candidates:
        found = [(f"found {number}", "never", "not this", "nor that")[: 3 + number % 2] for number in range(len(texts))]
        return [Example(f"x:{number}", text, passages=Passages(own[:1], own[1:], candidates=own))
                for number, (text, own) in enumerate(zip(texts, found, strict=True))]
    if labels.problem_type == "regression":
        return [Example(f"x:{number}", text, value=float(number + 1)) for number, text in enumerate(texts)]
    if labels.of_texts:
        return [Example(f"x:{number}", text, targets=(f"words of {number}", "or others")[: 1 + number % 2])
                for number, text in enumerate(texts)]
    if labels.of_answers:
        return [Example(f"x:{number}", "which is it?", text, answers=(GoldAnswer("text", 0),) * (number > 0))
                for number, text in enumerate(texts)]
    if labels.of_relations:
        return [Example(f"x:{number}", text, labels=(labels.names[number % 3],),
                        arguments=(Argument(0, 4), Argument(len(text) - 5, len(text)))) for number, text in
                enumerate(texts)]
    if labels.of_triples:
        ends = [(Span(0, 4, "PER"), Span(len(text) - 5, len(text), "LOC")) for text in texts]
        return [Example(f"x:{number}", text, spans=two, triples=(Triple(*two, labels.names[number % 2]),))
                if number else Example("x:0", text, spans=(), triples=())
                for number, (text, two) in enumerate(zip(texts, ends, strict=True))]
    if not labels.of_spans:
        return [Example(f"x:{number}", text, None, (labels.names[number % len(labels)],))
                for number, text in enumerate(texts)]
    return [Example(f"x:{number}", text, spans=tuple(
        Span(start, start + 4, labels.names[number % len(labels)]) for start in (0,) * (number > 0)))
        for number, text in enumerate(texts)]


@pytest.fixture(params=CASES, ids=[f"{name}-{labels.problem_type}-{len(labels)}" for name, labels in CASES])
def case(request: pytest.FixtureRequest, tiny_model: Path) -> Case:
    name, labels = request.param
    task, rows = plugins.load("tasks", name), documents() if labels.of_tokens else examples(labels)
    # Where texts are written, the targets are other texts' tokens.
    given = [row.targets[0] if row.targets else row.text_input for row in rows]
    taught = task.taught(rows, task.Settings()) if hasattr(task, "taught") else rows
    given_each = given if taught is rows else [row.text_input for row in taught]
    learned = task.rows_of(rows, task.Settings()) if hasattr(task, "rows_of") else given_each
    parts = [encoded(Encoder.load(tiny_model), task, task.Settings(), texts) for texts in (given, learned)]
    return Case(task, labels, rows, *[replace(
        ragged, truncated=np.arange(len(ragged)) % 2 == 0 if ragged.owners is None else ragged.owners % 2 == 0)
        for ragged in parts], taught)


def test_it_tells_its_name_settings_and_metrics(case: Case) -> None:
    task = case.task
    assert task.TITLE
    assert issubclass(task.Settings, recipe.Settings)
    task.Settings()
    assert task.GUESS
    assert task.GUESS.chinese
    weighed = task.weighed(case.labels)
    assert len(weighed) == case.outputs if weighed else task.UNWEIGHED
    assert set(weighed) <= {"", *case.labels.names}
    assert "loss" in task.METRICS
    assert task.BEST_METRIC in task.METRICS
    assert set(getattr(task, "ANSWERING", ())) <= set(task.Settings.model_fields)
    assert set(task.ANSWER.COLUMNS) <= set(task.ANSWER.KEYS)


def test_labels_survive_the_round_trip(case: Case) -> None:
    sure, scale = case.sure(), case.labels.scale
    asked = sure[:len(case.ragged)]
    answers = case.decode(asked if scale is None else scale.natural(asked).astype(np.float32))
    if case.labels.of_masks:
        assert [answer.label for answer in answers] == ["it"] * len(case.rows)
        assert not any(answer.labels for answer in answers)  # words are counted by nobody
    elif case.labels.problem_type == "similarity":
        assert [answer.score for answer in answers] == pytest.approx(np.sum(asked[::2] * asked[1::2], axis=1))
    elif case.compares:
        assert all(np.array_equal(answer.vector, vector) for answer, vector in zip(answers, asked, strict=True))
    elif scale is None:
        relations = set(case.labels.names) if case.labels.of_triples else set()  # those come with the second pass
        assert [answer.labels for answer in answers] == [
            tuple(name for name in row.label_names if name not in relations) for row in case.rows]
    else:
        assert [answer.score for answer in answers] == pytest.approx([row.value for row in case.rows], rel=1e-4)
        assert [answer.grade for answer in answers] == ([1, 2, 3] if scale.grades else [None] * 3)
    assert [answer.truncated for answer in answers] == [number % 2 == 0 for number in range(len(case.rows))]
    kind = case.task.PAIR_ANSWER if case.labels.problem_type == "similarity" else case.task.ANSWER
    for answer in answers:
        assert isinstance(answer, kind)
        assert tuple(answer.to_dict()) == kind.KEYS
        assert tuple(answer.to_cells()) == kind.COLUMNS
    found = case.task.metrics(case.sure(), case.targets(), case.labels)
    assert set(found) == set(case.task.METRICS)
    if case.writes:
        assert (found["accuracy"], found["loss"]) == (1.0, 0.0)
    elif case.labels.of_candidates:
        assert all(found[name] == 1.0 for name in case.task.METRICS if name != "loss")
    elif case.compares:
        assert found[case.task.best_metric(case.labels)] == pytest.approx(1.0)
        assert {name for name in found if found[name]} <= set(case.task.metrics_of(case.labels))
    elif scale is None:
        assert found["accuracy"] == found[case.task.BEST_METRIC] == 1.0
    else:
        assert found["loss"] == found["mse"] == found["mae"] == 0.0
        assert found["pearson"] == pytest.approx(1.0)


def test_batched_equals_single(case: Case) -> None:
    logits = case.random()
    if len(case.learned) > len(case.ragged):
        logits = logits[:len(case.ragged)]
    together = case.decode(logits)
    for row in range(len(case.rows)):
        places = places_of(case.ragged, row)
        (alone,) = case.alone(row).decode(logits[places[0] : places[-1] + 1])
        assert alone.to_dict() == together[row].to_dict()


def test_no_rows_have_no_answers(case: Case) -> None:
    empty = replace(case.ragged, ids=[], truncated=case.ragged.truncated[:0],
                    owners=None if case.ragged.owners is None else case.ragged.owners[:0])
    none = replace(case, rows=[], ragged=empty)
    assert none.decode(case.random()[:0]) == []


def test_a_guess_is_worse_than_knowing(case: Case) -> None:
    targets = case.targets()
    found = case.task.guessed(targets, targets, case.labels)
    assert set(found) == set(case.task.METRICS)
    known = case.task.metrics(case.sure(), targets, case.labels)
    best = case.task.best_metric(case.labels) if case.compares else case.task.BEST_METRIC
    assert better(best, known[best], found[best])
    assert np.isfinite(found["loss"])


@pytest.mark.slow
@pytest.mark.parametrize("scale", [0.0, 1.0, 1e4])
def test_losses_and_gradients_are_finite(case: Case, scale: float) -> None:
    import torch

    logits = (padded(case.random()) * scale).requires_grad_()
    rows = case.task.loss(logits, every_target(case), class_weights=torch.ones(case.outputs), label_smoothing=0.1)
    assert rows.shape == (len(case.taught),)
    rows.mean().backward()
    assert torch.isfinite(rows).all()
    assert torch.isfinite(logits.grad).all()


@pytest.mark.slow
def test_label_smoothing_changes_the_loss_where_it_is_not_refused(case: Case) -> None:
    import torch

    logits, targets = padded(case.random()), every_target(case)
    plain, smoothed = (case.task.loss(logits, targets, label_smoothing=share) for share in (0.0, 0.2))
    assert torch.equal(plain, smoothed) is bool(getattr(case.task, "UNSMOOTHED", ""))


@pytest.mark.slow
def test_a_built_model_answers_with_a_logit_for_each_output(case: Case, tiny_model: Path, tmp_path: Path) -> None:
    import torch

    writes, causal = case.writes, case.writes and case.labels.problem_type not in ("text_generation", MASKED)
    make = make_causal if causal else make_seq2seq
    base = make(tmp_path / "writes") if writes and not case.labels.of_masks else tiny_model
    built = case.task.build(base, case.labels, dropout=None, seed=0, attention="sdpa")
    before = {"decoder_input_ids": torch.tensor([[2, 9, 3]])} if case.labels.problem_type == "text_generation" else {}
    with torch.inference_mode():
        logits = built.model(torch.tensor([[2, 9, 3]]), **before).logits
    outputs = built.model.config.vocab_size if writes else case.outputs
    shape = (1, 3, outputs) if case.labels.per_token or writes else (1, outputs)
    assert logits.shape == ((1, built.model.config.hidden_size) if case.compares else shape)
    assert not built.model.training
    whole = case.compares or (writes and not case.labels.of_masks)  # an encoder alone has nothing new
    assert bool(built.new_modules) is not whole
    named = built.model.config.id2label
    assert tuple(named[number] for number in range(len(named))) == case.task.outputs(case.labels).names


# What a row of a task that compares is compared with is its loss: tests/tasks/test_contrastive.py has that.
@pytest.mark.slow
@pytest.mark.parametrize("case", [(name, labels) for name, labels in CASES
                                  if not hasattr(plugins.load("tasks", name), "TOGETHER")],
                         indirect=True, ids=lambda one: f"{one[0]}-{one[1].problem_type}-{len(one[1])}")
def test_the_loss_of_a_row_does_not_depend_on_its_company(case: Case) -> None:
    import torch

    targets, logits = every_target(case), padded(case.random())
    options = {"class_weights": torch.arange(1.0, case.outputs + 1), "label_smoothing": 0.1}
    together = case.task.loss(logits, targets, **options)
    grouped = hasattr(case.task, "GROUPED")
    parts = [places_of(case.learned, row) if grouped else [row] for row in range(len(case.taught))]
    alone = torch.cat([case.task.loss(logits[part], targets[part], **options) for part in parts])
    assert torch.allclose(together, alone, atol=1e-5)


def every_target(case: Case) -> Any:
    import torch

    targets = case.targets()
    return torch.from_numpy(targets[np.arange(len(case.learned))])


def padded(logits: Logits) -> Any:
    import torch

    if not isinstance(logits, list):
        return torch.from_numpy(logits)
    return torch.nn.utils.rnn.pad_sequence([torch.from_numpy(row) for row in logits], batch_first=True)
