from __future__ import annotations

import pytest
import torch

from luthier.errors import TuningError
from luthier.models import hardware
from luthier.tuning.precision import autocast, choose_device, choose_precision


@pytest.mark.parametrize(("features", "value", "reason"), [
    ({"amx_bf16", "avx512_bf16"}, "bf16", "AMX"),
    ({"avx512_bf16"}, "bf16", "AVX-512"),
    (set(), "fp32", "does not multiply bf16"),
])
def test_auto_takes_what_the_cpu_gains_from(
    monkeypatch: pytest.MonkeyPatch, features: set[str], value: str, reason: str
) -> None:
    monkeypatch.setattr(hardware, "processor_features", lambda: features)
    decision = choose_precision("auto")
    assert decision.value == value
    assert reason in decision.reason


def test_a_wish_is_followed_and_its_price_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "processor_features", set)
    assert choose_precision("fp32").reason == "train.precision asks for it"
    assert choose_precision("bf16").value == "bf16"
    assert "slow here" in choose_precision("bf16").reason


def test_bf16_on_a_gpu_without_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: False)
    with pytest.raises(TuningError, match=r"this GPU does not multiply bf16\n  -> set train.precision to auto or fp32"):
        choose_precision("bf16", "cuda")


def test_the_device_comes_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device().value == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "H9")
    assert choose_device().reason == "torch sees H9"


def test_autocast_only_for_bf16() -> None:
    matrix = torch.ones(2, 2)
    with autocast("cpu", "bf16"):
        assert (matrix @ matrix).dtype == torch.bfloat16
    with autocast("cpu", "fp32"):
        assert (matrix @ matrix).dtype == torch.float32
