from __future__ import annotations

import errno
from pathlib import Path

import pytest
import torch

from luthier.errors import TuningError
from luthier.tuning import checkpoints
from luthier.tuning.checkpoints import Progress


def make() -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 2))
    model[0].bias.requires_grad_(False)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.1, fused=True)
    return model, optimizer


def move(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
    model(torch.ones(5, 3)).square().sum().backward()
    optimizer.step()
    optimizer.zero_grad()


def save(directory: Path, step: int, *, best: int = 0, limit: int = 2, fingerprint: str = "run") -> torch.nn.Module:
    model, optimizer = make()
    for _ in range(step):
        move(model, optimizer)
    if best == step:
        checkpoints.save_best(directory, model, step)
    checkpoints.save(directory, model, optimizer, Progress(step=step, best_step=best, history=[{"step": step}]),
                     fingerprint=fingerprint, limit=limit)
    return model


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_restored_state_goes_on_to_the_bit(tmp_path: Path) -> None:
    save(tmp_path, 3)
    whole, optimizer = make()
    for _ in range(5):
        move(whole, optimizer)
    model, optimizer = make()
    found = checkpoints.newest(tmp_path, "run")
    assert found is not None
    assert found.progress == Progress(step=3, history=[{"step": 3}])
    checkpoints.restore(found, model, optimizer)
    for _ in range(2):
        move(model, optimizer)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), whole.parameters(), strict=True))


def test_only_the_newest_stay_and_the_best_they_need(tmp_path: Path) -> None:
    save(tmp_path, 1, best=1)
    save(tmp_path, 2, best=2)
    for step in (3, 4, 5):
        save(tmp_path, step, best=2)
    assert names(tmp_path) == ["best-2.safetensors", "checkpoint-4", "checkpoint-5"]


def test_best_weights_that_nothing_needs_go_at_once(tmp_path: Path) -> None:
    save(tmp_path, 1, best=1)
    model, _ = make()
    for step in (2, 3, 4):
        checkpoints.save_best(tmp_path, model, step)
    assert names(tmp_path) == ["best-1.safetensors", "best-4.safetensors", "checkpoint-1"]


def test_what_a_run_passed_over_breaks_no_later_checkpoint(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        save(tmp_path, step, limit=3)
    for step in (2, 3):
        state = tmp_path / f"checkpoint-{step}" / "state.json"
        state.write_bytes(b"\0" * state.stat().st_size)
    found = checkpoints.newest(tmp_path, "run")
    assert found is not None
    assert found.progress.step == 1
    save(tmp_path, 2, limit=3)
    assert names(tmp_path) == ["checkpoint-1", "checkpoint-2"]
    (tmp_path / "checkpoint-1" / "state.json").write_bytes(b"")
    save(tmp_path, 4, limit=3)
    assert names(tmp_path) == ["checkpoint-2", "checkpoint-4"]


def test_the_best_weights_come_back(tmp_path: Path) -> None:
    best = save(tmp_path, 2, best=2)
    model = save(tmp_path, 4, best=2)
    checkpoints.restore_best(tmp_path, model, 2)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), best.parameters(), strict=True))


@pytest.mark.parametrize("part", ["weights.safetensors", "optimizer.safetensors", "state.json"])
@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path: Path, part: str, damage: str) -> None:
    for step in (1, 2):
        save(tmp_path, step)
    path = tmp_path / "checkpoint-2" / part
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-7])
    found = checkpoints.newest(tmp_path, "run")
    assert found is not None
    assert found.progress.step == 1


def test_a_checkpoint_without_its_best_weights_is_not_whole(tmp_path: Path) -> None:
    save(tmp_path, 1)
    save(tmp_path, 2, best=2)
    (tmp_path / "best-2.safetensors").write_bytes(b"")
    assert checkpoints.newest(tmp_path, "run").progress.step == 1  # type: ignore[union-attr]


def test_a_half_written_one_does_not_count_and_goes(tmp_path: Path) -> None:
    (tmp_path / ".tmp-checkpoint-9").mkdir()
    assert checkpoints.newest(tmp_path, "run") is None
    assert checkpoints.newest(tmp_path / "nowhere", "run") is None
    save(tmp_path, 1)
    assert names(tmp_path) == ["checkpoint-1"]


def test_ten_comes_after_nine(tmp_path: Path) -> None:
    for step in (9, 10):
        save(tmp_path, step)
    assert checkpoints.newest(tmp_path, "run").progress.step == 10  # type: ignore[union-attr]


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    save(tmp_path, 1)
    with pytest.raises(TuningError, match=r"checkpoint-1 belongs to a run with another recipe(.|\n)*--restart"):
        checkpoints.newest(tmp_path, "other")


def test_clear_leaves_other_files(tmp_path: Path) -> None:
    save(tmp_path, 1, best=1)
    (tmp_path / "recipe.yaml").write_text("")
    checkpoints.clear(tmp_path)
    assert names(tmp_path) == ["recipe.yaml"]


def test_a_full_disk_is_told_and_the_last_checkpoint_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path, 1)

    def full(*_: object) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoints, "_write", full)
    with pytest.raises(TuningError, match=r"No space left on device(.|\n)*free some disk space(.|\n)*--resume"):
        save(tmp_path, 2)
    with pytest.raises(TuningError, match=r"No space left on device"):
        checkpoints.save_best(tmp_path, make()[0], 2)
    assert checkpoints.newest(tmp_path, "run").progress.step == 1  # type: ignore[union-attr]


def test_the_librarys_own_disk_error_is_told_too(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="directory"):
        checkpoints._write(tmp_path / "nowhere" / "x.safetensors", {"x": torch.zeros(1)})
