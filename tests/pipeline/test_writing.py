"""Texts for texts, from a file to a served answer: a tiny model that learns to turn words around."""

from __future__ import annotations

import csv
import hashlib
import html
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

import luthier
from luthier.bundle import read_manifest, read_probes
from luthier.cli import app
from luthier.errors import ModelError, ProbeError, RecipeError
from luthier.inference import Opening, Predictor, open_fastest, verify
from luthier.inference.opening import assemble
from luthier.inference.replaying import replay
from luthier.models.from_nothing import made_new
from luthier.models.tiny_generators import make_seq2seq
from luthier.pipeline import make_recipe, predict_file, run
from luthier.recipe import NewModelSettings
from luthier.schema import Generated
from luthier.serving.app import create_app
from luthier.serving.repository import Repository

pytestmark = pytest.mark.slow
WORDS = ("red", "green", "blue", "dog", "cat", "你好", "tree", "run")
SIZES = {"vocab_size": 300, "width": 48, "layers": 1, "heads": 2, "feed_forward": 128, "dropout": 0.0, "max_length": 64}
SETTINGS: dict[str, Any] = {
    "model": {"name": "new-seq2seq", "new": SIZES}, "seed": 1, "threads": 1, "prepare": {"split": (0.8, 0.1, 0.1)},
    "train": {"num_train_epochs": 25, "learning_rate": 3e-3, "precision": "fp32"},
    "validation": {"early_stopping_patience": None}, "evaluation": {"bootstrap": 100},
}
SHORT = {**SETTINGS, "train": {**SETTINGS["train"], "num_train_epochs": 2},
         "evaluation": {"bootstrap": 100, "baseline": False}, "task": {"name": "text-to-text", "decoding": {
             "max_new_tokens": 12}}}


def write(path: Path, rows: int) -> Path:
    random, seen = np.random.default_rng(0), set[tuple[str, ...]]()
    while len(seen) < rows:
        seen.add(tuple(random.choice(WORDS, random.integers(1, 5)).tolist()))
    path.write_text("".join(json.dumps({"source": " ".join(words), "target": " ".join(reversed(words))},
                                       ensure_ascii=False) + "\n" for words in sorted(seen)), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("turned") / "turned.jsonl", 800)


@pytest.fixture(scope="module")
def bundle(data: Path) -> Path:
    run = luthier.train(data, out=data.parent / "out", progress=False, **SETTINGS)
    tuned = run.scores["systems"]["tuned"]["metrics"]
    assert tuned["exact_match"] > 0.95
    assert tuned["chrf"] > run.scores["systems"]["baseline"]["metrics"]["chrf"] + 0.2
    assert run.recipe.task["name"] == "text-to-text"
    assert "untuned" not in run.scores["systems"]
    assert not run.warnings
    return run.path


def test_a_cache_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cache").write_text("a file", encoding="utf-8")
    monkeypatch.setenv("LUTHIER_CACHE", str(tmp_path / "cache"))
    with pytest.raises(ModelError, match=r"a new model cannot be written to .*\n  -> .*set LUTHIER_CACHE"):
        made_new(["a"], NewModelSettings(), seed=1)


def digest(bundle: Path) -> str:
    return hashlib.sha256((bundle / "model.safetensors").read_bytes()).hexdigest()


def test_the_bundle_says_what_it_is_and_proves_it(bundle: Path) -> None:
    manifest = read_manifest(bundle)
    assert (manifest.labels.names, manifest.labels.problem_type) == (("generated_text",), "text_generation")
    assert manifest.scores["tuned"]["exact_match"] > 0.95
    assert (manifest.base.name, manifest.base.source, manifest.kind) == ("new-seq2seq", "new", "full")
    report = verify(bundle)
    assert report.ok, report.lines()
    probes = read_probes(bundle)
    assert all(probe.label is not None and len(probe.logits) >= 1 for probe in probes)
    card = (bundle / "README.md").read_text(encoding="utf-8")
    assert "Writes a text for a text." in card
    assert "base_model" not in card.split("---")[1]
    page = (bundle / "report" / "index.html").read_text(encoding="utf-8")
    assert "chrF" in page
    events = (bundle / "events.jsonl").read_text(encoding="utf-8")
    assert "it was made from nothing" in events
    assert "every train and valid target fits" in events


def test_probes_weigh_texts_and_write_none(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from luthier.inference.backends.torch import TorchBackend

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("a text was written to open a bundle")

    monkeypatch.setattr(TorchBackend, "generate", never)
    Predictor.open(bundle).close()


def test_other_weights_are_found_out_by_what_they_make_of_the_texts(bundle: Path, tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    other = shutil.copytree(bundle, tmp_path / "other")
    weights = load_file(other / "model.safetensors")
    name = next(name for name in weights if name.endswith("decoder.layers.0.encoder_attn.v_proj.weight"))
    save_file({**weights, name: -weights[name]}, other / "model.safetensors", metadata={"format": "pt"})
    failed = [check.name for check in verify(other).checks if not check.ok]
    assert failed == ["files", "logits"]
    with assemble(other, read_manifest(other)) as opened, pytest.raises(
            ProbeError, match=r"logits differ, most for 'generated_text'.*\n"):
        replay(opened, other)


def test_plain_transformers_writes_the_same(bundle: Path) -> None:
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    text = "red dog 你好"
    model, tokenizer = AutoModelForSeq2SeqLM.from_pretrained(bundle).eval(), AutoTokenizer.from_pretrained(bundle)
    found = model.generate(**tokenizer(text, return_tensors="pt"), max_new_tokens=32, do_sample=False)
    (ours,) = luthier.load(bundle).predict([text])
    assert tokenizer.decode(found[0], skip_special_tokens=True) == ours.generated_text == "你好 dog red"
    assert ours.finish_reason == "stop"
    assert ours.score is not None
    assert ours.score > 0.5


def test_an_answer_does_not_depend_on_its_company_and_says_what_was_cut(bundle: Path) -> None:
    texts = ["red dog", "", "tree tree cat run", "blue " * 80, "你好"]
    with Predictor.open(bundle) as predictor:
        together = predictor.predict(texts)
        alone = [predictor.predict([text])[0] for text in texts]
        streamed = list(predictor.stream(iter(texts), window=2))
        assert predictor.predict([]) == []
        with pytest.raises(ModelError, match=r"writes texts, and has no logits.*\n.*use predict"):
            predictor.logits(["red"])
    assert [one.generated_text for one in together] == [one.generated_text for one in alone]
    assert [one.generated_text for one in together] == [one.generated_text for one in streamed]
    assert [one.truncated for one in together] == [False, False, False, True, False]
    assert all(isinstance(one, Generated) for one in together)


@pytest.mark.parametrize("backend", ["native", "onnxruntime", "openvino", "torch-bf16", "torch-fp32"])
def test_backends_that_cannot_write_say_so_and_are_not_chosen(bundle: Path, backend: str) -> None:
    with pytest.raises(ModelError, match=rf"backend {backend} gives one answer for a text.*\n.*--backend torch"):
        Predictor.open(bundle, backend=backend)
    predictor, said = open_fastest(bundle, measuring=True)
    assert predictor.backend.name == "torch"
    assert "it can write texts" in said
    predictor.close()


def test_files_are_answered_and_scored(bundle: Path, data: Path, tmp_path: Path) -> None:
    done = predict_file(bundle, data, tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert done.rows == len(rows) == 800
    assert list(rows[0]) == ["id", "source", "target", "generated_text", "score", "finish_reason", "truncated"]
    scored = luthier.evaluate(bundle, data, report=tmp_path / "report", json=tmp_path / "scores.json")
    right = np.mean([row["generated_text"] == row["target"] for row in rows])
    assert scored.scores.values["exact_match"] == pytest.approx(right)
    assert right > 0.95
    assert (tmp_path / "report" / "index.html").is_file()


def test_the_server_answers_with_texts(bundle: Path) -> None:
    with TestClient(create_app(Repository([luthier.load(bundle)]))) as client:
        body = client.post("/predict", json={"inputs": ["red dog", "你好 run cat"]}).json()
        assert [row["generated_text"] for row in body["predictions"]] == ["dog red", "cat run 你好"]
        assert set(body["predictions"][0]) == set(Generated.KEYS)
        assert client.post("/predict", json={"inputs": "tree"}).json()["predictions"]["finish_reason"] == "stop"
        assert client.get("/ready").json()["models"][0]["problem_type"] == "text_generation"
        assert "GeneratedBody" in client.get("/openapi.json").text
        refused = client.post("/predict", json={"inputs": [["a", "b"]]})
        assert (refused.status_code, "takes single texts" in refused.json()["error"]) == (422, True)


def test_how_it_writes_is_changed_where_it_is_used(bundle: Path, data: Path, tmp_path: Path) -> None:
    texts = ["red dog 你好", "a"]
    with luthier.load(bundle) as usual, luthier.load(bundle, task={"decoding": {"max_new_tokens": 1}}) as short:
        assert [one.finish_reason for one in short.predict(texts)] == ["length", "length"]
        assert all(one.generated_text.startswith(other.generated_text) and one != other
                   for one, other in zip(usual.predict(texts), short.predict(texts), strict=True))
        assert short.task_settings.decoding.num_beams == usual.task_settings.decoding.num_beams
    out = tmp_path / "out.jsonl"
    words = ["predict", str(bundle), str(data), "task.decoding.num_beams=2", "task.decoding.max_new_tokens=1", "--out",
             str(out)]
    assert CliRunner().invoke(app, words).exit_code == 0
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert {row["finish_reason"] for row in rows} == {"length"}
    words = ["evaluate", str(bundle), str(data), "task.decoding.max_new_tokens=1", "--report", str(tmp_path / "report")]
    assert CliRunner().invoke(app, words).exit_code == 0
    page = html.unescape((tmp_path / "report" / "index.html").read_text(encoding="utf-8"))
    assert """'task.decoding={"max_new_tokens": 1}'""" in page
    refused = CliRunner().invoke(app, ["evaluate", str(bundle), str(data), "task.decoding.num_beam=2"])
    assert isinstance(refused.exception, RecipeError)
    assert "num_beam" in str(refused.exception)


def test_draws_are_the_same_for_a_text_and_a_seed(data: Path, tmp_path: Path) -> None:
    drawn = {"name": "text-to-text", "decoding": {"do_sample": True, "max_new_tokens": 8, "seed": 5}}
    made = luthier.train(data, out=tmp_path / "out", progress=False, **{**SHORT, "task": drawn})
    with Predictor.open(made.path) as predictor:
        one = predictor.predict(["red dog", "cat", "red dog"])
        other = predictor.predict(["cat", "tree run", "red dog"])
    assert one[0] == one[2] == other[2]
    assert one[1] == other[0]
    assert len({answer.generated_text for answer in (*one, *other)}) == 3


def test_the_same_seed_gives_the_same_weights_and_so_does_a_run_that_was_stopped(data: Path, tmp_path: Path) -> None:
    whole = luthier.train(data, out=tmp_path / "whole", progress=False, **SHORT)
    again = luthier.train(data, out=tmp_path / "again", progress=False, **SHORT)
    other = luthier.train(data, out=tmp_path / "other", progress=False, **{**SHORT, "seed": 2})
    assert digest(whole.path) == digest(again.path) != digest(other.path)

    def stop(event: Mapping[str, Any]) -> None:
        if event["event"] == "step" and event["step"] == 30:
            raise KeyboardInterrupt

    recipe = make_recipe(data, {**SHORT, "out": str(tmp_path / "stopped"), "validation": {
        "save_steps": 8, "early_stopping_patience": None}})
    with pytest.raises(KeyboardInterrupt):
        run(recipe, progress=False, listeners=[stop])
    resumed = luthier.train(tmp_path / "stopped.run" / "recipe.yaml", resume=True, progress=False)
    assert digest(resumed.path) == digest(whole.path)


def test_an_adapter_is_written_proved_and_opened_on_its_base(data: Path, tmp_path: Path) -> None:
    base = make_seq2seq(tmp_path / "base")
    beams = {"name": "text-to-text", "decoding": {"num_beams": 3, "max_new_tokens": 10, "stop_strings": ["zz"]}}
    made = luthier.train(data, out=tmp_path / "out", method="lora", progress=False,
                         **{**SHORT, "model": str(base), "task": beams, "evaluation": {"bootstrap": 100}})
    assert read_manifest(made.path).kind == "adapter"
    assert verify(made.path).ok
    assert set(made.scores["systems"]) == {"baseline", "untuned", "tuned"}
    predictor = luthier.load(made.path, backend="torch")
    assert predictor.predict(["red"])[0].finish_reason in ("stop", "length")
    predictor.close()


def test_what_cannot_be_tuned_is_said_before_any_time_is_spent(
    data: Path, tmp_path: Path, tiny_csv: Path, tiny_model: Path,
) -> None:
    def refusal(source: Path, kind: type[Exception] = RecipeError, **settings: Any) -> str:
        with pytest.raises(kind) as caught:
            luthier.train(source, out=tmp_path / "out", progress=False, **{**SETTINGS, **settings})
        return str(caught.value)

    auto = refusal(data, model={"name": "auto"})
    assert "is not said" in auto
    assert all(f"--model {name}" in auto for name in ("smollm2-135m", "google-t5/t5-small", "new-seq2seq"))
    assert "an encoder alone (bert)" in refusal(data, ModelError, model=str(tiny_model))
    assert "has learned nothing\n  -> set method=full" in refusal(data, method="lora")
    assert "which writes texts, and the task is text-classification" in refusal(tiny_csv)
    assert "model.new.widht: unknown setting, did you mean 'width'?" in refusal(
        data, model={"name": "new-seq2seq", "new": {"widht": 3}})
    assert "asks for windows" in refusal(data, model={"name": "new-seq2seq", "new": SIZES, "overlap": 8})
    assert "new gives the sizes of a model made from nothing" in refusal(data, model={"name": "x", "new": SIZES})
    long = {"name": "text-to-text", "max_target_length": 99}
    assert "is 99, and the model has places for 64 tokens\n  -> set task.max_target_length=64" in refusal(
        data, ModelError, task=long)
    assert "train.class_weights gives weights, and tokens of texts are no classes" in refusal(
        data, train={"class_weights": {"a": 1.0}})


def test_targets_that_are_too_long_are_told(data: Path, tmp_path: Path) -> None:
    short = {"name": "text-to-text", "max_target_length": 4, "decoding": {"max_new_tokens": 4}}
    made = luthier.train(data, out=tmp_path / "out", progress=False, **{**SHORT, "task": short, "train": {
        **SHORT["train"], "num_train_epochs": 1}})
    told = (made.path / "events.jsonl").read_text(encoding="utf-8")
    assert "targets have more than 4 tokens, and the rest of them is not learned" in told


def test_the_backend_and_threads_asked_for_are_kept(bundle: Path, data: Path, tmp_path: Path) -> None:
    done = predict_file(bundle, data, tmp_path / "out.jsonl", opening=Opening("torch", threads=1))
    first = json.loads((tmp_path / "out.jsonl").read_text(encoding="utf-8").split("\n", 1)[0])
    assert done.truncated == 0
    assert tuple(first)[-4:] == Generated.KEYS
