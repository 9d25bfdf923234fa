from __future__ import annotations

import dataclasses
import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from toy import LABELS, Toy, make_toy, task

from luthier.errors import RecipeError, TuningError
from luthier.schema import LabelSet
from luthier.tuning import Encoded, Events, Fitted, Job, checkpoints, fit
from luthier.tuning.feeding import laid_out
from luthier.tuning.state import seconds_left

GOLDEN = Path(__file__).with_name("golden.json")


def run(job: Job) -> tuple[Fitted, list[dict[str, Any]]]:
    seen: list[dict[str, Any]] = []
    fitted = fit(job, Events(None, [lambda event: seen.append(dict(event))]))
    return fitted, seen


def losses(seen: list[dict[str, Any]]) -> list[float]:
    return [event["loss"] for event in seen if event["event"] == "step"]


def state(job: Job) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in job.model.state_dict().items()}


def test_thirty_steps_equal_the_golden_run(toy: Toy, tmp_path: Path) -> None:
    """Any change of the arithmetic shows here. To accept one: LUTHIER_REGENERATE=1 pytest tests/tuning/test_fit.py.

    Relative tolerance 1e-3: CPUs and library versions round differently, and thirty steps let that grow.
    """
    fitted, seen = run(toy.job(tmp_path))
    got = {"loss": losses(seen), "valid_loss": [entry["metrics"]["loss"] for entry in fitted.history]}
    if os.environ.get("LUTHIER_REGENERATE"):
        GOLDEN.write_text(json.dumps(got, indent=1) + "\n")
    expected = json.loads(GOLDEN.read_text())
    assert len(got["loss"]) == 30
    for name, values in expected.items():
        assert got[name] == pytest.approx(values, rel=1e-3), name


def test_the_same_job_gives_the_same_weights_to_the_bit(toy: Toy, tmp_path: Path) -> None:
    first, again = (toy.job(tmp_path / str(number), train={"num_train_epochs": 1}) for number in range(2))
    assert losses(run(first)[1]) == losses(run(again)[1])
    assert all(torch.equal(tensor, state(again)[name]) for name, tensor in state(first).items())


def test_the_time_left_is_estimated_by_tokens() -> None:
    # 15 of 20 steps were left at the start, 150 tokens; 50 of them took 10 s.
    half_way: Any = SimpleNamespace(sizes=np.array([60, 40]), total=20, per_epoch=10, resumed_at=5, tokens=50,
                                    began=3.0)
    assert seconds_left(half_way, 13.0) == pytest.approx(20)


def test_events_tell_the_whole_story(toy: Toy, tmp_path: Path) -> None:
    fitted, seen = run(toy.job(tmp_path, train={"num_train_epochs": 2}))
    started, finished = seen[0], seen[-1]
    assert started["event"] == "run_started"
    assert set(started["decisions"]) == {
        "device", "precision", "layers", "attention", "dropout", "hidden_states", "class_weights", "word_table"}
    assert all(made["reason"] for made in started["decisions"].values())
    steps = [event for event in seen if event["event"] == "step"]
    assert [event["step"] for event in steps] == list(range(1, 21))
    assert set(steps[0]) >= {"step", "epoch", "loss", "learning_rate", "grad_norm", "rows_per_second", "eta_seconds",
                             "total_steps", "rows"}
    assert steps[-1]["eta_seconds"] == 0
    assert [event["step"] for event in seen if event["event"] == "validation"] == [10, 20]
    assert finished["event"] == "run_finished"
    assert fitted.steps == 20
    assert fitted.decisions["device"].reason


def test_the_model_comes_back_with_the_best_weights(tmp_path: Path) -> None:
    toy = make_toy(tmp_path, noise=0.3)  # with wrong labels it learns by heart what is worth nothing
    job = toy.job(tmp_path, train={"num_train_epochs": 10, "learning_rate": 5e-3},
                  validation={"eval_steps": 5, "early_stopping_patience": None})
    fitted, _ = run(job)
    best = max(fitted.history, key=lambda entry: (entry["metrics"]["f1_macro"], -entry["metrics"]["loss"]))
    assert fitted.best_step == best["step"] < fitted.steps
    batch = toy.encoder.collate(toy.valid.ragged, range(len(toy.valid)))
    with torch.inference_mode():
        logits = job.model(input_ids=torch.from_numpy(batch.ids), attention_mask=torch.from_numpy(batch.mask)).logits
    assert not job.model.training
    metrics = job.task.metrics(logits.numpy(), toy.valid.targets, LABELS)
    assert metrics["f1_macro"] == fitted.best_metric
    assert metrics["loss"] == pytest.approx(best["metrics"]["loss"], rel=1e-4)


def test_of_equal_metrics_the_lower_loss_wins(toy: Toy, tmp_path: Path) -> None:
    fitted, _ = run(toy.job(tmp_path, train={"num_train_epochs": 6, "learning_rate": 5e-3},
                            validation={"eval_steps": 5, "early_stopping_patience": None}))
    best = [entry for entry in fitted.history if entry["metrics"]["f1_macro"] == fitted.best_metric]
    assert len(best) > 1
    assert fitted.best_step == min(best, key=lambda entry: entry["metrics"]["loss"])["step"]


def test_a_batch_cut_into_parts_has_the_same_gradient(toy: Toy, tmp_path: Path) -> None:
    results = []
    for number, tokens in enumerate((8192, 64)):
        job = toy.job(tmp_path / str(number), train={"num_train_epochs": 1, "max_tokens_per_batch": tokens})
        for module in job.model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        results.append(losses(run(job)[1]))
    assert results[0] == pytest.approx(results[1], rel=1e-4)


def test_accumulation_steps_are_fewer_and_larger(toy: Toy, tmp_path: Path) -> None:
    _, seen = run(toy.job(tmp_path, train={"gradient_accumulation_steps": 4, "num_train_epochs": 1}))
    assert [event["rows"] for event in seen if event["event"] == "step"] == [32, 32, 16]


def test_rows_outside_the_data_keep_their_vectors(toy: Toy, tmp_path: Path) -> None:
    job = toy.job(tmp_path, train={"num_train_epochs": 1})
    before = job.model.get_input_embeddings().weight.detach().clone()
    run(job)
    after = job.model.get_input_embeddings().weight.detach()
    used = np.unique([token for ids in toy.train.ragged.ids for token in ids])
    assert after.shape == before.shape
    moved = (after != before).any(dim=1).numpy().nonzero()[0]
    assert set(used) <= set(moved)
    assert len(moved) < 60


def test_a_reduced_word_table_learns_the_same(toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = [toy.job(tmp_path / name, train={"num_train_epochs": 1, "weight_decay": 0.0}) for name in ("small", "whole")]
    small = losses(run(jobs[0])[1])
    monkeypatch.setattr(sys.modules["luthier.tuning.fit"], "reduce_table", lambda *_: None)
    assert losses(run(jobs[1])[1]) == pytest.approx(small, rel=1e-5)
    tables = [job.model.get_input_embeddings().weight for job in jobs]
    assert torch.allclose(tables[0], tables[1], atol=1e-4)


def test_early_stopping(toy: Toy, tmp_path: Path) -> None:
    job = toy.job(tmp_path, train={"learning_rate": 1e-9}, validation={"early_stopping_patience": 2, "eval_steps": 2})
    fitted, seen = run(job)
    assert fitted.stopped_early
    assert fitted.steps == 6
    stop = next(event for event in seen if event["event"] == "early_stop")
    assert stop["reason"] == "no better f1_macro in 2 validations"


def test_a_loss_that_falls_at_the_same_score_counts_as_learning(
    toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loss falls by half and then hardly; what stops the run is the second."""
    fallen = iter([0.8, 0.7, 0.6, 0.5, 0.499, 0.498, 0.497, 0.496, 0.495])

    def metrics(*_: object) -> dict[str, float]:
        return {"f1_macro": 1.0, "loss": next(fallen)}

    job = toy.job(tmp_path, validation={"early_stopping_patience": 2, "eval_steps": 2})
    monkeypatch.setattr(job.task, "metrics", metrics)
    fitted, seen = run(job)
    assert (fitted.stopped_early, fitted.steps) == (True, 12)
    assert next(event for event in seen if event["event"] == "early_stop")["best_step"] == 12, "the lowest loss is kept"


def stopped_at(toy: Toy, directory: Path, monkeypatch: pytest.MonkeyPatch, found: list[dict[str, float]],
               metric: str = "f1_macro") -> int:
    """Return after how many validations a run stops that finds these metrics, at a patience of 2."""
    left = iter(found)
    validation = {"early_stopping_patience": 2, "eval_steps": 2, "metric_for_best_model": metric}
    job = toy.job(directory, validation=validation)
    monkeypatch.setattr(job.task, "metrics", lambda *_: next(left))
    return run(job)[0].steps // 2


def test_small_falls_of_the_loss_add_up(toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [{"f1_macro": 1.0, "loss": 1 - 0.015 * number} for number in range(20)]
    assert stopped_at(toy, tmp_path, monkeypatch, found) == 15


def test_a_score_of_zero_is_waited_for_unless_less_is_better(
    toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [{"f1_macro": 0.0, "loss": 0.0} for _ in range(20)]
    assert stopped_at(toy, tmp_path / "more", monkeypatch, found) == 15
    assert stopped_at(toy, tmp_path / "less", monkeypatch, found, "loss") == 3


def test_a_run_that_learns_nothing_says_so(toy: Toy, tmp_path: Path) -> None:
    constant = np.zeros(len(toy.valid), np.int64)
    job = toy.job(tmp_path, train={"learning_rate": 1e-9}, valid=Encoded(toy.valid.ragged, constant))
    fitted, seen = run(job)
    assert "no better than" in fitted.warnings[0]
    assert "nothing was learned. Try another train.learning_rate (now 1e-09)" in fitted.warnings[0]
    assert any(event["event"] == "warning" and event["text"] == fitted.warnings[0] for event in seen)


def test_a_loss_that_is_no_number_stops_the_run(toy: Toy, tmp_path: Path) -> None:
    job = toy.job(tmp_path)
    with torch.no_grad():
        job.model.classifier.bias[0] = float("nan")
    with pytest.raises(TuningError, match=r"step 1: the loss is nan(.|\n)*lower train.learning_rate \(now 0.002\)"):
        run(job)
    assert not list(tmp_path.glob("checkpoint-*"))


def test_several_labels_class_weights_and_smoothing(toy: Toy, tmp_path: Path) -> None:
    labels = LabelSet(LABELS.names, "multi_label_classification")

    def several(split: Encoded) -> Encoded:
        return Encoded(split.ragged, np.stack([split.targets == 0, np.ones(len(split))], axis=1).astype(np.float32))

    job = toy.job(tmp_path, train={"class_weights": {"bad": 2.0}, "label_smoothing_factor": 0.1},
                  labels=labels)
    job = dataclasses.replace(job, train=several(toy.train), valid=several(toy.valid))
    fitted, _ = run(job)
    assert fitted.decisions["class_weights"].value == "given"
    assert fitted.history[-1]["train_loss"] < fitted.history[0]["train_loss"]


def test_a_validation_decides_as_the_bundle_will(toy: Toy, tmp_path: Path) -> None:
    labels = LabelSet(LABELS.names, "multi_label_classification")
    parts = {name: Encoded(part.ragged, np.eye(2, dtype=np.float32)[part.targets])
             for name, part in (("train", toy.train), ("valid", toy.valid))}
    threshold = task.Settings(threshold=0.999)
    job = toy.job(tmp_path, labels=labels, train={"num_train_epochs": 1}, task_settings=threshold)
    fitted, _ = run(dataclasses.replace(job, **parts))
    assert fitted.history[0]["metrics"]["f1_micro"] == 0.0  # nothing is that sure after ten steps


def test_the_callers_random_numbers_are_left_alone(toy: Toy, tmp_path: Path) -> None:
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    run(toy.job(tmp_path, train={"num_train_epochs": 1}))
    assert torch.equal(torch.rand(3), expected)


def test_an_unknown_metric_is_refused_before_any_work(toy: Toy, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"'f1_makro'; known: accuracy(.|\n)*did you mean 'f1_macro'"):
        run(toy.job(tmp_path, validation={"metric_for_best_model": "f1_makro"}))


def test_an_open_learning_rate_is_refused(toy: Toy, tmp_path: Path) -> None:
    with pytest.raises(TuningError, match=r"learning rate was left open(.|\n)*set train.learning_rate"):
        run(toy.job(tmp_path, train={"learning_rate": None}))


def test_a_frozen_model_is_refused(toy: Toy, tmp_path: Path) -> None:
    job = toy.job(tmp_path)
    job.model.requires_grad_(False)
    with pytest.raises(TuningError, match=r"no weight of this model trains(.|\n)*method=full"):
        run(job)


def test_a_finished_run_resumes_to_itself(toy: Toy, tmp_path: Path) -> None:
    job = toy.job(tmp_path)
    fitted, _ = run(job)
    again = toy.job(tmp_path, resume=True)
    resumed, seen = run(again)
    assert losses(seen) == []
    assert resumed.history == fitted.history
    assert all(torch.equal(tensor, state(again)[name]) for name, tensor in state(job).items())


def test_a_new_run_clears_old_checkpoints(toy: Toy, tmp_path: Path) -> None:
    run(toy.job(tmp_path))
    (tmp_path / "notes.txt").write_text("mine")
    run(toy.job(tmp_path, train={"num_train_epochs": 1}))
    assert checkpoints.newest(tmp_path, "toy").progress.step == 10  # type: ignore[union-attr]
    assert (tmp_path / "notes.txt").exists()


def test_targets_are_packed_only_where_rows_were() -> None:
    targets, lengths = np.arange(6).reshape(2, 3), np.array([3, 1])
    rows, packed = torch.zeros(2, 3, 4), torch.zeros(1, 4, 4)
    assert laid_out(targets, rows, lengths) is targets
    assert laid_out(targets, packed, lengths).tolist() == [[0, 1, 2, 3]]
    wider = np.arange(9).reshape(1, 9)  # what stands beside the tokens of one row
    assert laid_out(wider, torch.zeros(1, 3, 4), np.array([3])) is wider
