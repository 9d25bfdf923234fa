"""What the task of similarity makes of rows: sequences, prefixes, answers, and the vectors of all ways to compute."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from luthier.errors import DataError, ModelError
from luthier.inference.inputs import checked
from luthier.models.encoding import Encoder, Ragged
from luthier.schema import Embedding, Example, LabelSet, Passage, Passages, Similarity
from luthier.tasks import similarity as task
from luthier.tasks._sentence_transformers import PROMPTS, companions, known_prefixes

RETRIEVAL, SCORED = LabelSet(("relevant",), "retrieval"), LabelSet(("score",), "similarity")


@pytest.mark.parametrize(("model", "query"), [
    ("e5-small", "query: "), ("intfloat/multilingual-e5-small", "query: "), ("intfloat/e5-base-v2", "query: "),
    ("/models/E5-large", "query: "), ("minilm-l6", ""), ("intfloat/multilingual-e5-large-instruct", ""),
    ("sentence-transformers/all-MiniLM-L6-v2", ""), ("e5-mistral-7b", "")])
def test_models_are_known_by_their_prefixes(model: str, query: str) -> None:
    assert known_prefixes(model) == (query, "passage: " if query else "")


def test_a_directory_tells_its_own_prefixes(tmp_path: Path) -> None:
    told = companions("ask: ", "tell: ", width=8, max_length=16)
    (tmp_path / PROMPTS).write_text(json.dumps(told[PROMPTS]), encoding="utf-8")
    assert known_prefixes(str(tmp_path)) == ("ask: ", "tell: ")
    for broken in ("{", "[]", '{"prompts": null}'):
        (tmp_path / PROMPTS).write_text(broken, encoding="utf-8")
        assert known_prefixes(str(tmp_path)) == ("", "")


def test_prefixes_are_settled_by_rows_and_model() -> None:
    ranked, pair = Example("1", "q", passages=Passages(("p",))), Example("2", "a", "b", value=1.0)
    settled, told = task.settle(task.Settings(), [ranked], "e5-small")
    assert (settled.query_prefix, settled.passage_prefix) == ("query: ", "passage: ")
    assert told == ["query prefix: 'query: ', as e5-small was trained",
                    "passage prefix: 'passage: ', as e5-small was trained"]
    assert task.settle(task.Settings(), [pair], "e5-small")[0].passage_prefix == "query: "  # two equals
    own = task.settle(task.Settings(query_prefix=""), [ranked], "e5-small")[0]
    assert (own.query_prefix, own.passage_prefix) == ("", "passage: ")
    assert task.settle(task.Settings(), [ranked], "minilm-l6")[1] == []


def test_rows_become_sequences_with_their_prefixes() -> None:
    settings = task.Settings(query_prefix="q: ", passage_prefix="p: ", max_negatives=1)
    rows = [Example("1", "one", passages=Passages(("two", "三"), ("four", "five"))), Example("2", "a", "b", value=1.0)]
    learned = task.rows_of(rows, settings)
    assert learned == [("one", "two", "four"), ("one", "三", "four"), ("a", "b")]
    texts, owners = task.sequences([*learned, " alone", Passage("found")], settings)
    assert texts == ["q: one", "p: two", "p: four", "q: one", "p: 三", "p: four", "q: a", "p: b", "q: alone",
                     "p: found"]
    assert owners.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 3, 4]
    assert task.sequences([" alone"], task.Settings())[0] == [" alone"]
    assert task.sequences([], settings)[0] == []


def test_targets_number_equal_texts_alike() -> None:
    rows = [Example(f"{n}", "q", passages=Passages(("p",), ("n",))) for n in range(2)]
    ragged = Ragged([[1], [2], [3], [1], [2], [4]], None, np.zeros(6, np.bool_), owners=np.repeat([0, 1], 3))
    assert task.targets(rows, RETRIEVAL, ragged).tolist() == [
        [0, 0, 0], [0, 1, 1], [0, 2, 2], [1, 0, 0], [1, 1, 1], [1, 2, 3]]
    pairs = [Example("1", "a", "b", value=2.5)]
    assert task.targets(pairs, SCORED, Ragged([[1], [2]], None, np.zeros(2, np.bool_), owners=np.zeros(2, np.int64))
                        ).tolist() == [2.5, 2.5]
    for labels, what in ((RETRIEVAL, "expected passages"), (SCORED, "expected a score")):
        with pytest.raises(DataError, match=rf"x:1: {what}(.|\n)*leave it out"):
            task.targets([Example("x:1", "a", "b")], labels, ragged)
    with pytest.raises(DataError, match="sequences of the rows are not known"):
        task.targets(rows, RETRIEVAL)


def test_answers_say_what_they_are() -> None:
    vector = Embedding(np.array([0.6, -0.8], np.float32), truncated=True)
    assert vector.to_dict() == {"embedding": [0.6, -0.8], "truncated": True}
    pair = Similarity(0.12345678)
    assert pair.to_dict() == {"score": 0.123457, "truncated": False}
    assert (vector.label, vector.labels, pair.label, pair.labels) == ("", (), "", ())
    assert task.firm(np.zeros((2, 2), np.float32), None, ["a", "b"], RETRIEVAL, None, 0.1) == [True, True]  # type: ignore[arg-type]


def test_one_text_or_two_are_taken_and_nothing_else() -> None:
    rows = ["a", ("b", "c"), ["d", "e"], Passage("f")]
    assert checked(rows, pair=None) == rows
    with pytest.raises(DataError, match=r"row 5: expected a text or a pair of texts, got NoneType(.|\n)*compared"):
        checked([None], pair=None, first=5)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["bert", "roberta"])
def test_every_way_computes_the_same_vectors(tiny_model: Path, tmp_path: Path, kind: str) -> None:
    import torch
    from transformers import RobertaConfig, RobertaModel

    from luthier.models.architecture import config_of
    from luthier.models.building import load_classifier, quiet
    from luthier.models.forward import Forward
    from luthier.models.native import NativeClassifier, impossible, unfit

    base = tiny_model
    if kind == "roberta":
        torch.manual_seed(0)
        shape = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
        base = tmp_path / "base"
        with quiet():
            RobertaModel(RobertaConfig(vocab_size=4000, max_position_embeddings=80, pad_token_id=1, type_vocab_size=1,
                                       **shape)).save_pretrained(base)
    built = task.build(base, RETRIEVAL)
    assert built.new_modules == ()
    assert built.model.pooler is None
    with quiet():
        built.model.save_pretrained(tmp_path / "saved")
    model = load_classifier(tmp_path / "saved")
    batch = Encoder.load(tiny_model, max_length=64).encode(["one", "二 三 four five", "", "long " * 90])
    given = {"input_ids": torch.from_numpy(batch.ids), "attention_mask": torch.from_numpy(batch.mask.astype(np.int64))}
    with torch.inference_mode():
        states = model(**given).last_hidden_state.numpy()
        vectors = model(**given).logits.numpy()
    for row, mask, vector in zip(states, batch.mask, vectors, strict=True):
        mean = row[mask].mean(0)  # (D,) of the real tokens
        assert vector == pytest.approx(mean / np.linalg.norm(mean), abs=1e-5)
    weights, config = model.state_dict(), config_of(model)
    assert Forward.of(config, weights, torch.float32)(batch).numpy() == pytest.approx(vectors, abs=1e-5)
    if impossible() is None and unfit(config) is None:
        native = NativeClassifier(config, lambda name: weights[name].numpy())(batch)
        assert np.sum(native * vectors, axis=1) == pytest.approx(1, abs=1e-3)


@pytest.mark.slow
def test_a_decoder_is_refused(tmp_path: Path) -> None:
    from transformers import LlamaConfig, LlamaModel

    from luthier.models.building import quiet

    with quiet():
        LlamaModel(LlamaConfig(vocab_size=50, hidden_size=16, intermediate_size=16, num_hidden_layers=1,
                               num_attention_heads=2, pad_token_id=0)).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match=r"holds a decoder(.|\n)*take an encoder"):
        task.build(tmp_path, RETRIEVAL)
