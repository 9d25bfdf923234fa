"""Relations from a file to a served answer: one run of a tiny model, and what every door says of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

import luthier
from luthier.bundle import read_manifest, read_probes
from luthier.errors import DataError, RecipeError
from luthier.inference import Predictor, verify
from luthier.models import tiny
from luthier.pipeline import predict_file
from luthier.schema import Argument, Marked
from luthier.serving.app import create_app
from luthier.serving.repository import Repository
from luthier.tasks._mark_bits import mark_bits

PEOPLE, PLACES = ("Ann", "Bob", "王芳", "李雷"), ("Rome", "Oslo", "北京", "上海")
PATTERNS = (("{} lives in {} .", "{} works in {} .", "{} and {} ."), ("{}住在{}。", "{}工作于{}。", "{}和{}。"))
NAMES = ("lives", "works", "Other")


def relations(rows: int, seed: int) -> list[dict[str, Any]]:
    """Make rows whose relation is told by the verb, and whose direction by which of the two is the head."""
    random, made = np.random.default_rng(seed), []
    for number in range(rows):
        kind, turned, language = int(random.integers(3)), bool(random.integers(2)), number % 2
        person, place = str(random.choice(PEOPLE)), str(random.choice(PLACES))
        text = f"{number} {PATTERNS[language][kind].format(person, place)}"
        spans = [{"start": text.index(word), "end": text.index(word) + len(word)} for word in (person, place)]
        head, tail = spans[::-1] if turned else spans
        label = NAMES[kind] + ("" if kind == 2 else "(e2,e1)" if turned else "(e1,e2)")
        made.append({"text": text, "head": head, "tail": tail, "relation": label})
    return made


def written(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def inputs(rows: list[dict[str, Any]]) -> list[Any]:
    return [{key: row[key] for key in ("text", "head", "tail")} for row in rows]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("relations") / "who.jsonl", relations(300, 0))


TRAINING: dict[str, Any] = {
    "train": {"num_train_epochs": 20, "learning_rate": 3e-3, "per_device_train_batch_size": 8, "precision": "fp32"},
    "validation": {"early_stopping_patience": None},
}


@pytest.fixture(scope="module")
def bundle(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    base = tiny.make(folder / "base", texts=[*PEOPLE[:2], *PLACES[:2], *PATTERNS[0]], max_length=64)
    run = luthier.train(data, model=str(base), out=folder / "who", seed=1, progress=False,
                        evaluation={"bootstrap": 100}, **TRAINING)
    assert run.recipe.task == {"name": "relations", "negative": None}
    assert run.recipe.validation.metric_for_best_model == "relation_f1"
    scores = run.scores["systems"]
    assert scores["tuned"]["metrics"]["relation_f1"] > 0.9
    assert scores["tuned"]["metrics"]["relation_f1"] > scores["untuned"]["metrics"]["relation_f1"]
    assert not run.warnings
    return run.path


pytestmark = pytest.mark.slow


def test_the_bundle_says_what_it_is(bundle: Path) -> None:
    manifest = read_manifest(bundle)
    names = ("lives(e1,e2)", "lives(e2,e1)", "Other", "works(e1,e2)", "works(e2,e1)")
    assert (manifest.labels.names, manifest.labels.negative) == (names, "Other")
    assert manifest.output_names == tuple(f"{side}:{name}" for side in ("head", "tail") for name in names)
    assert (manifest.pair, manifest.length.policy) == (False, "window")
    assert set(manifest.scores["tuned"]) == {"relation_f1", "accuracy", "f1_macro", "f1_micro"}
    assert verify(bundle).ok
    assert all(probe.arguments for probe in read_probes(bundle))
    card = (bundle / "README.md").read_text(encoding="utf-8")
    for said in ("pipeline_tag: token-classification", "AutoModelForTokenClassification", "two marked stretches",
                 "'Other' stands for none of them", '"head": {"start": 4, "end": 8}',
                 '"The @ ring @ was in a # box # ."'):
        assert said in card
    page = (bundle / "report" / "index.html").read_text(encoding="utf-8")
    for said in ('id="classes"', 'id="confusion"', "Relation F1", "SemEval-2010 Task 8"):
        assert said in page
    document = json.loads((bundle / "report" / "scores.json").read_text(encoding="utf-8"))
    assert "verdict" in document["comparisons"]["baseline"]["relation_f1"]


def test_plain_transformers_gives_the_same_answer(bundle: Path) -> None:
    import torch
    from transformers import AutoModelForTokenClassification, AutoTokenizer

    model = AutoModelForTokenClassification.from_pretrained(str(bundle)).eval()
    batch = AutoTokenizer.from_pretrained(str(bundle))("7 # Bob # works in @ Oslo @ .", return_tensors="pt")
    tokens = batch.tokens()
    with torch.inference_mode():
        head, tail = model(**batch).logits[0].chunk(2, dim=-1)
    shares = torch.softmax(head[tokens.index("@")] + tail[tokens.index("#")], -1)
    with luthier.load(bundle, backend="torch") as predictor:
        (answer,) = predictor.predict([Marked("7 Bob works in Oslo .", Argument(15, 19), Argument(2, 5))])
    assert np.allclose(answer.probabilities, shares.numpy(), atol=1e-5)
    assert answer.label == "works(e2,e1)"


@pytest.mark.parametrize("backend", ["torch-fp32", "torch-bf16", "native", "onnxruntime", "openvino"])
def test_every_backend_agrees_with_the_reference(bundle: Path, backend: str) -> None:
    rows = [*inputs(relations(40, 3)), Marked("王芳在北京。" * 40, Argument(0, 2), Argument(237, 239))]
    with Predictor.open(bundle, backend="torch") as reference, Predictor.open(bundle, backend=backend) as other:
        expected, _ = reference.logits(rows)
        found, _ = other.logits(rows)
        for one, right in zip(found, expected, strict=True):
            assert one.shape == right.shape
            assert (np.abs(one - right) <= other.backend.tolerance * (1 + np.abs(right))).all()
        if backend in ("torch-fp32", "onnxruntime"):
            assert [a.label for a in reference.predict(rows)] == [a.label for a in other.predict(rows)]


def test_odd_texts_are_answered_and_order_does_not_matter(bundle: Path) -> None:
    rows = [Marked("👩‍👩‍👧 @ # Ünïcödé", Argument(0, 5), Argument(10, 17)), Marked("\ufeff\u200bx \ud800y",
            Argument(2, 3), Argument(5, 6)), Marked("ab", Argument(0, 2), Argument(1, 2)), *inputs(relations(5, 9))]
    with luthier.load(bundle) as predictor:
        together = predictor.predict(rows)
        assert [one.to_dict() for one in predictor.stream(iter(rows))] == [one.to_dict() for one in together]
        backwards = predictor.predict(rows[::-1])[::-1]
    for one, other in zip(together, backwards, strict=True):
        assert np.allclose(one.probabilities, other.probabilities, atol=0.02)
    assert not any(one.truncated for one in together)


@pytest.mark.parametrize(("middle", "person", "place"), [
    ("Ann lives in Oslo .", "Ann", "Oslo"), ("王芳工作于上海。", "王芳", "上海")])
def test_a_pair_in_the_middle_of_a_long_text_is_told_by_what_is_around_it(
    bundle: Path, middle: str, person: str, place: str,
) -> None:
    rows = []
    for filler in ("0 . 👩‍👩‍👧 ，　", "1 ; 👨‍👨‍👦 、　"):  # the same number of tokens
        text = f"{filler * 100}{'0 ' * 40}{middle}{' 0' * 40}{filler * 100}"
        ends = [(text.index(word), text.index(word) + len(word)) for word in (person, place)]
        rows.append(Marked(text, *(Argument(*one) for one in ends)))
    with luthier.load(bundle) as predictor:
        ragged = predictor.encode(rows)
        one, other = predictor.predict(rows)
    assert len(ragged) == 2
    assert [row.sum() for row in mark_bits(ragged, rows)] == [3, 3]
    assert one.truncated
    assert np.array_equal(one.probabilities, other.probabilities)


def test_files_are_answered_and_scored(bundle: Path, data: Path, tmp_path: Path) -> None:
    done = predict_file(bundle, data, tmp_path / "out.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert done.rows == len(rows) == 300
    assert set(rows[0]) == {"id", "text", "head", "tail", "relation", "label", "labels", "score", "probabilities",
                            "truncated"}
    assert sum(row["label"] == row["relation"] for row in rows) > 270
    scored = luthier.evaluate(bundle, data, report=tmp_path / "report", json=tmp_path / "scores.json")
    assert scored.scores.values["relation_f1"] > 0.9
    assert json.loads((tmp_path / "scores.json").read_text())["metrics"] == scored.scores.values


def test_a_table_of_tagged_texts_is_scored_and_answered_without_labels(bundle: Path, tmp_path: Path) -> None:
    rows = relations(40, 5)
    lines = []
    for row in rows:
        ends = sorted([(row["head"]["start"], "<e1>"), (row["head"]["end"], "</e1>"), (row["tail"]["start"], "<e2>"),
                       (row["tail"]["end"], "</e2>")], reverse=True)
        text = row["text"]
        for place, tag in ends:
            text = text[:place] + tag + text[place:]
        lines.append((text, row["relation"]))
    file = tmp_path / "rows.csv"
    file.write_text("sentence,label\n" + "".join(f'"{text}","{label}"\n' for text, label in lines), encoding="utf-8")
    assert luthier.evaluate(bundle, file).scores.values["relation_f1"] > 0.8
    file.write_text("sentence\n" + "".join(f'"{text}"\n' for text, _ in lines), encoding="utf-8")
    predict_file(bundle, file, tmp_path / "out.csv")
    out = (tmp_path / "out.csv").read_text(encoding="utf-8-sig").splitlines()
    assert out[0] == "id,sentence,label,score,truncated"
    assert sum(f",{row['relation']}," in line.replace('"', "") for row, line in zip(rows, out[1:], strict=True)) > 30


def test_the_server_answers(bundle: Path) -> None:
    row = {"text": "0 王芳住在上海。", "head": {"start": 2, "end": 4}, "tail": {"start": 6, "end": 8, "type": "city"}}
    bare = {**row, "tail": {"start": 6, "end": 8}}
    with TestClient(create_app(Repository([luthier.load(bundle)]))) as client:
        (one, _) = client.post("/predict", json={"inputs": [bare, row]}).json()["predictions"]
        assert set(one) == {"label", "labels", "score", "probabilities", "truncated"}
        assert one["label"] == "lives(e1,e2)"
        assert client.post("/predict", json={"inputs": bare}).json()["predictions"]["label"] == "lives(e1,e2)"
        wrong = client.post("/predict", json={"inputs": {**row, "tail": {"start": 6, "end": 60}}})
        assert wrong.status_code == 422
        assert "inputs: tail: 6-60 lies outside the text of 9 characters" in wrong.json()["error"]
        assert client.get("/ready").json()["models"][0]["problem_type"] == "relation_classification"
        assert 'label="lives(e1,e2)"' in client.get("/metrics").text


@pytest.mark.parametrize(("rows", "said"), [
    ([["a", "b"]], "row 0: expected a text with two marked stretches, got list"),
    ([{"text": "a b", "head": {"start": 0, "end": 1}}], "row 0: has no 'tail'"),
    ([Marked("a b", Argument(0, 1), Argument(2, 9))], "row 0: tail: 2-9 lies outside the text of 3 characters"),
    (Marked("a b", Argument(0, 1), Argument(2, 3)), "expected a list of texts with what is marked in them, got one"),
])
def test_what_is_no_marked_text_is_refused_by_its_row(bundle: Path, rows: Any, said: str) -> None:
    with luthier.load(bundle) as predictor, pytest.raises(DataError) as error:
        predictor.predict(rows)
    assert said in str(error.value)


def test_an_adapter_learns_too(data: Path, bundle: Path, tmp_path: Path) -> None:
    run = luthier.train(data, model=str(bundle.parent / "base"), method="lora", out=tmp_path / "out", seed=1,
                        progress=False, evaluation={"bootstrap": 100, "baseline": False, "untuned": False},
                        validation=TRAINING["validation"],
                        train={**TRAINING["train"], "learning_rate": 5e-3, "head_learning_rate": 1e-2})
    assert run.scores["systems"]["tuned"]["metrics"]["relation_f1"] > 0.4  # of chance 0.2
    assert verify(run.path).ok


def test_the_label_of_no_relation_can_be_named_and_must_be_there(data: Path, bundle: Path, tmp_path: Path) -> None:
    base = str(bundle.parent / "base")
    short = {"progress": False, "train": {"num_train_epochs": 1},
             "evaluation": {"bootstrap": 100, "baseline": False, "untuned": False}}
    run = luthier.train(data, model=base, out=tmp_path / "a", overrides=["task.name=relations", "task.negative=none"],
                        **short)
    assert read_manifest(run.path).labels.negative is None
    with pytest.raises(RecipeError, match=r"(?s)task.negative is 'Othr', which is no label.*did you mean 'Other'"):
        luthier.train(data, model=base, out=tmp_path / "b", overrides=["task.name=relations", "task.negative=Othr"],
                      **short)


def test_what_does_not_fit_is_refused(tiny_csv: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not mark two stretches of each text"):
        luthier.train(tiny_csv, task="relations", out=tmp_path / "a", progress=False)
