"""Frozen layers computed once: the same losses as with the model's own, kept for the next run, never in the way."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from toy import Toy, make_toy

from luthier.models import freezing
from luthier.models.kernels import installed
from luthier.tuning import Events, Job, fit, frozen
from luthier.tuning.frozen import FrozenFeed, FrozenLayers, frozen_layers_of

EXACT = {"dropout": 0.0, "attention_dropout": 0.0}


@pytest.fixture(scope="module")
def deep(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    return make_toy(tmp_path_factory.mktemp("deep"), layers=3)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LUTHIER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "frozen"


def job(toy: Toy, directory: Path, *, top: int = 1, **train: Any) -> Job:
    return toy.job(directory, method="freeze", settings={"freeze_trainable_layers": top}, built=EXACT,
                   train={"num_train_epochs": 2, **train})


def run(made: Job) -> tuple[list[float], dict[str, Any]]:
    seen: list[dict[str, Any]] = []
    fit(made, Events(None, [lambda event: seen.append(dict(event))]))
    decisions = next(event["decisions"] for event in seen if event["event"] == "run_started")
    return [event["loss"] for event in seen if event["event"] == "step"], decisions


def of(toy: Toy, directory: Path, *, top: int = 1, precision: str = "fp32") -> FrozenLayers:
    model = job(toy, directory, top=top).model
    return frozen_layers_of(model, freezing.frozen_layers(model), precision, toy.encoder, 2)


@pytest.mark.slow
@pytest.mark.parametrize("top", [0, 1, 2])
def test_losses_are_those_of_layers_computed_at_each_step(deep: Toy, tmp_path: Path, top: int,
                                                          monkeypatch: pytest.MonkeyPatch) -> None:
    found, decisions = run(job(deep, tmp_path / "once", top=top))
    assert decisions["frozen_layers"]["value"] == "computed once"
    with monkeypatch.context() as patch:
        patch.setattr(frozen, "LIMIT", 0)
        patch.setenv("LUTHIER_CACHE", str(tmp_path / "empty"))
        each, decisions = run(job(deep, tmp_path / "each", top=top))
        assert decisions["frozen_layers"]["value"] == "computed at each step"
        assert "MiB are more than is left of the 0.0 MiB that are kept" in decisions["frozen_layers"]["reason"]
    monkeypatch.setattr(freezing, "frozen_layers", lambda model: 0)
    monkeypatch.setattr("luthier.models.kernels.frozen.frozen_layers", lambda model: 0)
    own, decisions = run(job(deep, tmp_path / "own", top=top))
    assert "frozen_layers" not in decisions
    assert found == pytest.approx(own, rel=1e-4)
    assert each == pytest.approx(own, rel=1e-4)


@pytest.mark.slow
def test_the_next_run_reads_what_the_first_one_kept(deep: Toy, tmp_path: Path, place: Path,
                                                    monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = run(job(deep, tmp_path / "one"))
    assert sorted(file.suffix for file in place.iterdir()) == [".npy", ".npy"]  # train and valid
    assert all(file.stat().st_mode & 0o077 == 0 for file in place.iterdir())

    def refuse(*_: Any) -> Any:
        raise AssertionError("they were computed before")

    monkeypatch.setattr(FrozenLayers, "states", refuse)
    assert run(job(deep, tmp_path / "two"))[0] == first


@pytest.mark.parametrize("top", [0, 1, 2])
def test_states_are_those_of_the_model(deep: Toy, tmp_path: Path, top: int) -> None:
    model = job(deep, tmp_path, top=top).model.eval()
    layers, ragged = of(deep, tmp_path, top=top), deep.train.ragged
    rows = np.array([5, 0, 17, 2])
    batch = deep.encoder.collate(ragged, rows)
    with torch.inference_mode():
        right = model(torch.from_numpy(batch.ids), torch.from_numpy(batch.mask), output_hidden_states=True,
                      ).hidden_states[3 - top]
    given = FrozenFeed.open(layers, (ragged,)).inputs(ragged, rows)
    states, mask = given["inputs_embeds"], given["attention_mask"]
    assert isinstance(states, torch.Tensor)
    assert isinstance(mask, torch.Tensor)
    if top == 0:
        assert states.shape == (4, 1, right.shape[2])
        torch.testing.assert_close(states[:, 0], right[:, 0], rtol=1e-4, atol=1e-5)
        assert mask.tolist() == [[1]] * 4
        return
    real = torch.from_numpy(batch.mask)
    assert torch.equal(mask.bool(), real)
    torch.testing.assert_close(states[real], right[real], rtol=1e-4, atol=1e-5)
    assert not states[~real].any()


def test_other_weights_texts_layers_and_formats_are_kept_apart(deep: Toy, tmp_path: Path) -> None:
    layers, ragged = of(deep, tmp_path), deep.train.ragged
    key = frozen._key(layers, ragged)
    assert frozen._key(of(deep, tmp_path), ragged) == key
    assert frozen._key(layers, deep.valid.ragged) != key
    assert of(deep, tmp_path, top=2).digest != layers.digest
    assert of(deep, tmp_path, precision="bf16").digest != layers.digest
    model = job(deep, tmp_path).model
    with torch.no_grad():
        model.base_model.embeddings.LayerNorm.bias[0] += 1e-3
    assert frozen_layers_of(model, 2, "fp32", deep.encoder, 2).digest != layers.digest


@pytest.mark.parametrize("damage", [
    lambda whole: whole[:-8], lambda whole: b"", lambda whole: whole[8:],
    lambda whole: whole[:-96] + bytes(64) + whole[-32:],
], ids=["cut", "empty", "no header", "zeros"])
def test_a_damaged_file_is_computed_again(deep: Toy, tmp_path: Path, place: Path, damage: Any) -> None:
    ragged, rows = deep.valid.ragged, np.array([1, 3])
    right = FrozenFeed.open(of(deep, tmp_path), (ragged,)).inputs(ragged, rows)["inputs_embeds"]
    (file,) = place.iterdir()
    file.write_bytes(damage(file.read_bytes()))
    again = FrozenFeed.open(of(deep, tmp_path), (ragged,))
    assert again.decision.value == "computed once"
    assert torch.equal(again.inputs(ragged, rows)["inputs_embeds"], right)  # type: ignore[arg-type]


def test_a_full_disk_costs_time_and_nothing_else(deep: Toy, tmp_path: Path, place: Path,
                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    ragged, rows = deep.valid.ragged, np.array([1, 3])
    right = FrozenFeed.open(of(deep, tmp_path), (ragged,)).inputs(ragged, rows)["inputs_embeds"]
    for file in place.iterdir():
        file.unlink()
    monkeypatch.setattr(frozen, "_write", full)
    feed = FrozenFeed.open(of(deep, tmp_path), (ragged,))
    assert feed.decision.value == "computed at each step"
    assert "No space left on device" in feed.decision.reason
    torch.testing.assert_close(feed.inputs(ragged, rows)["inputs_embeds"], right)
    assert not list(place.iterdir())


def test_a_file_takes_at_most_half_of_the_free_disk(deep: Toy, tmp_path: Path,
                                                    monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frozen.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 10_000}))
    feed = FrozenFeed.open(of(deep, tmp_path), (deep.valid.ragged,))
    assert "more than half of the 0.0 MiB free" in feed.decision.reason


@pytest.mark.parametrize("top", [0, 1])
def test_the_model_is_as_before_afterwards(deep: Toy, tmp_path: Path, top: int) -> None:
    model = job(deep, tmp_path, top=top).model
    with installed(model, device="cpu", precision="fp32") as parts:
        assert parts.skipped == 3 - top
    assert not any("forward" in vars(module) for module in model.modules())
