"""A run as a GPU has it, over packed rows, on a CPU: the same losses, and no number asked for within a step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from toy import Toy

from luthier.models.kernels import Installed
from luthier.models.kernels.packed import packed_layers
from luthier.tuning import Events, Job, fit

EXACT = {"built": {"dropout": 0.0, "attention_dropout": 0.0}, "train": {"num_train_epochs": 1}}


@contextmanager
def packed(model: Any, **_: Any) -> Iterator[Installed]:
    """Stand for ``installed`` on a GPU."""
    with packed_layers(model, "bf16") as (decision, layers):
        assert layers is not None, decision.reason
        yield Installed({"layers": decision}, arrange=layers.arrange)


class Waiting(TorchDispatchMode):
    """Notes what a GPU's host would wait for."""

    OPERATIONS = ("_local_scalar_dense", "nonzero", "masked_select", "_unique2", "is_nonzero", "equal")

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        if name in self.OPERATIONS or (name == "index" and any(
                one is not None and one.dtype == torch.bool for one in args[1])):
            self.seen.append(name)
        return func(*args, **(kwargs or {}))


def losses(job: Job) -> list[float]:
    seen: list[dict[str, Any]] = []
    fit(job, Events(None, [lambda event: seen.append(dict(event))]))
    return [event["loss"] for event in seen if event["event"] == "step"]


def test_packed_rows_lose_what_padded_ones_do(toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = losses(toy.job(tmp_path / "padded", **EXACT))
    monkeypatch.setattr("luthier.models.kernels.installed", packed)
    assert losses(toy.job(tmp_path / "packed", **EXACT)) == pytest.approx(right, rel=1e-4)


def test_no_step_asks_the_device_for_a_number(toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("luthier.models.kernels.installed", packed)
    with Waiting() as waiting:
        assert torch.ones(1).item() == 1
        assert waiting.seen == ["_local_scalar_dense"]  # it would be seen
        waiting.seen.clear()
        losses(toy.job(tmp_path, train={"num_train_epochs": 1}, built={"attention_dropout": 0.0}))
    assert not waiting.seen
