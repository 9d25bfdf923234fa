"""Learning rates that are left open."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from luthier.pipeline import make_recipe, rates
from luthier.pipeline.rates import NEW_LEARNING_RATE, settle_rates
from luthier.recipe import NEW_MODEL, Recipe


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the configuration of any model but the packaged ones holds; it is read when asked for."""
    found: dict[str, Any] = {}

    def resolve(_name: str, *, offline: bool) -> Any:
        assert not offline
        (tmp_path / "config.json").write_text(json.dumps(found), encoding="utf-8")
        return SimpleNamespace(path=tmp_path)

    monkeypatch.setattr(rates, "resolve", resolve)
    return found


def recipe(task: str = "named-entities", **more: Any) -> Recipe:
    return make_recipe("rows.jsonl", {"task": task, "model": "some/model", "out": "run", **more})


def settled(asked: Recipe) -> tuple[float | None, float | None]:
    train = settle_rates(asked)[0].train
    return train.learning_rate, train.head_learning_rate


def test_wider_models_learn_at_lower_rates(config: dict[str, Any]) -> None:
    base, head = settled(recipe(model="minilm-l6"))
    assert base is not None
    assert head is not None
    for width, share in ((1024, 0.375), (768, 0.5), (384, 1.0), (128, 1.0)):
        config.clear()
        config.update(hidden_size=width, architectures=["BertForMaskedLM"])
        assert settled(recipe()) == (pytest.approx(base * share), pytest.approx(head * share))
    config.update(hidden_size=768)
    notes = settle_rates(recipe())[1]
    assert all("times 384/768 for a model that is 768 wide" in note for note in notes)


@pytest.mark.parametrize(("change", "share"), [
    ({"architectures": ["LlamaForCausalLM"], "hidden_size": 576}, 1.0),
    ({"architectures": ["GPT2LMHeadModel"], "n_embd": 1152}, 0.5),
    ({"is_encoder_decoder": True, "d_model": 1024}, 1.0), ({}, 1.0),
])
def test_decoders_have_a_width_of_their_own(config: dict[str, Any], change: dict[str, Any], share: float) -> None:
    config.update(change)
    base, _ = settled(recipe("text-classification", model="smollm2-135m"))
    assert settled(recipe("text-classification"))[0] == pytest.approx((base or 0) * share)


def test_rates_that_are_given_and_those_of_adapters_and_new_models_stay(config: dict[str, Any]) -> None:
    config.update(hidden_size=768)
    given = recipe(train={"learning_rate": 3e-4, "head_learning_rate": 2e-3})
    assert settled(given) == (3e-4, 2e-3)
    assert settled(recipe(method="lora")) == settled(recipe(model="e5-small", method="lora"))
    assert settled(recipe("text-to-text", model=NEW_MODEL))[0] == NEW_LEARNING_RATE
