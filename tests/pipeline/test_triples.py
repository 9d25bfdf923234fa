"""Entities and their relations from a file to a served answer: one run of a tiny model, and what every door says."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

import luthier
from luthier.bundle import read_manifest, read_probes, seal
from luthier.errors import DataError, ProbeError
from luthier.inference import Predictor, following, verify
from luthier.models import tiny
from luthier.pipeline import predict_file
from luthier.schema import Argument, Marked
from luthier.serving.app import create_app
from luthier.serving.repository import Repository

PEOPLE, PLACES = ("Ann", "Bob", "王芳", "李雷"), ("Rome", "Oslo", "北京", "上海")
FIRMS = ("Acme", "Zeta", "海尔", "腾讯")
TYPES = {"p": "person", "q": "person", "c": "city", "f": "firm"}
Said = tuple[str, list[tuple[str, str, str]]]
ENGLISH: list[Said] = [("{p} lives in {c} , and {q} does not .", [("p", "lives_in", "c")]),
                       ("{p} works for {f} , which is based in {c} .", [("p", "works_for", "f"),
                                                                        ("f", "based_in", "c")]),
                       ("{p} met {q} in {c} .", [])]
CHINESE: list[Said] = [("{p}住在{c}，{q}没有。", [("p", "lives_in", "c")]),
                       ("{p}任职于{f}，总部设在{c}。", [("p", "works_for", "f"), ("f", "based_in", "c")]),
                       ("{p}在{c}见到{q}。", [])]

pytestmark = pytest.mark.slow


def sentences(rows: int, seed: int) -> list[dict[str, Any]]:
    """Make rows whose relations are told by what stands between the entities; some people have none."""
    random, made = np.random.default_rng(seed), []
    for number in range(rows):
        half, said = (slice(0, 2), ENGLISH) if number % 2 else (slice(2, 4), CHINESE)
        pattern, relations = said[int(random.integers(3))]
        first, second = (str(one) for one in random.permutation(PEOPLE[half]))
        words = {"p": first, "q": second, "c": str(random.choice(PLACES[half])), "f": str(random.choice(FIRMS[half]))}
        text = f"{number} {pattern.format(**words)}"
        keys = sorted((key for key in words if f"{{{key}}}" in pattern), key=lambda key: text.index(words[key]))
        made.append({"text": text, "entities": [
            {"start": text.index(words[key]), "end": text.index(words[key]) + len(words[key]), "label": TYPES[key]}
            for key in keys], "relations": [{"subject": keys.index(one), "object": keys.index(other), "label": label}
                                            for one, label, other in relations]})
    return made


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("triples") / "who.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in sentences(200, 0)), encoding="utf-8")
    return path


TRAINING: dict[str, Any] = {
    "train": {"num_train_epochs": 10, "learning_rate": 3e-3, "per_device_train_batch_size": 16, "precision": "fp32"},
    "validation": {"early_stopping_patience": None},
}


@pytest.fixture(scope="module")
def bundle(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    base = tiny.make(folder / "base", texts=[*PEOPLE[:2], *PLACES[:2], *FIRMS[:2], *(said for said, _ in ENGLISH)],
                     max_length=64)
    run = luthier.train(data, model=str(base), out=folder / "who", seed=1, progress=False,
                        evaluation={"bootstrap": 100}, **TRAINING)
    assert run.recipe.task == {
        "name": "entities-and-relations", "whole_words": True, "max_distance": 32, "max_sentence_ends": 0,
        "max_pairs": 1000, "negatives": 20,
        "patterns": [["firm", "based_in", "city"], ["person", "lives_in", "city"], ["person", "works_for", "firm"]],
        "window_characters": 49, "window_sentences": 1}
    assert run.recipe.validation.metric_for_best_model == "joint_f1"
    scores = run.scores["systems"]
    assert scores["tuned"]["metrics"]["f1_micro"] > 0.9
    assert scores["tuned"]["metrics"]["f1_micro"] > scores["baseline"]["metrics"]["f1_micro"]
    assert scores["untuned"]["metrics"]["f1_micro"] < 0.2
    assert not run.warnings
    return run.path


def test_the_bundle_says_what_it_is(bundle: Path) -> None:
    manifest, relations = read_manifest(bundle), ("based_in", "lives_in", "works_for")
    assert (manifest.labels.names, manifest.labels.types) == (relations, ("city", "firm", "person"))
    assert manifest.output_names == (
        "O", "B-city", "I-city", "B-firm", "I-firm", "B-person", "I-person",
        *(name for side in ("subject", "object") for name in (f"no-{side}", *(f"{side}:{one}" for one in relations))))
    assert (manifest.pair, manifest.length.policy) == (False, "window")
    assert set(manifest.scores["tuned"]) == {"f1_micro", "precision_micro", "recall_micro", "f1_boundaries",
                                             "f1_entities", "accuracy"}
    assert verify(bundle).ok
    card = (bundle / "README.md").read_text(encoding="utf-8")
    for said in ("pipeline_tag: token-classification", "entities of 3 types in texts, and 3 relations",
                 "triples of 3 patterns (subject, relation, object) up to 32 characters apart", "| lives_in |",
                 "| person |"):
        assert said in card, said
    page = (bundle / "report" / "index.html").read_text(encoding="utf-8")
    for said in ('id="classes"', 'id="extracted"', "Triple F1", "三元组 F1", "Entities, type by type"):
        assert said in page, said
    document = json.loads((bundle / "report" / "scores.json").read_text(encoding="utf-8"))
    assert "verdict" in document["comparisons"]["baseline"]["f1_micro"]


def test_entities_and_relations_are_found_where_the_caller_wrote_them(bundle: Path) -> None:
    texts = ["👩‍👩‍👧 Ann works for Zeta , which is based in Oslo .", "7 王芳住在上海，李雷没有。", "",
             "3 Ann met Bob in Rome ."]
    with luthier.load(bundle) as predictor:
        found = predictor.predict(texts)
        assert [one.to_dict() for one in predictor.stream(iter(texts))] == [one.to_dict() for one in found]
    assert [[(texts[n][t.subject.start:t.subject.end], t.label, texts[n][t.object.start:t.object.end])
             for t in answer.triples] for n, answer in enumerate(found)] == [
        [("Ann", "works_for", "Zeta"), ("Zeta", "based_in", "Oslo")], [("王芳", "lives_in", "上海")], [], []]
    assert [len(answer.entities) for answer in found] == [3, 3, 0, 3]
    assert all(texts[n][one.start:one.end] == one.word for n, answer in enumerate(found) for one in answer.entities)


@settings(max_examples=25)
@given(text=st.lists(st.one_of(st.text(max_size=8), st.sampled_from(
    [*PEOPLE, *PLACES, *FIRMS, " works for ", "住在", "👩‍👩‍👧", "é", "ｆｕｌｌ", "\u0301"])), max_size=12))
def test_whatever_is_found_stands_in_the_text(opened: Predictor, text: list[str]) -> None:
    joined = "".join(text)
    (answer,) = opened.predict([joined])
    for one in answer.entities:
        assert joined[one.start : one.end] == one.word
        assert one.word.strip() == one.word != ""
    for relation in answer.relations:
        assert relation.subject != relation.object
        one, other = answer.entities[relation.subject], answer.entities[relation.object]
        assert (one.entity_group, relation.label, other.entity_group) in opened.task_settings.patterns
        assert 0 <= relation.score <= 1


@pytest.fixture(scope="module")
def opened(bundle: Path) -> Predictor:
    return luthier.load(bundle, backend="torch")


def test_plain_transformers_gives_the_same_answer(bundle: Path, opened: Predictor) -> None:
    import torch
    from transformers import AutoModelForTokenClassification, AutoTokenizer

    text = "7 Ann works for Zeta , which is based in Oslo ."
    model = AutoModelForTokenClassification.from_pretrained(str(bundle)).eval()
    batch = AutoTokenizer.from_pretrained(str(bundle))(
        "7 @ * person * Ann @ works for # ^ firm ^ Zeta # , which is based in Oslo .", return_tensors="pt")
    with torch.inference_mode():
        subject, other = model(**batch).logits[0, :, 7:].chunk(2, dim=-1)
    tokens = batch.tokens()
    mean = (subject[tokens.index("@")] + other[tokens.index("#")]) / 2
    shares = torch.softmax(mean[[0, 3]], -1)  # between a person and a firm nothing but works_for was seen
    assert model.config.id2label[7 + 3] == "subject:works_for"
    (answer,) = opened.predict([text])
    (relation,) = [one for one in answer.relations if (one.subject, one.object) == (0, 1)]
    assert relation.label == "works_for"
    assert relation.score == pytest.approx(float(shares[1]), abs=1e-4)


@pytest.mark.parametrize("backend", ["torch-fp32", "native", "onnxruntime", "openvino"])
def test_every_backend_agrees_with_the_reference(bundle: Path, opened: Predictor, backend: str) -> None:
    rows = [row["text"] for row in sentences(30, 3)]
    expected = opened.predict(rows)
    with Predictor.open(bundle, backend=backend) as other:
        found = other.predict(rows)
    same = sum(one.label == right.label for one, right in zip(found, expected, strict=True))
    assert same >= (30 if backend in ("torch-fp32", "onnxruntime") else 28)


def test_what_is_scored_is_what_is_served(bundle: Path, data: Path, opened: Predictor, tmp_path: Path) -> None:
    scored = luthier.evaluate(bundle, data, report=tmp_path / "report", json=tmp_path / "scores.json")
    rows = [json.loads(line) for line in data.read_text(encoding="utf-8").splitlines()]
    answers, right, given, true = opened.predict([row["text"] for row in rows]), 0, 0, 0
    for row, answer in zip(rows, answers, strict=True):
        spans = [(one["start"], one["end"], one["label"]) for one in row["entities"]]
        gold = {(spans[one["subject"]], spans[one["object"]], one["label"]) for one in row["relations"]}
        found = {((t.subject.start, t.subject.end, t.subject.label), (t.object.start, t.object.end, t.object.label),
                  t.label) for t in answer.triples}
        right, given, true = right + len(gold & found), given + len(found), true + len(gold)
    assert scored.scores.values["f1_micro"] == pytest.approx(2 * right / (given + true), abs=0.01)
    assert json.loads((tmp_path / "scores.json").read_text())["metrics"] == scored.scores.values


def test_files_are_answered(bundle: Path, data: Path, tmp_path: Path) -> None:
    done = predict_file(bundle, data, tmp_path / "out.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert done.rows == len(rows) == 200
    assert set(rows[0]) == {"id", "text", "given_entities", "given_relations", "entities", "relations", "truncated"}
    assert sum([{k: r[k] for k in ("subject", "object", "label")} for r in row["relations"]] == sorted(
        row["given_relations"], key=lambda r: r["subject"]) for row in rows) > 180
    predict_file(bundle, data, tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text(encoding="utf-8-sig").startswith("id,text,")


def test_long_texts_are_read_in_windows_and_many_pairs_are_bounded(bundle: Path, opened: Predictor,
                                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    part, other = "7 Ann works for Zeta , which is based in Oslo . ", "0 . 0 . "
    text = (other * 20 + part) * 6
    (found,) = opened.predict([text])
    assert len(found.triples) >= 6
    assert not found.truncated
    monkeypatch.setattr(following, "ROWS", 2)  # computed in parts, the answers are the same
    (again,) = opened.predict([text])
    assert again.label == found.label
    few = opened.task_settings.model_copy(update={"max_pairs": 3})
    monkeypatch.setattr(opened, "task_settings", few)
    (less,) = opened.predict([text])
    assert less.truncated
    assert len(less.relations) <= 3
    assert set(less.relations) <= set(found.relations)


def test_the_server_answers(bundle: Path) -> None:
    with TestClient(create_app(Repository([luthier.load(bundle)]))) as client:
        text = "0 王芳住在上海，李雷没有。"
        one = client.post("/predict", json={"inputs": text}).json()["predictions"]
        assert set(one) == {"entities", "relations", "truncated"}
        assert [text[e["start"]:e["end"]] for e in one["entities"]] == ["王芳", "上海", "李雷"]
        assert [(r["subject"], r["label"], r["object"]) for r in one["relations"]] == [(0, "lives_in", 1)]
        assert client.get("/ready").json()["models"][0]["problem_type"] == "joint_extraction"
        assert 'label="lives_in"' in client.get("/metrics").text
        assert "ExtractionBody" in client.get("/openapi.json").text


def test_a_marked_pair_is_no_row_for_callers(opened: Predictor) -> None:
    pair = Marked("Ann in Oslo", Argument(0, 3, "person"), Argument(7, 11, "city"))
    with pytest.raises(DataError, match="row 0: expected a text, got Marked"):
        opened.predict([pair])


def swapped_rows(weights: np.ndarray) -> np.ndarray:
    """Exchange two relations at both marks: entities stay as they are."""
    order = list(range(len(weights)))
    for first in (8, 12):
        order[first], order[first + 1] = order[first + 1], order[first]
    return weights[order]


def swapped_names(names: list[str]) -> list[str]:
    swap = {"based_in": "lives_in", "lives_in": "based_in"}
    parted = [name.rpartition(":") for name in names]
    return [f"{side}{colon}{swap.get(name, name)}" for side, colon, name in parted]


@pytest.mark.parametrize("what", ["weights", "names"])
def test_a_swapped_relation_is_told_by_the_probes(bundle: Path, what: str, tmp_path: Path) -> None:
    probes = read_probes(bundle)
    assert sum(probe.arguments is None for probe in probes) == 30
    assert sum(probe.arguments is not None for probe in probes) >= 14
    copy = Path(shutil.copytree(bundle, tmp_path / "copy"))
    change: dict[str, Callable[[Path], None]] = {"weights": change_weights, "names": change_names}
    change[what](copy)
    manifest = read_manifest(copy)
    (copy / "luthier.json").unlink()
    seal(copy, manifest)
    with pytest.raises(ProbeError, match="does not answer as on the day it was written"):
        Predictor.open(copy)
    assert not verify(copy).ok


def change_weights(copy: Path) -> None:
    tensors = load_file(copy / "model.safetensors")
    for name in ("classifier.weight", "classifier.bias"):
        tensors[name] = np.ascontiguousarray(swapped_rows(tensors[name]))
    save_file(tensors, copy / "model.safetensors", metadata={"format": "pt"})


def change_names(copy: Path) -> None:
    config = json.loads((copy / "config.json").read_text(encoding="utf-8"))
    names = swapped_names([config["id2label"][str(n)] for n in range(len(config["id2label"]))])
    config |= {"id2label": dict(enumerate(names)), "label2id": {name: n for n, name in enumerate(names)}}
    (copy / "config.json").write_text(json.dumps(config), encoding="utf-8")
    manifest = json.loads((copy / "luthier.json").read_text(encoding="utf-8"))
    manifest["outputs"], manifest["labels"]["names"] = names, swapped_names(manifest["labels"]["names"])
    (copy / "luthier.json").write_text(json.dumps(manifest), encoding="utf-8")


def test_an_adapter_learns_too(data: Path, bundle: Path, tmp_path: Path) -> None:
    run = luthier.train(data, model=str(bundle.parent / "base"), method="lora", out=tmp_path / "out", seed=1,
                        progress=False, evaluation={"bootstrap": 100, "baseline": False, "untuned": False},
                        validation=TRAINING["validation"],
                        train={**TRAINING["train"], "learning_rate": 5e-3, "head_learning_rate": 1e-2})
    assert run.scores["systems"]["tuned"]["metrics"]["f1_entities"] > 0.8
    assert verify(run.path).ok


def test_a_run_that_learned_nothing_says_so(data: Path, bundle: Path, tmp_path: Path) -> None:
    run = luthier.train(data, model=str(bundle.parent / "base"), out=tmp_path / "out", seed=1, progress=False,
                        evaluation={"bootstrap": 100, "baseline": False, "untuned": False},
                        train={"num_train_epochs": 1, "learning_rate": 1e-9, "head_learning_rate": 1e-9})
    assert any("the validation loss never fell" in warning for warning in run.warnings), run.warnings
