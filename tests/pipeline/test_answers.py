"""Question answering from a file to a served answer: one run of a tiny model, and what every door says of it."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

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

PEOPLE, PLACES = ("Ann", "Bob", "王芳", "李雷"), ("Rome", "Oslo", "北京", "上海")
PATTERNS = ("{} lives in {} now .", "yesterday {} came to {} .", "{}昨天去了{}。", "今天{}在{}工作。")
ASKED = (("who is it ?", "where is it ?", "when was it ?"), ("是谁？", "在哪里？", "为什么？"))


def questions(rows: int, seed: int) -> list[dict[str, Any]]:
    """Make rows whose answers stand in the context word for word; each third question has none."""
    random, made = np.random.default_rng(seed), []
    for number in range(rows):
        pattern = PATTERNS[number % len(PATTERNS)]
        names = str(random.choice(PEOPLE)), str(random.choice(PLACES))
        context = f"{number} {pattern.format(*names)}"
        kind = int(random.integers(3))
        answers = [] if kind == 2 else [{"text": names[kind], "start": context.index(names[kind])}]
        made.append({"question": ASKED[number % len(PATTERNS) // 2][kind], "context": context, "answers": answers})
    return made


def nested(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Write rows as SQuAD 2.0 nests them."""
    return {"version": "v2.0", "data": [
        {"title": f"article {number}", "paragraphs": [{"context": row["context"], "qas": [
            {"id": str(number), "question": row["question"], "is_impossible": not row["answers"],
             "answers": [{"text": one["text"], "answer_start": one["start"]} for one in row["answers"]]}]}]}
        for number, row in enumerate(rows)]}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("questions") / "who.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in questions(240, 0)), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def bundle(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    words = [*PEOPLE[:2], *PLACES[:2], *PATTERNS, *ASKED[0]]
    base = tiny.make(folder / "base", texts=words, max_length=64)
    run = luthier.train(data, model=str(base), out=folder / "who", seed=1, progress=False,
                        train={"num_train_epochs": 20, "learning_rate": 3e-3, "per_device_train_batch_size": 8,
                               "precision": "fp32"}, evaluation={"bootstrap": 100},
                        validation={"early_stopping_patience": None})
    assert run.recipe.task["name"] == "question-answering"
    assert run.recipe.task["unanswerable"] is True
    assert run.recipe.validation.metric_for_best_model == "f1"
    scores = run.scores["systems"]
    assert scores["tuned"]["metrics"]["exact_match"] > 0.9
    assert scores["tuned"]["metrics"]["f1"] > scores["baseline"]["metrics"]["f1"]
    assert not run.warnings
    return run.path


pytestmark = pytest.mark.slow


def test_the_bundle_says_what_it_is(bundle: Path) -> None:
    manifest = read_manifest(bundle)
    assert (manifest.labels.names, manifest.output_names) == (("answer",), ("start", "end"))
    assert (manifest.pair, manifest.length.policy, manifest.length.overlap) == (True, "window", 16)
    assert set(manifest.scores["tuned"]) == {"f1", "exact_match"}
    assert verify(bundle).ok
    card = (bundle / "README.md").read_text(encoding="utf-8")
    for said in ("pipeline_tag: question-answering", "AutoModelForQuestionAnswering", "stretch of their context",
                 "It may say that there is no answer"):
        assert said in card
    page = (bundle / "report" / "index.html").read_text(encoding="utf-8")
    for said in ('id="answered"', "Answer F1", "the sentence that shares most words"):
        assert said in page
    for other in ('id="classes"', 'id="confusion"', 'id="curves"', 'id="outcomes"'):
        assert other not in page
    document = json.loads((bundle / "report" / "scores.json").read_text(encoding="utf-8"))
    assert set(document["systems"]["tuned"]["parts"]) == {"answerable", "unanswerable"}
    assert "verdict" in document["comparisons"]["baseline"]["f1"]


def test_plain_transformers_gives_the_same_logits(bundle: Path) -> None:
    import torch
    from transformers import AutoModelForQuestionAnswering, AutoTokenizer

    pair = ("where is it ?", "yesterday Bob came to Oslo .")
    model = AutoModelForQuestionAnswering.from_pretrained(str(bundle)).eval()
    assert model.config.id2label == {0: "start", 1: "end"}
    batch = AutoTokenizer.from_pretrained(str(bundle))(*pair, return_tensors="pt")
    with torch.inference_mode():
        found = model(**batch)
    with luthier.load(bundle, backend="torch") as predictor:
        (logits,), _ = predictor.logits([pair])
        (answer,) = predictor.predict([pair])
    assert np.allclose(logits, np.stack([found.start_logits[0], found.end_logits[0]], axis=1), atol=1e-5)
    assert (answer.answer, pair[1][answer.start : answer.end]) == ("Oslo", "Oslo")


@pytest.mark.parametrize("backend", ["torch-fp32", "torch-bf16", "native", "onnxruntime", "openvino"])
def test_every_backend_agrees_with_the_reference(bundle: Path, backend: str) -> None:
    rows = [(row["question"], row["context"]) for row in questions(40, 3)]
    rows += [("", ""), ("who", ""), ("", "Ann"), ("是谁？", "王芳在北京。" * 40), ("who is it ?" * 40, "Ann" * 200)]
    with Predictor.open(bundle, backend="torch") as reference, Predictor.open(bundle, backend=backend) as other:
        expected, _ = reference.logits(rows)
        found, _ = other.logits(rows)
        for one, right in zip(found, expected, strict=True):
            assert one.shape == right.shape
            assert (np.abs(one - right) <= other.backend.tolerance * (1 + np.abs(right))).all()
        if backend in ("torch-fp32", "onnxruntime"):
            assert [a.label for a in reference.predict(rows)] == [a.label for a in other.predict(rows)]


@pytest.mark.parametrize(("question", "middle", "answer"), [
    ("where is it ?", "yesterday Bob came to Oslo .", "Oslo"), ("是谁？", "王芳昨天去了上海。", "王芳")])
def test_a_long_context_is_answered_with_the_right_place(bundle: Path, question: str, middle: str, answer: str) -> None:
    filler = "0 . 👩‍👩‍👧 Ünïcödé ，　" * 60
    context = f"\n {filler}{middle} {filler}"
    with luthier.load(bundle) as predictor:
        (found,) = predictor.predict([(question, context)])
        assert list(predictor.stream(iter([(question, context)])))[0].label == found.label
        assert len(predictor.encode([(question, context)])) > 10
    assert not found.truncated
    assert context[found.start : found.end] == found.answer
    best = max(_windows(bundle, question, context), key=lambda one: one.score)
    assert (best.answer, best.start) == (answer, context.index(answer))


def _windows(bundle: Path, question: str, context: str) -> list[Any]:
    """Return what is found where there must be an answer: a tiny model is sure of nothing among strange words."""
    from dataclasses import replace

    with luthier.load(bundle) as predictor:
        settings = predictor.task_settings.model_copy(update={"unanswerable": False})
        return replace(predictor, task_settings=settings).predict([(question, context)])


def test_files_are_answered_and_scored(bundle: Path, data: Path, tmp_path: Path) -> None:
    done = predict_file(bundle, data, tmp_path / "out.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert done.rows == len(rows) == 240
    assert set(rows[0]) == {"id", "question", "context", "answers", "answer", "score", "start", "end", "truncated"}
    assert all(row["context"][row["start"] : row["end"]] == row["answer"] for row in rows)
    predict_file(bundle, data, tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text(encoding="utf-8-sig").splitlines()[0].endswith(
        "answer,score,start,end,truncated")
    scored = luthier.evaluate(bundle, data, report=tmp_path / "report", json=tmp_path / "scores.json")
    assert scored.scores.values["exact_match"] > 0.9
    assert json.loads((tmp_path / "scores.json").read_text())["metrics"] == scored.scores.values


def test_a_file_as_squad_nests_it_is_scored_and_answered_too(bundle: Path, tmp_path: Path) -> None:
    file = tmp_path / "dev-v2.0.json.gz"
    file.write_bytes(gzip.compress(json.dumps(nested(questions(60, 5))).encode()))
    assert luthier.evaluate(bundle, file).scores.values["exact_match"] > 0.8
    assert predict_file(bundle, file, tmp_path / "out.jsonl").rows == 60


def test_a_file_with_other_names_and_no_answers_is_answered(bundle: Path, tmp_path: Path) -> None:
    file = tmp_path / "ask.jsonl"
    file.write_text(json.dumps({"query": "where is it ?", "passage": "0 yesterday Bob came to Oslo ."}) + "\n")
    predict_file(bundle, file, tmp_path / "out.jsonl")
    assert json.loads((tmp_path / "out.jsonl").read_text())["answer"] == "Oslo"


def test_an_answer_that_is_nowhere_counts_as_wrong(bundle: Path, tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    rows = [*questions(8, 7), {"question": "who is it ?", "context": "1 Ann lives in Rome now .",
                               "answers": [{"text": "Carol", "start": -1}]}]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    scored = luthier.evaluate(bundle, file)
    assert scored.scores.rows == 9
    assert not scored.outcomes.right[-1]


def test_the_server_answers(bundle: Path) -> None:
    pair = ["where is it ?", "0 yesterday Bob came to Oslo ."]
    with TestClient(create_app(Repository([luthier.load(bundle)]))) as client:
        named = {"question": pair[0], "context": pair[1]}
        forms = [named, {"text": pair[0], "text_b": pair[1]}]
        answers = [client.post("/predict", json={"inputs": one}).json()["predictions"] for one in forms]
        answers += client.post("/predict", json={"inputs": [pair, named]}).json()["predictions"]
        assert len(answers) == 4
        for one in answers:
            assert set(one) == {"answer", "score", "start", "end", "truncated"}
            assert (one["answer"], pair[1][one["start"] : one["end"]]) == ("Oslo", "Oslo")
        empty = client.post("/predict", json={"inputs": {"question": "when was it ?", "context": pair[1]}}).json()
        assert empty["predictions"]["answer"] == ""
        wrong = client.post("/predict", json={"inputs": {"question": "who"}})
        assert wrong.status_code == 422
        assert 'inputs has no key \\"context\\"' in wrong.text
        assert 'unknown key \\"contxt\\"' in client.post(
            "/predict", json={"inputs": {"question": "who", "contxt": "a"}}).text
        assert client.get("/ready").json()["models"][0]["problem_type"] == "question_answering"
        assert 'label="answer"' in client.get("/metrics").text


def test_a_pair_is_asked_for(bundle: Path) -> None:
    with luthier.load(bundle) as predictor, pytest.raises(DataError, match="row 0: expected a pair of texts"):
        predictor.predict(["who"])


@pytest.mark.parametrize("method", ["lora", "freeze"])
def test_other_methods_learn_too(data: Path, bundle: Path, method: str, tmp_path: Path) -> None:
    base = bundle.parent / "base"
    run = luthier.train(data, model=str(base), method=method, out=tmp_path / "out", seed=1, progress=False,
                        train={"num_train_epochs": 20, "learning_rate": 5e-3, "head_learning_rate": 1e-2,
                               "per_device_train_batch_size": 8, "precision": "fp32"},
                        validation={"early_stopping_patience": None},
                        evaluation={"bootstrap": 100, "baseline": False, "untuned": False})
    assert run.scores["systems"]["tuned"]["metrics"]["f1"] > 0.6
    assert verify(run.path).ok


def test_a_model_that_answers_already_keeps_its_head(bundle: Path) -> None:
    from luthier.models import build_classifier
    from luthier.schema import LabelSet

    built = build_classifier(bundle, LabelSet(("start", "end"), "question_answering"))
    assert built.new_modules == ()
    assert build_classifier(bundle, LabelSet(("a", "b"))).new_modules


def test_what_does_not_fit_is_refused(data: Path, tiny_csv: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="found no column for the question"):
        luthier.train(tiny_csv, task="question-answering", out=tmp_path / "a", progress=False)
    with pytest.raises(RecipeError, match="no classes to weigh"):
        luthier.train(data, overrides=["train.class_weights={answer: 2}"], out=tmp_path / "b", progress=False)
