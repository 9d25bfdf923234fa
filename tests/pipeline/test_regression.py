"""Numbers from a file to a served answer: runs of a tiny model, and what every door says of it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

import luthier
from luthier.bundle import read_manifest
from luthier.errors import DataError, RecipeError
from luthier.inference import Predictor, verify
from luthier.models import tiny
from luthier.pipeline import predict_file
from luthier.serving.app import create_app
from luthier.serving.repository import Repository

FILLER = ("the", "room", "was", "near", "beach", "很", "饭店", "staff", "came")
TWO = ["the room good was near good beach staff 1", "the room was near beach staff 2"]
TRAIN = {"num_train_epochs": 12, "learning_rate": 2e-3, "per_device_train_batch_size": 8, "precision": "fp32"}


def write(path: Path, rows: int, unit: float, offset: float, *, label: str) -> Path:
    """Write texts whose number is that of their good words, in some unit."""
    random = np.random.default_rng(0)
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["text", label])
        for number in range(rows):
            good = int(random.integers(0, 5))
            words = [*random.choice(FILLER, 6), *["good"] * good]
            random.shuffle(words)
            table.writerow([" ".join([*map(str, words), str(number)]), f"{offset + unit * good:.10g}"])
    return path


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.make(tmp_path_factory.mktemp("base") / "base", texts=[*FILLER, "good"], max_length=64)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("stars") / "stars.csv", 240, 1, 1, label="stars")


@pytest.fixture(scope="module")
def bundle(data: Path, base: Path) -> Path:
    run = luthier.train(data, task="regression", model=str(base), out=data.parent / "out", seed=1, threads=1,
                        progress=False, train=TRAIN, evaluation={"bootstrap": 100})
    tuned = run.scores["systems"]["tuned"]["metrics"]
    assert tuned["rmse"] < 0.5
    assert tuned["qwk"] > 0.9
    assert run.recipe.validation.metric_for_best_model == "mse"
    assert run.scores["systems"]["untuned"]["metrics"]["r2"] < 0.3
    assert not run.warnings
    return run.path


pytestmark = pytest.mark.slow


def test_the_bundle_says_what_it_is(bundle: Path) -> None:
    manifest = read_manifest(bundle)
    assert manifest.labels.names == ("stars",)
    assert manifest.labels.scale is not None
    assert manifest.labels.scale.grades == (1, 2, 3, 4, 5)
    assert manifest.scores["tuned"]["qwk"] > 0.9
    config = json.loads((bundle / "config.json").read_text(encoding="utf-8"))
    assert (config["problem_type"], config["id2label"]) == ("regression", {"0": "stars"})
    assert verify(bundle).ok
    assert "Gives texts `stars`, graded" in (bundle / "README.md").read_text(encoding="utf-8")
    page = (bundle / "report" / "index.html").read_text(encoding="utf-8")
    assert 'id="scatter"' in page
    for absent in ("confusion", "curves", "classes"):
        assert f'id="{absent}"' not in page
    scores = json.loads((bundle / "report" / "scores.json").read_text(encoding="utf-8"))
    assert scores["labels"]["scale"]["grades"] == [1, 2, 3, 4, 5]
    assert scores["comparisons"]["untuned"]["rmse"]["verdict"] == "better"


def test_plain_transformers_gives_the_same_number(bundle: Path) -> None:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    text = "the good room was good near beach good staff 7"
    model = AutoModelForSequenceClassification.from_pretrained(bundle).eval()
    batch = AutoTokenizer.from_pretrained(bundle)(text, return_tensors="pt")
    (ours,) = luthier.load(bundle, backend="torch").predict([text])
    assert model(**batch).logits[0, 0].item() == pytest.approx(ours.score, rel=1e-4)
    assert (ours.grade, ours.label, ours.labels) == (4, "4", ("4",))


@pytest.mark.parametrize("backend", ["torch-fp32", "torch-bf16", "native", "onnxruntime", "openvino"])
def test_every_backend_agrees_with_the_reference(bundle: Path, backend: str) -> None:
    texts = [f"the room {'good ' * (n % 5)}{n}" for n in range(40)] + ["", "good " * 200]
    with Predictor.open(bundle, backend="torch") as reference, Predictor.open(bundle, backend=backend) as other:
        expected, cut = reference.logits(texts)
        found, _ = other.logits(texts)
        assert found.shape == expected.shape == (42, 1)  # the last text is read in four windows
        assert (np.abs(found - expected) <= other.backend.tolerance * (1 + np.abs(expected))).all()
        assert not cut.any()


def test_files_are_answered_and_scored(bundle: Path, data: Path, tmp_path: Path) -> None:
    done = predict_file(bundle, data, tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert done.rows == len(rows) == 240
    assert list(rows[0]) == ["id", "text", "stars", "score", "grade", "truncated"]
    scored = luthier.evaluate(bundle, data, report=tmp_path / "report", json=tmp_path / "scores.json")
    assert scored.scores.values["qwk"] > 0.9
    assert json.loads((tmp_path / "scores.json").read_text())["metrics"] == scored.scores.values
    assert (tmp_path / "report" / "index.html").is_file()
    given = np.array([float(row["score"]) for row in rows])
    true = np.array([float(row["stars"]) for row in rows])
    assert ((given - true) ** 2).mean() == pytest.approx(scored.scores.values["mse"], rel=1e-4)


def test_the_server_answers_with_numbers(bundle: Path) -> None:
    with TestClient(create_app(Repository([luthier.load(bundle)]))) as client:
        body = client.post("/predict", json={"inputs": TWO}).json()
        assert [row["grade"] for row in body["predictions"]] == [3, 1]
        assert set(body["predictions"][0]) == {"score", "grade", "truncated"}
        assert client.get("/ready").json()["models"][0]["problem_type"] == "regression"
        assert 'label="3"' in client.get("/metrics").text
        assert "EstimateBody" in client.get("/openapi.json").text


@pytest.mark.parametrize(("method", "unit"), [("lora", 12345.5), ("full", 1.5e-4)])
def test_any_unit_and_method_and_tuning_on(base: Path, tmp_path: Path, method: str, unit: float) -> None:
    data = write(tmp_path / "price.csv", 240, unit, 10 * unit, label="price")
    run = luthier.train(data, task="regression", model=str(base), method=method, out=tmp_path / "out", seed=1,
                        threads=1, progress=False, train={**TRAIN, "learning_rate": 5e-3 if method == "lora" else 2e-3,
                                               "num_train_epochs": 12},
                        evaluation={"bootstrap": 100, "baseline": False, "untuned": False})
    tuned = run.scores["systems"]["tuned"]["metrics"]
    assert tuned["r2"] > 0.7
    assert "qwk" not in tuned
    assert verify(run.path).ok
    with luthier.load(run.path) as predictor, TestClient(create_app(Repository([predictor]))) as client:
        answers = client.post("/predict", json={"inputs": TWO}).json()
        assert all(row["grade"] is None for row in answers["predictions"])
        assert 'label=""' in client.get("/metrics").text
        assert answers["predictions"][0]["score"] > 10 * unit
    if method == "full":
        again = luthier.train(data, task="regression", model=str(run.path), out=tmp_path / "again", seed=1, threads=1,
                              progress=False, train={**TRAIN, "num_train_epochs": 1, "learning_rate": 1e-5},
                              evaluation={"bootstrap": 100, "baseline": False, "untuned": True})
        assert again.scores["systems"]["untuned"]["metrics"]["r2"] > 0.7  # its head was kept, in the same unit


def test_pairs_learn_how_alike_they_are(base: Path, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    rows = [(int(a), int(b), number) for number, (a, b) in enumerate(random.integers(0, 4, size=(300, 2)))]
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps({
        "sentence1": f"room {'good ' * a}{number}", "sentence2": f"staff {'good ' * b}{number}",
        "similarity": round((a + b) / 6 + number % 7 / 100, 3)}) + "\n" for a, b, number in rows), encoding="utf-8")
    run = luthier.train(path, model=str(base), out=tmp_path / "out", seed=1, threads=1, progress=False,
                        train=TRAIN, evaluation={"bootstrap": 100, "untuned": False})
    assert run.recipe.task["name"] == "regression"
    assert run.scores["systems"]["tuned"]["metrics"]["pearson"] > 0.8
    (answer,) = luthier.load(run.path).predict([("room good", "staff good")])
    assert -0.5 < answer.score < 1.5


def test_what_does_not_fit_is_refused(data: Path, bundle: Path, base: Path, tmp_path: Path) -> None:
    options = {"task": "regression", "model": str(base), "progress": False}
    with pytest.raises(RecipeError, match="numbers have no classes"):
        luthier.train(data, out=tmp_path / "a", train={**TRAIN, "class_weights": {"stars": 2.0}}, **options)
    amounts = write(tmp_path / "price.csv", 60, 0.25, 1, label="price")
    with pytest.raises(RecipeError, match="the numbers are no grades"):
        luthier.train(amounts, out=tmp_path / "b", overrides=["validation.metric_for_best_model=qwk"], **options)
    words = tmp_path / "words.csv"
    words.write_text("text,stars\n" + "\n".join(f"text {n},good" for n in range(20)), encoding="utf-8")
    with pytest.raises(DataError, match="holds no numbers"):
        luthier.evaluate(bundle, words)
