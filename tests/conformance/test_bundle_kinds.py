"""What every file in ``luthier/bundle/kinds`` keeps to: a card and a config.json that other tools can use."""

from __future__ import annotations

import inspect
from dataclasses import replace
from types import ModuleType

import pytest
import yaml

from luthier import plugins
from luthier.bundle import Base, LengthPolicy, Manifest, TaskRecord, model_card
from luthier.bundle.card import request
from luthier.bundle.kind import SEAM, BundleKind
from luthier.schema import LabelSet
from luthier.serving.limits import Limits
from luthier.serving.wire import parse

NAMES = plugins.names(SEAM)


@pytest.fixture(params=NAMES)
def kind(request: pytest.FixtureRequest) -> ModuleType:
    return plugins.load(SEAM, request.param)


def manifest(kind: ModuleType, *, pair: bool = False) -> Manifest:
    labels = LabelSet(("a", "b"), kind.__name__.rsplit(".", 1)[-1])  # type: ignore[arg-type]  # named after it
    return Manifest(kind="full", task=TaskRecord("text-classification"), labels=labels, length=LengthPolicy(128),
                    normalize="nfc", pair=pair, base=Base("e5-small", "package", "0" * 64), data_hash="abc")


def test_each_problem_type_that_is_scored_has_its_bundle() -> None:
    assert set(NAMES) == set(plugins.names("evaluation.kinds"))


def test_it_offers_all_that_is_asked(kind: ModuleType) -> None:
    for name in BundleKind.__annotations__:
        assert hasattr(kind, name), name
    for name, asked in inspect.getmembers(BundleKind, inspect.isfunction):
        if not name.startswith("_"):
            assert list(inspect.signature(getattr(kind, name)).parameters) == list(
                inspect.signature(asked).parameters)[1:]


def test_its_class_opens_models_in_transformers(kind: ModuleType) -> None:
    assert hasattr(pytest.importorskip("transformers"), kind.DOOR)


def test_the_server_answers_the_request_that_people_are_shown(kind: ModuleType) -> None:
    labels = manifest(kind).labels
    both = labels.problem_type in ("similarity", "retrieval")
    pair = None if both else labels.of_answers or labels.of_candidates
    body = request(replace(manifest(kind), pair=pair))
    asked = parse(body.encode(), Limits(), pair=pair, relations=labels.of_relations, conversations=labels.of_dialogues,
                  candidates=labels.of_candidates)
    assert asked.texts


@pytest.mark.parametrize("form", ["full", "adapter"])
@pytest.mark.parametrize("pair", [False, True])
def test_its_card_is_whole(kind: ModuleType, form: str, pair: bool) -> None:
    one = replace(manifest(kind, pair=pair), kind=form)
    card = model_card(one, {}, {})
    _, header, body = card.split("---\n", 2)
    assert yaml.safe_load(header)["pipeline_tag"] == kind.PIPELINE
    for said in (kind.does(one), kind.labels(one, {}), f"- {kind.knows(one)}", f"{kind.DOOR}, AutoTokenizer",
                 kind.OUTPUT, kind.UNSURE or "not calibrated"):
        assert said in body
    assert kind.does(one).endswith(".")
    assert (kind.PAIR in body) is pair
    assert ("calibrated" in body) is not bool(kind.UNSURE)
    for block in body.split("```python\n")[1:]:
        compile(block.split("```")[0], "card", "exec")
