"""The compiled AdamW beside torch's: steps, clipping, packing, resuming."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from small import LENGTHS, batch, loss_of, made

from luthier.models.kernels import installed
from luthier.models.kernels.adamw import CompiledAdamW
from luthier.models.native import build
from luthier.models.native.tuning import TunedEncoder
from luthier.recipe import TrainSettings
from luthier.tuning.optimizer import make_optimizer, set_rate, step_clipped

pytestmark = pytest.mark.skipif(bool(build.lacking()), reason=f"this machine has no {build.lacking()}")


def test_own_steps_are_those_of_torch() -> None:
    model, settings = made(), TrainSettings(learning_rate=1e-2, weight_decay=0.1)
    with installed(model, device="cpu", precision="bf16") as parts:
        own, twin = make_optimizer(model, settings, parts.layers), made()
        plain = make_optimizer(twin, settings)
        assert isinstance(own, CompiledAdamW)
        assert not isinstance(plain, CompiledAdamW)
        for step in range(6):
            set_rate(own, 1e-2 / (step + 1))
            for lengths in LENGTHS[: 1 + step % 2]:
                loss_of(model, batch(lengths)).backward()
            set_rate(plain, 1e-2 / (step + 1))
            for (name, mine), theirs in zip(model.named_parameters(), twin.parameters(), strict=True):
                theirs.grad = None if mine.grad is None or "embeddings.position" in name and step == 2 else (
                    mine.grad.clone())
                mine.grad = None if theirs.grad is None else mine.grad
            assert float(step_clipped(own, 30.0)) == pytest.approx(float(step_clipped(plain, 30.0)), rel=1e-5)
            for (name, mine), theirs in zip(model.named_parameters(), twin.parameters(), strict=True):
                torch.testing.assert_close(mine.detach(), theirs.detach(), rtol=1e-5, atol=1e-6, msg=name)
            if step == 3:  # they go on from each other's checkpoints
                state = copy.deepcopy(own.state_dict())
                own.load_state_dict(copy.deepcopy(plain.state_dict()))
                plain.load_state_dict(state)


def test_moved_weights_are_packed_as_they_are() -> None:
    model = made()
    with installed(model, device="cpu", precision="bf16") as parts:
        optimizer = make_optimizer(model, TrainSettings(learning_rate=1e-2), parts.layers)
        loss_of(model, batch(LENGTHS[0])).backward()
        step_clipped(optimizer, 1.0)
        assert parts.layers is not None
        assert parts.layers._packed is not None  # nothing is packed again before it is looked at
        places = parts.layers.ready()._arrays
        packed = [place.copy() for place in places]
        parts.layers.ready().pack()
        for number, (before, now) in enumerate(zip(packed, places, strict=True)):
            np.testing.assert_array_equal(before, now, err_msg=str(number))


def test_steps_use_the_weights_that_the_last_step_left() -> None:
    def losses(native: bool) -> list[float]:
        model, found = made(), []
        optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, fused=True)
        with installed(model, device="cpu", precision="bf16" if native else "fp32"):
            for _ in range(6):
                loss = torch.nn.functional.cross_entropy(model(**batch(LENGTHS[0])).logits, torch.arange(9) % 5)
                loss.backward()
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
                found.append(loss.item())
            model.load_state_dict(made().state_dict())
            again = torch.nn.functional.cross_entropy(model(**batch(LENGTHS[0])).logits, torch.arange(9) % 5)
            found.append(again.item() - found[0])
        return found

    own, plain = losses(native=True), losses(native=False)
    np.testing.assert_allclose(own, plain, rtol=0.05, atol=0.02)
    assert own[5] < own[0] - 0.2
    assert abs(own[6]) < 1e-4  # weights loaded from elsewhere are seen too


def test_weights_are_packed_once_a_step_however_many_parts_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    packed: list[int] = []
    pack = TunedEncoder.pack
    monkeypatch.setattr(TunedEncoder, "pack", lambda self: (packed.append(1), pack(self)))
    model = made()
    with installed(model, device="cpu", precision="bf16") as parts:
        optimizer = make_optimizer(model, TrainSettings(learning_rate=1e-3), parts.layers)
        for _ in range(3):
            for lengths in LENGTHS[:2]:
                loss_of(model, batch(lengths)).backward()
            step_clipped(optimizer, 1.0)
    assert packed == [1]  # before the first; AdamW packs what it has moved


def test_the_optimiser_refuses_what_it_does_not_do() -> None:
    model = made()
    with installed(model, device="cpu", precision="bf16") as parts:
        optimizer = make_optimizer(model, TrainSettings(learning_rate=1e-3), parts.layers)
        with pytest.raises(ValueError, match="takes no closure"):
            optimizer.step(lambda: 0.0)
        with pytest.raises(ValueError, match="it does not clear them"):
            optimizer.zero_grad(set_to_none=False)
