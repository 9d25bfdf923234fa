"""Batches whose loss compares all their texts: what shares one, its gradient in parts, and runs that are stopped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pairs import RETRIEVAL, SCORED, base, job

from luthier.models.encoding import Ragged
from luthier.models.files import ModelFiles
from luthier.models.native import impossible
from luthier.schema import LabelSet
from luthier.tasks import named_entities, re_ranking, similarity, text_classification
from luthier.tuning import Events, Fitted, Job, fit, whole_batch
from luthier.tuning.grouping import Groups


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> ModelFiles:
    return base(tmp_path_factory.mktemp("pairs"))


def run(given: Job, *listeners: Any) -> tuple[Fitted, list[dict[str, Any]]]:
    seen: list[dict[str, Any]] = []
    return fit(given, Events(None, [lambda event: seen.append(dict(event)), *listeners])), seen


def losses(seen: list[dict[str, Any]]) -> list[float]:
    return [event["loss"] for event in seen if event["event"] == "step"]


@given(st.lists(st.integers(1, 5), min_size=1, max_size=20), st.integers(0, 2**31))
def test_groups_bring_all_their_rows_in_order(sizes: list[int], seed: int) -> None:
    random = np.random.default_rng(seed)
    owners = np.repeat(np.arange(len(sizes)), sizes)
    ragged = Ragged([[1] * int(random.integers(1, 9)) for _ in owners], None, np.zeros(len(owners), np.bool_),
                    owners=owners)
    groups = Groups.of(ragged, similarity)
    chosen = random.permutation(len(sizes))[: random.integers(1, len(sizes) + 1)]
    expected = [row for group in chosen for row in np.flatnonzero(owners == group)]
    assert groups.rows(chosen).tolist() == expected
    assert groups.lengths.tolist() == [max(ragged.lengths[owners == group]) for group in range(len(sizes))]
    tokens = Groups.of(ragged, named_entities)
    assert tokens.rows(chosen).tolist() == chosen.tolist()
    assert len(tokens) == len(owners)
    windows = Groups.of(ragged, text_classification)
    assert windows.rows(chosen).tolist() == expected
    assert windows.lengths.tolist() == [size * most for size, most in zip(sizes, groups.lengths.tolist(), strict=True)]
    assert (windows.share is None) is (len(sizes) == len(owners))
    between = Groups.of(ragged, re_ranking)  # batches may be cut between groups: all the tokens of each count
    assert between.rows(chosen).tolist() == expected
    assert between.lengths.tolist() == [max(ragged.lengths[owners == group]) * size for group, size in enumerate(sizes)]


@given(st.integers(1, 30), st.integers(1, 40), st.integers(0, 2**31))
def test_parts_hold_every_row_once_and_give_the_same_gradient(rows: int, tokens: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    chosen = random.permutation(40)[:rows]
    lengths = random.integers(1, 12, 40)
    parts = whole_batch.cut(chosen, lengths, tokens)
    assert sorted(np.concatenate(parts).tolist()) == sorted(chosen.tolist())
    assert len(parts) == 1 or all(len(part) * lengths[part].max() <= max(tokens, lengths[part].max()) for part in parts)
    torch.manual_seed(seed)
    features = torch.randn(40, 5)
    found = []
    for pieces in ([chosen], parts):
        weight = torch.eye(5).requires_grad_()
        seeds: list[int] = []
        loss = whole_batch.backward(
            chosen, pieces, lambda part, weight=weight: features[torch.from_numpy(part)] @ weight,
            lambda vectors: (vectors @ vectors.T * torch.arange(len(vectors))).logsumexp((0, 1)), seeds.append)
        found.append((loss, weight.grad))
        assert seeds == ([] if len(pieces) == 1 else [*range(len(pieces))] * 2)
    assert torch.allclose(found[0][0], found[1][0], rtol=1e-4, atol=1e-4)
    assert torch.allclose(found[0][1], found[1][1], rtol=1e-3, atol=1e-3)


def test_a_batch_in_parts_takes_the_same_step(files: ModelFiles, tmp_path: Path) -> None:
    whole, parts = (run(job(files, tmp_path / str(most), rows=24, dropout=0.0, negatives=1, train={
        "max_tokens_per_batch": most, "num_train_epochs": 1}))[1] for most in (4096, 64))
    assert losses(parts) == pytest.approx(losses(whole), rel=1e-4)


@pytest.mark.parametrize(("labels", "train"), [
    (RETRIEVAL, {}), (RETRIEVAL, {"max_tokens_per_batch": 64, "gradient_accumulation_steps": 2}), (SCORED, {})],
    ids=["ranked", "in parts", "scored"])
def test_a_stopped_run_goes_on_to_the_bit(files: ModelFiles, tmp_path: Path, labels: LabelSet, train: Any) -> None:
    def stop(event: Any) -> None:
        if event["event"] == "step" and event["step"] == 6:
            raise KeyboardInterrupt

    options: dict[str, Any] = {"rows": 40, "labels": labels, "train": train, "validation": {"save_steps": 2}}
    whole = job(files, tmp_path / "whole", **options)
    fitted, seen = run(whole)
    with pytest.raises(KeyboardInterrupt):
        run(job(files, tmp_path / "stopped", **options), stop)
    again = job(files, tmp_path / "stopped", resume=True, **options)
    resumed, rest = run(again)
    assert losses(rest) == losses(seen)[4 if len(losses(seen)) > 6 else -len(losses(rest)):]
    assert 0 < len(losses(rest)) < len(losses(seen))
    assert resumed.history == fitted.history
    assert all(torch.equal(a, b) for a, b in zip(whole.model.state_dict().values(), again.model.state_dict().values(),
                                                 strict=True))


def test_rows_are_counted_as_examples(files: ModelFiles, tmp_path: Path) -> None:
    _, seen = run(job(files, tmp_path, rows=30, negatives=1, train={"num_train_epochs": 1}))
    started = next(event for event in seen if event["event"] == "run_started")
    assert (started["train_rows"], started["valid_rows"], started["steps_per_epoch"]) == (30, 30, 4)
    assert sum(event["rows"] for event in seen if event["event"] == "step") == 30


@pytest.mark.parametrize(("labels", "own"), [(RETRIEVAL, {"scale": 5.0, "symmetric": True}), (SCORED, {"scale": 3.0})])
def test_validation_takes_the_loss_that_is_learned(files: ModelFiles, tmp_path: Path, labels: LabelSet,
                                                   own: dict[str, Any]) -> None:
    given = job(files, tmp_path, rows=20, labels=labels, settings=own, dropout=0.0, train={
        "num_train_epochs": 1, "per_device_train_batch_size": 20, "learning_rate": 1e-9})
    given = replace(given, valid=given.train)
    fitted, seen = run(given)
    assert fitted.history[0]["metrics"]["loss"] == pytest.approx(losses(seen)[0], rel=1e-3)
    targets = given.train.targets
    guess = [similarity.guessed(targets, targets, labels, chosen)["loss"] for chosen in (None, given.task_settings)]
    # Of pairs that are all alike every difference is 0, whatever it is multiplied by.
    assert (guess[0] != pytest.approx(guess[1])) is (labels is RETRIEVAL)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["full", "lora", "freeze"])
def test_a_tiny_model_learns_which_words_mean_the_same(files: ModelFiles, tmp_path: Path, method: str) -> None:
    given = job(files, tmp_path, rows=200, method=method, dropout=0.0, train={
        "num_train_epochs": 8, "per_device_train_batch_size": 32, "learning_rate": 5e-3 if method == "lora" else 2e-3})
    fitted, _ = run(given)
    knowing = max((entry["metrics"] for entry in fitted.history), key=lambda found: found["ndcg@10"])
    guessed = similarity.guessed(given.train.targets, given.valid.targets, RETRIEVAL)
    assert guessed["ndcg@10"] < 0.1
    assert knowing["ndcg@10"] > 3 * guessed["ndcg@10"]
    assert not fitted.warnings


@pytest.mark.slow
def test_a_tiny_model_learns_how_alike_pairs_are(files: ModelFiles, tmp_path: Path) -> None:
    fitted, _ = run(job(files, tmp_path, rows=240, labels=SCORED, dropout=0.0, train={
        "num_train_epochs": 8, "per_device_train_batch_size": 32}))
    assert fitted.best_metric > 0.4


@pytest.mark.slow
@pytest.mark.skipif(impossible() is not None, reason="needs AMX and a compiler")
def test_compiled_layers_learn_the_same(tmp_path: Path) -> None:
    files = base(tmp_path, width=64, heads=2)
    seen = [run(job(files, tmp_path / precision, rows=64, dropout=0.0, train={
        "precision": precision, "max_tokens_per_batch": most}))[1]
        for precision, most in (("fp32", 4096), ("bf16", 4096), ("bf16", 64))]
    started = next(event for event in seen[1] if event["event"] == "run_started")
    assert started["decisions"]["layers"]["value"] == "native"
    assert losses(seen[1]) == pytest.approx(losses(seen[0]), rel=0.1)
    assert losses(seen[2]) == pytest.approx(losses(seen[1]), rel=0.1)


def test_settings_reach_the_loss(files: ModelFiles, tmp_path: Path) -> None:
    first = [losses(run(job(files, tmp_path / name, rows=16, dropout=0.0, settings=settings,
                            train={"num_train_epochs": 1}))[1])[0]
             for name, settings in (("a", {}), ("b", {"scale": 1.0}), ("c", {"symmetric": True}))]
    assert len(set(first)) == 3


