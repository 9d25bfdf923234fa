"""Similarity from a file to a served answer: runs of a tiny model, and what every door says of it."""

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
from luthier.data import Columns
from luthier.errors import DataError, RecipeError
from luthier.inference import Predictor, verify
from luthier.models import tiny
from luthier.pipeline import predict_file
from luthier.schema import Embedding, Passage, Similarity
from luthier.serving.app import create_app
from luthier.serving.repository import Repository

WORDS = (("buy", "purchase"), ("car", "automobile"), ("big", "large"), ("start", "begin"), ("kid", "child"),
         ("quick", "fast"), ("shop", "store"), ("dad", "father"), ("买", "购"), ("车", "汽"), ("大", "巨"))
ODD = ["", " ", "e\u0301", "é", "👍👍🏽", "ＡＢ　Ｃ", "a\u200bb", "车" * 300, "\u202eabc"]
TRAIN = {"num_train_epochs": 6, "learning_rate": 2e-3, "per_device_train_batch_size": 32, "precision": "fp32"}

pytestmark = pytest.mark.slow


def said(words: Any, side: int) -> str:
    return " ".join(WORDS[word][side] for word in words)


def write(path: Path, rows: int, *, scored: bool = False) -> Path:
    random = np.random.default_rng(0)
    with path.open("w", encoding="utf-8") as file:
        for _ in range(rows):
            one, other = random.permutation(len(WORDS))[:4], random.permutation(len(WORDS))[:4]
            row: dict[str, Any] = {"query": said(one, 0), "pos": [said(one, 1)], "neg": [said(other, 1)]}
            if scored:
                shared = int(random.integers(0, 5))
                other[:shared] = one[:shared]
                row = {"sentence1": said(one, 0), "sentence2": said(other, 1), "score": len({*one} & {*other})}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return path


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    texts = [word for pair in WORDS for word in pair]
    return tiny.make(tmp_path_factory.mktemp("base") / "base", texts=texts, max_length=64)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("pairs") / "pairs.jsonl", 300)


@pytest.fixture(scope="module")
def bundle(data: Path, base: Path) -> Path:
    run = luthier.train(data, task="similarity", model=str(base), out=data.parent / "out", seed=1, threads=1,
                        progress=False, train=TRAIN, evaluation={"bootstrap": 100},
                        overrides=["task.query_prefix='query: '", "task.passage_prefix='passage: '"])
    scores = {name: one["metrics"]["ndcg@10"] for name, one in run.scores["systems"].items()}
    assert scores["tuned"] > scores["untuned"] + 0.1
    assert scores["tuned"] > scores["baseline"]
    assert run.recipe.task["name"] == "similarity"
    assert run.recipe.validation.metric_for_best_model == "ndcg@10"
    assert not run.warnings
    return run.path


def test_the_bundle_says_what_it_is(bundle: Path) -> None:
    manifest = read_manifest(bundle)
    assert (manifest.labels.names, manifest.labels.problem_type) == (("relevant",), "retrieval")
    assert (manifest.output_names, manifest.pair) == (("embedding",), None)
    assert manifest.scores["tuned"]["ndcg@10"] > 0.2
    config = json.loads((bundle / "config.json").read_text(encoding="utf-8"))
    assert (config["architectures"], config["id2label"]) == (["BertModel"], {"0": "embedding"})
    assert verify(bundle).ok
    card = (bundle / "README.md").read_text(encoding="utf-8")
    assert "pipeline_tag: sentence-similarity" in card
    assert "puts `query: ` before queries and `passage: ` before passages" in card
    page = (bundle / "report" / "index.html").read_text(encoding="utf-8")
    assert 'id="depth"' in page
    for absent in ("confusion", "curves", "classes"):
        assert f'id="{absent}"' not in page


def test_sentence_transformers_finds_its_files(bundle: Path) -> None:
    modules = json.loads((bundle / "modules.json").read_text(encoding="utf-8"))
    assert [one["path"] for one in modules] == ["", "1_Pooling", "2_Normalize"]
    assert json.loads((bundle / "1_Pooling/config.json").read_text(encoding="utf-8"))["pooling_mode_mean_tokens"]
    prompts = json.loads((bundle / "config_sentence_transformers.json").read_text(encoding="utf-8"))["prompts"]
    assert prompts == {"query": "query: ", "document": "passage: ", "passage": "passage: "}


def test_plain_transformers_gives_the_same_vector(bundle: Path) -> None:
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging

    logging.set_verbosity_error()  # a pooler that nobody asks is new
    model, tokenizer = AutoModel.from_pretrained(bundle).eval(), AutoTokenizer.from_pretrained(bundle)
    with luthier.load(bundle, backend="torch") as predictor:
        for prefix, text in (("query: ", "buy car"), ("passage: ", Passage("purchase 车"))):
            batch = tokenizer(prefix + text, return_tensors="pt")
            mean = model(**batch).last_hidden_state.mean(1)[0]
            (ours,) = predictor.predict([text])
            assert isinstance(ours, Embedding)
            assert ours.vector == pytest.approx((mean / mean.norm()).detach().numpy(), abs=1e-5)


@pytest.mark.parametrize("backend", ["torch-fp32", "torch-bf16", "native", "onnxruntime", "openvino"])
def test_every_backend_agrees_with_the_reference(bundle: Path, backend: str) -> None:
    texts = [*ODD, *(said([n % 11, n % 7, n % 5], n % 2) for n in range(40)), ("buy car", "purchase automobile")]
    with Predictor.open(bundle, backend="torch") as reference, Predictor.open(bundle, backend=backend) as other:
        expected, cut = reference.logits(texts)
        found, _ = other.logits(texts)
        assert found.shape == expected.shape == (len(texts) + 1, 32)
        assert np.linalg.norm(found, axis=1) == pytest.approx(1.0, abs=1e-5)
        assert (np.sum(found * expected, axis=1) > (0.999 if other.backend.tolerance > 0.01 else 1 - 1e-6)).all()
        assert cut[ODD.index("车" * 300)]


def test_texts_and_pairs_are_answered_together(bundle: Path) -> None:
    with luthier.load(bundle, backend="torch") as predictor:
        one, other, pair, passage = predictor.predict(["buy car", "big kid", ("buy car", "big kid"),
                                                       Passage("big kid")])
        assert isinstance(one, Embedding)
        assert isinstance(pair, Similarity)
        assert pair.score == pytest.approx(float(one.vector @ passage.vector), abs=1e-5)
        assert not np.allclose(other.vector, passage.vector)
        assert predictor.predict([]) == []
        assert [answer.truncated for answer in predictor.stream(["x", ("车" * 300, "x")])] == [False, True]
        for wrong in (7, ("a", "b", "c"), None):
            with pytest.raises(DataError, match=r"row 0: expected a text or a pair(.|\n)*embedded"):
                predictor.predict([wrong])


def test_a_corpus_is_searched(bundle: Path) -> None:
    passages = [said(words, 1) for words in ((0, 1, 2), (3, 4, 5), (6, 7, 8), (8, 9, 10))]
    with luthier.load(bundle) as predictor:
        corpus = luthier.Corpus.of(predictor, passages)
        found = corpus.search([said((3, 4, 5), 0), said((8, 9, 10), 0)], k=2)
        assert [hits[0].text for hits in found] == [passages[1], passages[3]]
        assert all(hits[0].score >= hits[1].score for hits in found)
        assert corpus.search([]) == []
        assert len(corpus.search(["buy"], k=9)[0]) == 4
        assert luthier.Corpus.of(predictor, (text for text in passages)).texts == tuple(passages)  # type: ignore[arg-type]
        assert luthier.Corpus.of(predictor, []).search(["buy"]) == [[]]
        for wrong in ("abc", [None], [5]):
            with pytest.raises(DataError, match="expected a"):
                luthier.Corpus.of(predictor, wrong)
        with pytest.raises(ValueError, match="k must be 1 or more"):
            corpus.search(["buy"], k=0)
        with pytest.raises(DataError, match=r"1 of 1 rows are pairs(.|\n)*not pairs"):
            corpus.search([("a", "b")])  # type: ignore[list-item]


def test_files_are_answered_and_scored(bundle: Path, data: Path, tmp_path: Path) -> None:
    done = predict_file(bundle, data, tmp_path / "out.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert done.rows == len(rows) == 300
    assert list(rows[0]) == ["id", "query", "pos", "neg", "embedding", "truncated"]
    assert len(rows[0]["embedding"]) == 32
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text(json.dumps({"pos": "big kid", "query": "big kid"}) + "\n", encoding="utf-8")
    seen: list[Any] = []
    for column in ("pos", "query"):
        predict_file(bundle, corpus, tmp_path / f"{column}.jsonl", columns=Columns(text=column), listener=seen.append)
    assert sum("embedded as passages" in event.get("text", "") for event in seen) == 1
    given = [json.loads((tmp_path / f"{column}.jsonl").read_text(encoding="utf-8"))["embedding"]
             for column in ("pos", "query")]
    with luthier.load(bundle) as predictor:
        expected = [answer.vector for answer in predictor.predict([Passage("big kid"), "big kid"])]
    assert given[0] == pytest.approx(expected[0], abs=0.02)
    assert given[1] == pytest.approx(expected[1], abs=0.02)
    assert given[0] != pytest.approx(given[1], abs=0.02)
    pairs = write(tmp_path / "scored.jsonl", 20, scored=True)
    predict_file(bundle, pairs, tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(encoding="utf-8-sig") as file:
        table = list(csv.DictReader(file))
    assert list(table[0]) == ["id", "sentence1", "sentence2", "given_score", "score", "truncated"]
    scored = luthier.evaluate(bundle, data, report=tmp_path / "report", json=tmp_path / "scores.json")
    assert scored.scores.values["triplet_accuracy"] > 0.7
    assert json.loads((tmp_path / "scores.json").read_text())["metrics"] == scored.scores.values
    assert (tmp_path / "report" / "index.html").is_file()


def test_the_server_answers_with_vectors_and_scores(bundle: Path) -> None:
    predictor = luthier.load(bundle)
    with TestClient(create_app(Repository([predictor]))) as client:
        body = client.post("/predict", json={"inputs": ["buy car", ["buy car", "big kid"], {"passage": "big kid"},
                                                        {"query": "buy car", "passage": "big kid"}]}).json()
        text, pair, passage, search = body["predictions"]
        assert set(text) == {"embedding", "truncated"}
        assert set(pair) == {"score", "truncated"}
        assert pair == search
        assert np.dot(text["embedding"], passage["embedding"]) == pytest.approx(pair["score"], abs=1e-3)
        single = client.post("/predict", json={"inputs": {"query": "大 车 👍"}}).json()["predictions"]
        assert np.linalg.norm(single["embedding"]) == pytest.approx(1.0, abs=1e-4)
        assert client.get("/ready").json()["models"][0]["pair"] is None
        refused = client.post("/predict", json={"inputs": {"query": "a", "document": "b"}})
        assert (refused.status_code, "unknown key" in refused.json()["error"]) == (422, True)
        assert client.post("/predict", json={"inputs": [["a", "b", "c"]]}).status_code == 422
        assert client.post("/predict", json={"inputs": {"passage": 7}}).status_code == 422
        assert "EmbeddingBody" in client.get("/openapi.json").text


@pytest.mark.parametrize("method", ["lora", "freeze"])
def test_pairs_with_a_score_by_other_methods(base: Path, tmp_path: Path, method: str) -> None:
    data = write(tmp_path / "scored.jsonl", 300, scored=True)
    run = luthier.train(data, task="similarity", model=str(base), method=method, out=tmp_path / "out", seed=1,
                        threads=1, progress=False, train={**TRAIN, "learning_rate": 5e-3},
                        evaluation={"bootstrap": 100})
    scores = {name: one["metrics"]["spearman"] for name, one in run.scores["systems"].items()}
    assert scores["tuned"] > scores["untuned"] + 0.1
    assert run.recipe.validation.metric_for_best_model == "spearman"
    assert read_manifest(run.path).labels.problem_type == "similarity"
    assert verify(run.path).ok
    (answer,) = luthier.load(run.path).predict([("buy car", "purchase automobile")])
    assert -1 <= answer.score <= 1


def test_a_bundle_is_tuned_on_with_its_own_prefixes(bundle: Path, data: Path, tmp_path: Path) -> None:
    again = luthier.train(data, model=str(bundle), out=tmp_path / "again", seed=1, threads=1, progress=False,
                          train={**TRAIN, "num_train_epochs": 1, "learning_rate": 1e-5},
                          evaluation={"bootstrap": 100, "baseline": False})
    assert again.recipe.task["query_prefix"] == "query: "
    assert again.scores["systems"]["untuned"]["metrics"]["ndcg@10"] > 0.2


def test_what_does_not_fit_is_refused(data: Path, bundle: Path, base: Path, tmp_path: Path) -> None:
    options = {"model": str(base), "progress": False, "out": tmp_path / "out"}
    with pytest.raises(RecipeError, match=r"asks for windows(.|\n)*leave model.overlap out"):
        luthier.train(data, overrides=["model.overlap=4"], **options)
    with pytest.raises(RecipeError, match="known: ndcg@10"):
        luthier.train(data, overrides=["validation.metric_for_best_model=spearman"], **options)
    with pytest.raises(RecipeError, match="texts that are compared have no classes to weigh"):
        luthier.train(data, train={**TRAIN, "class_weights": {"relevant": 2.0}}, **options)
    lone = tmp_path / "lone.csv"
    lone.write_text("text\n" + "\n".join(f"text {n}" for n in range(20)), encoding="utf-8")
    with pytest.raises(DataError, match=r"no columns of queries and passages(.|\n)*--text QUERY --label PASSAGE"):
        luthier.train(lone, task="similarity", **options)
