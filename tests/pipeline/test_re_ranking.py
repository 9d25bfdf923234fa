"""Re-ranking from a file to a served order: a tiny model learns what no counting of shared words can tell."""

from __future__ import annotations

import csv
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
from luthier.inference.search import Hit
from luthier.models import tiny
from luthier.pipeline import predict_file
from luthier.schema import Candidates, Relevance, Reranked
from luthier.serving.app import create_app
from luthier.serving.repository import Repository

pytestmark = pytest.mark.slow

ASKS = (("price", "costs"), ("hours", "opens"), ("place", "stands"), ("owner", "belongs"))
"""What is asked and what answers it: the words share nothing, and a topic has a passage for each."""
TRAIN = {"num_train_epochs": 4, "learning_rate": 2e-3, "per_device_train_batch_size": 16, "precision": "fp32"}
OWN = ["task.negatives=3", "task.validation_candidates=3"]
SCORED = {"bootstrap": 100, "candidates": 4}


def topic(number: int) -> str:
    return "".join("bdfgklmnprst"[number // 12**place % 12] + "aeiou"[(number * 7 + place) % 5] for place in range(3))


TOPICS = [topic(number * 21 + 5) for number in range(80)]


def write(path: Path, *, judged: bool = False) -> Path:
    with path.open("w", encoding="utf-8") as file:
        for name in TOPICS:
            for asks, _ in ASKS:
                said = {f"{name} {word}": 2 * (other == asks) for other, word in ASKS}
                right = [text for text, grade in said.items() if grade]
                rows: list[dict[str, Any]] = [{"query": f"{asks} {name}", "pos": right,
                                               "neg": [text for text in said if text not in right]}]
                if judged:
                    rows = [{"query": f"{asks} {name}", "passage": text, "relevance": grade}
                            for text, grade in said.items()]
                file.writelines(json.dumps(row) + "\n" for row in rows)
    return path


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    texts = [*TOPICS, *(word for pair in ASKS for word in pair)]
    return tiny.make(tmp_path_factory.mktemp("base") / "base", texts=texts, max_length=64)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("rows") / "rows.jsonl")


@pytest.fixture(scope="module")
def bundle(data: Path, base: Path) -> Path:
    run = luthier.train(data, task="re-ranking", model=str(base), out=data.parent / "out", seed=1, threads=1,
                        progress=False, train=TRAIN, evaluation=SCORED, overrides=OWN)
    scores = {name: one["metrics"] for name, one in run.scores["systems"].items()}
    assert scores["tuned"]["recall@1"] > 0.8
    assert scores["baseline"]["recall@1"] < 0.5  # the words of a question and of its answer share nothing
    assert scores["untuned"]["recall@1"] < 0.5
    assert {one["recall@candidates"] for one in scores.values()} == {1.0}
    assert not run.warnings
    return run.path


def test_the_bundle_says_what_it_is(bundle: Path) -> None:
    manifest = read_manifest(bundle)
    assert (manifest.labels.names, manifest.labels.problem_type) == (("relevant",), "re_ranking")
    assert (manifest.output_names, manifest.pair) == (("relevant",), True)
    config = json.loads((bundle / "config.json").read_text(encoding="utf-8"))
    assert (config["architectures"], config["id2label"]) == (["BertForSequenceClassification"], {"0": "relevant"})
    assert config.get("problem_type") is None
    assert verify(bundle).ok
    card = (bundle / "README.md").read_text(encoding="utf-8")
    assert "pipeline_tag: text-ranking" in card
    assert "a passage that the first search misses stays missed" in card
    page = (bundle / "report" / "index.html").read_text(encoding="utf-8")
    assert 'id="depth"' in page
    assert "Right passages among the candidates" in page


def test_plain_transformers_gives_the_same_score(bundle: Path) -> None:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    model = AutoModelForSequenceClassification.from_pretrained(bundle).eval()
    batch = AutoTokenizer.from_pretrained(bundle)(f"price {TOPICS[0]}", f"{TOPICS[0]} costs", return_tensors="pt")
    with luthier.load(bundle, backend="torch") as predictor:
        (ours,) = predictor.predict([(f"price {TOPICS[0]}", f"{TOPICS[0]} costs")])
    assert ours.score == pytest.approx(model(**batch).logits[0, 0].sigmoid().item(), abs=1e-5)


@pytest.mark.parametrize("backend", ["torch-fp32", "torch-bf16", "native", "onnxruntime", "openvino"])
def test_every_backend_agrees_with_the_reference(bundle: Path, backend: str) -> None:
    rows = [(f"price {name}", f"{name} {word}") for name in TOPICS[:20] for _, word in ASKS]
    with Predictor.open(bundle, backend="torch") as reference, Predictor.open(bundle, backend=backend) as other:
        expected, found = reference.logits(rows)[0], other.logits(rows)[0]
        assert found.shape == expected.shape == (80, 1)
        assert np.abs(found - expected).max() < 10 * other.backend.tolerance


def test_lists_and_pairs_are_answered_together(bundle: Path) -> None:
    name = TOPICS[3]
    passages = [f"{name} {word}" for _, word in ASKS]
    with luthier.load(bundle, backend="torch") as predictor:
        order, pair, same, empty = predictor.predict([
            {"query": f"hours {name}", "passages": passages}, (f"hours {name}", passages[1]),
            Candidates(f"hours {name}", tuple(passages)), Candidates("hours", ())])
        assert isinstance(order, Reranked)
        assert isinstance(pair, Relevance)
        assert (order.results[0].index, order, empty) == (1, same, Reranked(()))
        assert order.results[0].score == pytest.approx(pair.score, abs=1e-6)
        assert sorted(one.index for one in order.results) == [0, 1, 2, 3]
        (cut,) = predictor.stream([{"query": "a", "passages": ["b", "word " * 200]}])
        assert cut.truncated
        for wrong, said in ((7, "expected a query with passages"), ("text", "expected a query with passages"),
                            ({"query": 7, "passages": []}, 'expected a text for "query"'),
                            ({"query": "a", "passages": "b"}, 'expected a list of texts for "passages"'),
                            ({"query": "a", "passage": "b"}, "unknown key 'passage'"),
                            (Candidates("a", (7,)), "expected a list of texts")):  # type: ignore[arg-type]
            with pytest.raises(DataError, match=rf"row 0: {said}(.|\n)*to have several ordered"):
                predictor.predict([wrong])
        with pytest.raises(DataError, match="expected a list of pairs of texts, got one Candidates"):
            predictor.predict(Candidates("a", ("b",)))


def test_what_a_search_found_is_ordered(bundle: Path) -> None:
    name = TOPICS[5]
    passages = [f"{name} {word}" for _, word in ASKS]
    with luthier.load(bundle) as predictor:
        best, *_ = found = luthier.rerank(predictor, f"owner {name}", passages, k=2)
        assert (best.number, best.text, len(found)) == (3, passages[3], 2)
        hits = [Hit(40 + place, 0.5, text) for place, text in enumerate(passages)]
        assert [one.number for one in luthier.rerank(predictor, f"place {name}", hits)][0] == 42
        assert luthier.rerank(predictor, "owner", []) == []
        with pytest.raises(ValueError, match="k must be 1 or more, got 0"):
            luthier.rerank(predictor, "owner", passages, k=0)
        with pytest.raises(DataError, match=r"gives texts no vectors"):
            luthier.Corpus.of(predictor, passages)


def test_files_are_answered_and_scored(bundle: Path, data: Path, tmp_path: Path) -> None:
    judged = write(tmp_path / "judged.jsonl", judged=True)
    done = predict_file(bundle, judged, tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(encoding="utf-8-sig") as file:
        table = list(csv.DictReader(file))
    assert done.rows == len(table) == 1280
    assert list(table[0]) == ["id", "query", "passage", "relevance", "score", "truncated"]
    lists = tmp_path / "lists.jsonl"
    lists.write_text(json.dumps({"query": f"price {TOPICS[0]}", "passages": [f"{TOPICS[0]} {word}" for _, word in ASKS]}
                                ) + "\n", encoding="utf-8")
    predict_file(bundle, lists, tmp_path / "out.jsonl")
    (row,) = map(json.loads, (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines())
    assert list(row) == ["id", "query", "passages", "results", "truncated"]
    assert row["results"][0]["index"] == 0
    whole = luthier.evaluate(bundle, data, report=tmp_path / "report", json=tmp_path / "scores.json")
    gathered = luthier.evaluate(bundle, judged)
    assert gathered.scores.values == whole.scores.values  # 320 queries either way, and as deep as in training
    assert json.loads((tmp_path / "scores.json").read_text())["rows"] == gathered.scores.rows == 320


def test_the_server_orders(bundle: Path) -> None:
    predictor, name = luthier.load(bundle), TOPICS[7]
    passages = [f"{name} {word}" for _, word in ASKS]
    with TestClient(create_app(Repository([predictor]))) as client:
        asked = {"query": f"price {name}", "passages": passages}
        order = client.post("/predict", json={"inputs": asked}).json()["predictions"]["results"]
        assert [one["index"] for one in order] == [one.index for one in predictor.predict([asked])[0].results]
        same = client.post("/rerank", json={"query": asked["query"], "documents": passages, "top_n": 1}).json()
        assert [one["index"] for one in same["results"]] == [order[0]["index"]] == [0]


def test_judged_pairs_are_learned_by_the_other_loss_and_method(base: Path, tmp_path: Path) -> None:
    run = luthier.train(write(tmp_path / "judged.jsonl", judged=True), task="re-ranking", model=str(base),
                        method="lora", out=tmp_path / "out", seed=1, threads=1, progress=False,
                        train={**TRAIN, "num_train_epochs": 1, "max_tokens_per_batch": 64},
                        evaluation={**SCORED, "untuned": False}, overrides=[*OWN, "task.loss=binary"])
    assert verify(run.path).ok
    assert run.recipe.data.label == "relevance"
    assert any("1,280 rows are 320" in note for note in run.data_report.notes)


def test_a_model_that_scores_pairs_keeps_its_head(bundle: Path, base: Path, data: Path, tmp_path: Path) -> None:
    again = luthier.train(data, task="re-ranking", model=str(bundle), out=tmp_path / "again", seed=1, threads=1,
                          progress=False, train={**TRAIN, "num_train_epochs": 1, "learning_rate": 1e-5},
                          evaluation={**SCORED, "baseline": False}, overrides=OWN)
    assert again.scores["systems"]["untuned"]["metrics"]["recall@1"] > 0.8
    with pytest.raises(RecipeError, match="model.overlap asks for windows"):
        luthier.train(data, task="re-ranking", model=str(base), out=tmp_path / "no", progress=False,
                      overrides=["model.overlap=8"])
