"""Entities within entities from a file to a served answer: one run of a tiny model, and what every door says of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

import luthier
from luthier.bundle import read_manifest, read_probes
from luthier.errors import DataError
from luthier.inference import Predictor, verify
from luthier.models import tiny
from luthier.pipeline import predict_file
from luthier.serving.app import create_app
from luthier.serving.repository import Repository

PLACES = ("Rome", "Oslo", "北京", "上海")
PATTERNS = (("They met at the ", "University of {}", " today"), ("Now ", "Bank of {}", " is open"),
            ("他在", "{}大学", "工作"), ("今天", "{}银行", "开门"))

pytestmark = pytest.mark.slow


def sentences(rows: int, seed: int) -> list[dict[str, Any]]:
    """Return rows in which a place stands within the name of what is there, and alone, or nothing."""
    random, made = np.random.default_rng(seed), []
    for number in range(rows):
        before, name, behind = PATTERNS[number % len(PATTERNS)]
        place = PLACES[number % len(PATTERNS) // 2 * 2 + int(random.integers(2))]
        outer = name.format(place)
        if number % 5 == 4:
            made.append({"text": f"nobody was there 没有人 {number}", "entities": []})
            continue
        start, inner = len(before), len(before) + outer.index(place)
        made.append({"text": f"{before}{outer}{behind} {number}", "entities": [
            {"start": start, "end": start + len(outer), "label": "ORG"},
            {"start": inner, "end": inner + len(place), "label": "LOC"}]})
    return made


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("nested") / "places.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in sentences(150, 0)), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def bundle(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    base = tiny.make(folder / "base", texts=["".join(pattern) for pattern in PATTERNS] + list(PLACES), max_length=64)
    run = luthier.train(data, model=str(base), out=folder / "places", seed=1, progress=False,
                        train={"num_train_epochs": 15, "learning_rate": 3e-3, "per_device_train_batch_size": 8,
                               "precision": "fp32"}, evaluation={"bootstrap": 100})
    assert run.recipe.task["name"] == "nested-entities"
    assert run.scores["systems"]["tuned"]["metrics"]["f1_micro"] > 0.95
    assert run.scores["systems"]["baseline"]["metrics"]["f1_micro"] > 0.9
    assert not run.warnings
    return run.path


def test_the_bundle_says_what_it_is(bundle: Path) -> None:
    manifest = read_manifest(bundle)
    assert manifest.labels.names == ("LOC", "ORG")
    assert manifest.output_names[-4:] == ("start:LOC", "start:ORG", "end:LOC", "end:ORG")
    assert verify(bundle).ok
    card = (bundle / "README.md").read_text(encoding="utf-8")
    assert "finds entities within others, too" in card
    assert "AutoModelForTokenClassification" in card
    page = (bundle / "report" / "index.html").read_text(encoding="utf-8")
    assert "Entities that begin within another" in page
    assert "Word by word" not in page
    events = (bundle / "events.jsonl").read_text(encoding="utf-8")
    assert "task: nested-entities, because " in events
    assert any(probe.label for probe in read_probes(bundle))


def test_transformers_opens_it_as_a_token_classifier(bundle: Path) -> None:
    from transformers import AutoModelForTokenClassification

    model = AutoModelForTokenClassification.from_pretrained(str(bundle))
    assert model.config.id2label[0] == "query:0"
    assert model.config.id2label[model.config.num_labels - 1] == "end:ORG"


@pytest.mark.parametrize("backend", ["torch-fp32", "torch-bf16", "native", "onnxruntime", "openvino"])
def test_every_backend_agrees_with_the_reference(bundle: Path, backend: str) -> None:
    texts = [row["text"] for row in sentences(40, 3)] + ["", " ", "Rome" * 200, "他在北京大学工作。" * 40]
    with Predictor.open(bundle, backend="torch") as reference, Predictor.open(bundle, backend=backend) as other:
        for one, right in zip(other.logits(texts)[0], reference.logits(texts)[0], strict=True):
            assert one.shape == right.shape
            assert (np.abs(one - right) <= other.backend.tolerance * (1 + np.abs(right))).all()
        if backend in ("torch-fp32", "onnxruntime"):
            assert [a.label for a in reference.predict(texts[:40])] == [a.label for a in other.predict(texts[:40])]


def test_places_are_those_of_the_callers_text_however_long(bundle: Path) -> None:
    filler = "nobody was there 👩‍👩‍👧 Ünïcödé ，　" * 300
    text = f"\n {filler}They met at the University of Oslo today. {filler}他在北京大学工作"
    assert len(text) > 15_000
    with luthier.load(bundle) as predictor:
        (found,) = predictor.predict([text])
        assert list(predictor.stream(iter([text, "Now Bank of Rome is open"])))[0].label == found.label
    assert not found.truncated
    for name in ("Oslo", "北京"):  # the tiny model knows no such neighbours, so not every entity is asked for
        assert any(name in one.word for one in found.entities)
    assert all(text[one.start:one.end] == one.word for one in found.entities)
    places = [(one.start, -one.end) for one in found.entities]
    assert places == sorted(places)


def test_files_are_labelled_and_scored(bundle: Path, data: Path, tmp_path: Path) -> None:
    predict_file(bundle, data, tmp_path / "out.jsonl")
    first = json.loads((tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()[0])
    assert [one["word"] for one in first["entities"]] == [
        first["text"][one["start"]:one["end"]] for one in first["given_entities"]]
    scored = luthier.evaluate(bundle, data, report=tmp_path / "report")
    assert scored.scores.values["f1_micro"] > 0.95
    assert scored.scores.tokens is None


def test_the_server_answers_with_entities(bundle: Path) -> None:
    with TestClient(create_app(Repository([luthier.load(bundle)]))) as client:
        texts = ["Now Bank of Oslo is open 7", "nobody was there 没有人 9"]
        body = client.post("/predict", json={"inputs": texts}).json()
        found = [[one["word"] for one in row["entities"]] for row in body["predictions"]]
        assert found == [["Bank of Oslo", "Oslo"], []]
        assert set(body["predictions"][0]["entities"][0]) == {"entity_group", "score", "word", "start", "end"}
        assert 'label="LOC"' in client.get("/metrics").text


def test_tags_are_refused_for_them_with_the_way_out(data: Path, bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="overlap, which one tag a token cannot say") as refused:
        luthier.train(data, task="named-entities", model=str(bundle.parent / "base"), out=tmp_path / "a",
                      progress=False)
    assert "--task nested-entities" in str(refused.value)


@pytest.mark.parametrize("method", ["lora", "freeze"])
def test_other_methods_learn_too(data: Path, bundle: Path, method: str, tmp_path: Path) -> None:
    run = luthier.train(data, model=str(bundle.parent / "base"), method=method, out=tmp_path / "out", seed=1,
                        progress=False, train={"num_train_epochs": 20, "learning_rate": 1e-2,
                                               "per_device_train_batch_size": 8, "precision": "fp32"},
                        evaluation={"bootstrap": 100, "baseline": False, "untuned": False})
    assert run.scores["systems"]["tuned"]["metrics"]["f1_micro"] > 0.8
    assert verify(run.path).ok
