"""A run as a GPU has it, over packed rows, on a CPU: the same losses, and no number asked for within a step."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from toy import Toy

from luthier.models.kernels import Installed, varlen
from luthier.models.kernels.packed import packed_rows
from luthier.tuning import Events, Job, fit, stepping

loop = importlib.import_module("luthier.tuning.fit")  # the package's own `fit` is the function
EXACT = {"built": {"dropout": 0.0, "attention_dropout": 0.0}, "train": {"num_train_epochs": 1}}


@contextmanager
def packed(model: Any, **_: Any) -> Iterator[Installed]:
    """Stand for ``installed`` on a GPU."""
    with packed_rows(model, "bf16") as (decision, layers):
        assert layers is not None, decision.reason
        yield Installed({"layers": decision}, arrange=layers.arrange)


class Waiting(TorchDispatchMode):
    """Notes what a GPU's host would wait for."""

    OPERATIONS = ("_local_scalar_dense", "nonzero", "masked_select", "_unique2", "is_nonzero", "equal")

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.operations = 0
        self._watching = False

    def watch(self, watching: bool) -> None:
        self._watching = watching

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        self.operations += self._watching
        if self._watching and (name in self.OPERATIONS or (name == "index" and any(
                one is not None and one.dtype == torch.bool for one in args[1]))):
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
    seen: list[str] = []
    within: list[bool] = [False]

    def watched(name: str, plain: Any) -> Any:
        def note(*args: Any, **kwargs: Any) -> Any:
            if within[-1]:
                seen.append(name)
            return plain(*args, **kwargs)
        return note

    def inside(plain: Any, watching: bool) -> Any:
        def call(*args: Any) -> Any:
            within.append(watching)
            try:
                return plain(*args)
            finally:
                within.pop()
        return call

    monkeypatch.setattr("luthier.models.kernels.installed", packed)
    for name in ("tolist", "item", "numpy", "cpu", "__bool__", "__float__", "__int__"):
        monkeypatch.setattr(torch.Tensor, name, watched(name, getattr(torch.Tensor, name)))
    monkeypatch.setattr(varlen, "attend_by_row", inside(varlen.attend_by_row, False))  # a GPU has another
    monkeypatch.setitem(stepping.REPORT_EVERY, "cpu", stepping.REPORT_EVERY["cuda"])
    monkeypatch.setattr(stepping, "report", inside(stepping.report, False))  # the one wait
    take_step = inside(stepping.take_step, True)
    with Waiting() as waiting:
        monkeypatch.setattr(loop, "take_step", lambda run, step: (waiting.watch(True), take_step(run, step),
                                                                    waiting.watch(False)))
        losses(toy.job(tmp_path, train={"num_train_epochs": 1}, built={"attention_dropout": 0.0}))
    assert waiting.operations > 1000
    assert not waiting.seen
    assert not seen


def test_a_wait_would_be_seen() -> None:
    with Waiting() as waiting:
        waiting.watch(True)
        ones = torch.ones(2)
        assert ones[0].item() == 1
        assert len(ones[ones > 0]) == 2
    assert waiting.seen == ["_local_scalar_dense", "index"]
