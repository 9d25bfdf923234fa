"""Named entities from a file to a served answer: one run of a tiny model, and what every door says of it."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

import luthier
from luthier.bundle import read_manifest
from luthier.errors import BundleError, DataError
from luthier.inference import Predictor, make_probes, verify
from luthier.models import tiny
from luthier.pipeline import predict_file
from luthier.serving.app import create_app
from luthier.serving.repository import Repository

PEOPLE, PLACES = ("Ann", "Bob", "王芳", "李雷"), ("Rome", "Oslo", "北京", "上海")
PATTERNS = ("{} lives in {} now", "yesterday {} came to {}", "{}昨天去了{}", "今天{}在{}工作", "nobody was there")


def sentences(rows: int, seed: int) -> list[dict[str, Any]]:
    random, made = np.random.default_rng(seed), []
    for number in range(rows):
        pattern = PATTERNS[number % len(PATTERNS)]
        names = (str(random.choice(PEOPLE)), str(random.choice(PLACES)))
        text, entities = "", []
        parts = pattern.split("{}")
        for place, part in enumerate(parts):
            text += part
            if place < len(parts) - 1:
                entities.append({"start": len(text), "end": len(text) + len(names[place]),
                                 "label": ("PER", "LOC")[place]})
                text += names[place]
        made.append({"text": f"{text} {number}", "entities": entities})
    return made


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("entities") / "people.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in sentences(150, 0)), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def bundle(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    base = tiny.make(folder / "base", texts=[*PEOPLE[:2], *PLACES[:2], *PATTERNS], max_length=64)
    run = luthier.train(data, model=str(base), out=folder / "people", seed=1, progress=False,
                        train={"num_train_epochs": 12, "learning_rate": 3e-3, "per_device_train_batch_size": 8,
                               "precision": "fp32"}, evaluation={"bootstrap": 100})
    assert run.recipe.task["name"] == "named-entities"
    assert run.recipe.validation.metric_for_best_model == "f1_micro"
    assert run.scores["systems"]["tuned"]["metrics"]["f1_micro"] > 0.95
    assert not run.warnings
    return run.path


pytestmark = pytest.mark.slow


def test_the_bundle_says_what_it_is(bundle: Path) -> None:
    manifest = read_manifest(bundle)
    assert manifest.labels.names == ("LOC", "PER")
    assert manifest.output_names == ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
    assert (manifest.length.policy, manifest.length.overlap) == ("window", 16)
    assert manifest.scores["tuned"]["f1_micro"] > 0.95
    assert verify(bundle).ok
    card = (bundle / "README.md").read_text(encoding="utf-8")
    assert "pipeline_tag: token-classification" in card
    assert "Finds entities of 2 types" in card
    assert "AutoModelForTokenClassification" in card
    page = (bundle / "report" / "index.html").read_text(encoding="utf-8")
    assert "PER" in page


def test_a_pipeline_of_transformers_finds_the_same(bundle: Path) -> None:
    from transformers import pipeline

    text = "yesterday Bob came to Oslo 7"
    found = pipeline("token-classification", model=str(bundle), aggregation_strategy="simple")(text)
    (ours,) = luthier.load(bundle, backend="torch").predict([text])
    assert [(one["entity_group"], one["start"], one["end"]) for one in found] == [
        (one.entity_group, one.start, one.end) for one in ours.entities]
    assert [one.word for one in ours.entities] == ["Bob", "Oslo"]


@pytest.mark.parametrize("backend", ["torch-fp32", "torch-bf16", "native", "onnxruntime", "openvino"])
def test_every_backend_agrees_with_the_reference(bundle: Path, backend: str) -> None:
    texts = [row["text"] for row in sentences(40, 3)] + ["", " ", "Ann" * 200, "王芳在北京。" * 40]
    with Predictor.open(bundle, backend="torch") as reference, Predictor.open(bundle, backend=backend) as other:
        expected, _ = reference.logits(texts)
        found, _ = other.logits(texts)
        for one, right in zip(found, expected, strict=True):
            assert one.shape == right.shape
            assert (np.abs(one - right) <= other.backend.tolerance * (1 + np.abs(right))).all()
        if backend in ("torch-fp32", "onnxruntime"):
            assert [a.label for a in reference.predict(texts)] == [a.label for a in other.predict(texts)]


def test_offsets_are_those_of_the_callers_text_however_long(bundle: Path) -> None:
    filler = "nobody was there 👩‍👩‍👧 Ünïcödé ，　" * 300
    text = f"\n {filler}yesterday Bob came to Oslo. {filler}王芳昨天去了上海"
    assert len(text) > 15_000
    with luthier.load(bundle) as predictor:
        (found,) = predictor.predict([text])
        assert list(predictor.stream(iter([text, "Ann lives in Rome now"])))[0].label == found.label
    assert not found.truncated
    words = [(one.entity_group, one.word) for one in found.entities]  # the tiny model knows no such neighbours
    for wanted in (("LOC", "Oslo"), ("PER", "王芳"), ("LOC", "上海")):
        assert wanted in words
    assert all(text[one.start : one.end] == one.word for one in found.entities)


def test_files_are_labelled_and_scored(bundle: Path, data: Path, tmp_path: Path) -> None:
    done = predict_file(bundle, data, tmp_path / "out.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert done.rows == len(rows) == 150
    assert set(rows[0]) == {"id", "text", "given_entities", "entities", "truncated"}
    assert [one["word"] for one in rows[0]["entities"]] == [
        rows[0]["text"][one["start"] : one["end"]] for one in rows[0]["given_entities"]]
    scored = luthier.evaluate(bundle, data, report=tmp_path / "report", json=tmp_path / "scores.json")
    assert scored.scores.values["f1_micro"] > 0.95
    assert json.loads((tmp_path / "scores.json").read_text())["metrics"]["f1_micro"] == scored.scores.values["f1_micro"]
    assert (tmp_path / "report" / "index.html").is_file()


def test_a_conll_file_is_scored_and_labelled_too(bundle: Path, tmp_path: Path) -> None:
    file = tmp_path / "rows.conll"
    file.write_text("Ann B-PER\nlives O\nin O\nRome B-LOC\nnow O\n\nnobody O\nwas O\nthere O\n", encoding="utf-8")
    assert luthier.evaluate(bundle, file).scores.values["f1_micro"] == 1
    predict_file(bundle, file, tmp_path / "out.jsonl")
    first = json.loads((tmp_path / "out.jsonl").read_text().splitlines()[0])
    assert first["text"] == "Ann lives in Rome now"
    assert [(one["word"], one["start"], one["end"]) for one in first["entities"]] == [("Ann", 0, 3), ("Rome", 13, 17)]


def test_unknown_types_are_told(bundle: Path, tmp_path: Path) -> None:
    file = tmp_path / "rows.conll"
    file.write_text("Ann B-PERSON\nlives O\n\nBob B-PERSON\ncame O\n", encoding="utf-8")
    with pytest.raises(DataError, match="labels that the bundle does not know: PERSON"):
        luthier.evaluate(bundle, file)


def test_the_server_answers_with_entities(bundle: Path) -> None:
    with TestClient(create_app(Repository([luthier.load(bundle)]))) as client:
        body = client.post("/predict", json={"inputs": ["Ann lives in Rome now", "nobody was there"]}).json()
        assert [[one["word"] for one in row["entities"]] for row in body["predictions"]] == [["Ann", "Rome"], []]
        assert set(body["predictions"][0]["entities"][0]) == {"entity_group", "score", "word", "start", "end"}
        assert client.get("/ready").json()["models"][0]["problem_type"] == "token_classification"
        assert 'label="PER"' in client.get("/metrics").text


def test_a_head_of_other_tags_is_refused(bundle: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(bundle, copy)
    manifest = json.loads((copy / "luthier.json").read_text(encoding="utf-8"))
    manifest["labels"]["names"] = ["PER", "LOC"]
    (copy / "luthier.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(BundleError, match="labels are not those of task 'named-entities'"):
        Predictor.open(copy)


def test_many_types_do_not_slow_opening_down(bundle: Path) -> None:
    """Whether a decision is firm is told from the logits at hand, not by decoding again for every tag."""
    with luthier.load(bundle, backend="torch") as predictor:
        decoded: list[int] = []
        plain = predictor.task.decode

        def counting(*args: Any) -> Any:
            decoded.append(1)
            return plain(*args)

        predictor.task = SimpleNamespace(**{**vars(predictor.task), "decode": counting})  # type: ignore[assignment]
        probes = make_probes(predictor, [])
    assert len(decoded) == 1
    assert any(probe.label for probe in probes)


@pytest.mark.parametrize("method", ["lora", "freeze"])
def test_other_methods_learn_too(data: Path, bundle: Path, method: str, tmp_path: Path) -> None:
    base = bundle.parent / "base"
    run = luthier.train(data, model=str(base), method=method, out=tmp_path / "out", seed=1, progress=False,
                        train={"num_train_epochs": 20, "learning_rate": 1e-2, "per_device_train_batch_size": 8,
                               "precision": "fp32"},
                        evaluation={"bootstrap": 100, "baseline": False, "untuned": False})
    assert run.scores["systems"]["tuned"]["metrics"]["f1_micro"] > 0.8
    assert verify(run.path).ok


def test_a_file_without_an_entity_is_read_as_the_train_file_is(data: Path, bundle: Path, tmp_path: Path) -> None:
    none = tmp_path / "none.jsonl"
    none.write_text("".join(json.dumps({"text": f"nobody was there {n}", "entities": []}) + "\n" for n in range(12)))
    run = luthier.train(data, valid=none, model=str(bundle.parent / "base"), out=tmp_path / "out", progress=False,
                        train={"num_train_epochs": 1}, evaluation={"bootstrap": 100, "untuned": False})
    assert run.data_report.split_sizes["valid"] == 12


def test_what_does_not_fit_is_refused(data: Path, tiny_csv: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError):
        luthier.train(tiny_csv, task="named-entities", out=tmp_path / "a", progress=False)
