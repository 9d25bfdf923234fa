"""Language models from raw text to a served answer, and other tasks that start from them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

import luthier
from luthier.bundle import read_manifest, read_probes
from luthier.bundle.manifest import MANIFEST
from luthier.bundle.read import digest
from luthier.cli import app
from luthier.errors import DataError, ModelError, RecipeError
from luthier.inference import verify
from luthier.inference.replaying import FIXED, SLOW_PROBES
from luthier.models import tiny
from luthier.models.tiny_generators import make_causal
from luthier.pipeline import make_recipe, predict_file, run
from luthier.schema import Document, Filled, Generated, Likelihood
from luthier.serving.app import create_app
from luthier.serving.repository import Repository

pytestmark = pytest.mark.slow
WORDS = {"who": ("bank", "clerk", "branch", "teller"), "does": ("opens", "closes", "checks", "sends"),
         "what": ("account", "letter", "form", "card")}
SETTINGS: dict[str, Any] = {
    "seed": 1, "threads": 1, "prepare": {"split": (0.8, 0.1, 0.1)}, "model.max_length": 64,
    "train": {"num_train_epochs": 15, "learning_rate": 5e-3, "precision": "fp32", "per_device_train_batch_size": 16},
    "validation": {"early_stopping_patience": None}, "evaluation": {"bootstrap": 100},
}
SHORT = {**SETTINGS, "train": {**SETTINGS["train"], "num_train_epochs": 2},
         "evaluation": {"bootstrap": 100, "baseline": False, "untuned": False}}


MASKED = {"name": "masked-language-modelling", "pack": False}


def texts(rows: int) -> list[str]:
    """Return documents whose words tell each other, but for a number."""
    sentences = [" ".join(words[kind] for words in WORDS.values()) for kind in range(4)]
    return [f"{sentences[number % 4]} {sentences[number % 4]} {number}" for number in range(rows)]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("modelling")
    (place / "texts.txt").write_text("\n\n".join(texts(240)) + "\n", encoding="utf-8")
    return place


@pytest.fixture(scope="module")
def base(place: Path) -> str:
    return str(tiny.make(place / "base", width=64, texts=texts(240), max_length=128))


@pytest.fixture(scope="module")
def masked(place: Path, base: str) -> Path:
    made = luthier.train(place / "texts.txt", task=MASKED, model=base, out=place / "masked",
                         progress=False, **SETTINGS)
    scores = {name: one["metrics"] for name, one in made.scores["systems"].items()}
    assert scores["tuned"]["perplexity"] < scores["baseline"]["perplexity"] < scores["untuned"]["perplexity"]
    assert scores["tuned"]["accuracy"] > 0.6 > 0.2 > scores["baseline"]["accuracy"]
    (warning,) = made.warnings
    assert "tokens of the test documents, and uncertain: give more text" in warning
    return made.path


@pytest.fixture(scope="module")
def causal(place: Path) -> Path:
    base = make_causal(place / "causal-base", width=64, max_length=256)
    made = luthier.train(place / "texts.txt", model=str(base), out=place / "causal", progress=False, **{
        **SETTINGS, "train": {**SETTINGS["train"], "num_train_epochs": 12},
        "task": {"name": "causal-language-modelling", "decoding": {"max_new_tokens": 12}}})
    scores = {name: one["metrics"] for name, one in made.scores["systems"].items()}
    assert scores["tuned"]["perplexity"] < 2 < scores["baseline"]["perplexity"] < scores["untuned"]["perplexity"]
    one = scores["tuned"]
    assert one["bits_per_byte"] == one["bits_per_character"] == pytest.approx(np.log2(one["perplexity"]), rel=0.02)
    return made.path


def test_the_bundles_say_what_they_are_and_prove_it(masked: Path, causal: Path) -> None:
    for bundle, task in ((masked, "fill-mask"), (causal, "text-generation")):
        manifest = read_manifest(bundle)
        assert manifest.labels.names == ("token",)
        assert manifest.scores["tuned"]["perplexity"] < 28
        assert verify(bundle).ok, verify(bundle).lines()
        probes = read_probes(bundle)
        assert all(len(probe.logits) <= len(probe.ids) for probe in probes)
        assert len(probes) == SLOW_PROBES + len(FIXED) + 1
        assert len(probes[-1].ids) > 64  # of a block
        assert f"pipeline_tag: {task}" in (bundle / "README.md").read_text(encoding="utf-8")
        assert "Perplexity" in (bundle / "report" / "index.html").read_text(encoding="utf-8")


def test_changed_weights_are_found_out(masked: Path, tmp_path: Path) -> None:
    import shutil

    from safetensors.numpy import load_file, save_file

    from luthier.inference.opening import assemble
    from luthier.inference.replaying import replay

    copy = Path(shutil.copytree(masked, tmp_path / "copy"))
    weights = load_file(copy / "model.safetensors")
    name = "cls.predictions.transform.dense.weight"
    save_file({**weights, name: weights[name] * 1.05}, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(luthier.errors.ProbeError, match="does not answer as on the day"):
        replay(assemble(copy, read_manifest(copy)), copy)


def test_masks_are_filled_as_a_pipeline_of_transformers_does(masked: Path) -> None:
    from transformers import pipeline

    text = "bank [MASK] account bank opens account"
    (answer,) = luthier.load(masked).predict([text])
    assert isinstance(answer, Filled)
    assert answer.label == "opens"
    wanted = pipeline("fill-mask", model=str(masked), device="cpu")(text)
    for own, other in zip(answer.to_dict()["masks"][0], wanted, strict=True):
        assert (own["token"], own["token_str"], own["sequence"]) == (
            other["token"], other["token_str"], other["sequence"])
        assert own["score"] == pytest.approx(other["score"], abs=1e-5)


def test_several_masks_are_filled_one_by_one_in_any_company(masked: Path) -> None:
    predictor = luthier.load(masked)
    rows = ["bank <mask> account bank opens [MASK]", "clerk [MASK] letter clerk closes letter"]
    together = predictor.predict(rows)
    assert [answer.label for answer in together] == ["opens|account", "closes"]
    assert together[0].masks[0][0].sequence == "bank opens account bank opens [MASK]"
    assert [answer.label for answer in predictor.stream(iter(rows), window=1)] == ["opens|account", "closes"]


def test_no_more_logits_are_held_at_once_than_allowed(masked: Path, causal: Path,
                                                      monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from luthier.inference import modelling
    from luthier.models import likelihood

    filler, weigher = luthier.load(masked), luthier.load(causal)
    rows, document = ["[MASK] " * 20, "bank [MASK]", "[MASK] [MASK]"], [Document(" ".join(texts(2)))]
    whole, alone = filler.predict(rows), weigher.predict(document)
    monkeypatch.setattr(modelling, "LOGITS", 3 * filler.backend.vocabulary)
    monkeypatch.setattr(likelihood, "LOGITS", 3 * weigher.backend.vocabulary)
    sizes: list[int] = []
    for predictor in (filler, weigher):
        output = predictor.backend.model.get_output_embeddings()
        output.register_forward_hook(lambda *given: sizes.append(torch.numel(given[-1]) // given[-1].shape[-1]))
    for before, after in zip(whole, filler.predict(rows), strict=True):
        assert [one[0].token for one in after.masks] == [one[0].token for one in before.masks]
        assert [one[0].score for one in after.masks] == pytest.approx([one[0].score for one in before.masks], abs=1e-6)
    (found,) = weigher.predict(document)
    assert found.log_probability == pytest.approx(alone[0].log_probability, abs=1e-4)
    assert (found.tokens, found.right, max(sizes)) == (alone[0].tokens, alone[0].right, 3)


def test_texts_without_a_mask_are_refused_with_their_place(masked: Path) -> None:
    predictor = luthier.load(masked)
    with pytest.raises(DataError, match=r"row 1: the text holds no mask.*\n.*put \[MASK\] or <mask> where"):
        predictor.predict(["a [MASK]", "a word"])
    with pytest.raises(DataError, match=r"row 0: no mask stands in the first 64 tokens"):
        predictor.predict(["bank " * 90 + "[MASK]"])
    with pytest.raises(ModelError, match="tells hidden tokens, and has no logits"):
        predictor.logits(["a [MASK]"])
    with pytest.raises(ModelError, match="this bundle tells hidden tokens\n.*--backend torch"):
        luthier.load(masked, backend="native")


def test_documents_are_weighed_by_both_alone_as_in_company(masked: Path, causal: Path) -> None:
    rows = [Document(text) for text in (*texts(3), "zebra " * 200, "")]
    for bundle in (masked, causal):
        predictor = luthier.load(bundle)
        together = predictor.predict(rows)
        assert all(isinstance(one, Likelihood) for one in together)
        for row, one in zip(rows, together, strict=True):
            (alone,) = predictor.predict([row])
            assert alone.log_probability == pytest.approx(one.log_probability, abs=1e-3)
            assert (alone.tokens, alone.right) == (one.tokens, one.right)
        assert together[3].perplexity > together[0].perplexity
        assert (together[-1].tokens, together[-1].perplexity) == (0, 1.0)


def test_a_causal_model_weighs_as_transformers_does(causal: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    text = texts(1)[0]
    predictor = luthier.load(causal)
    ids = torch.tensor([predictor.encode([Document(text)]).ids[0]])
    with torch.inference_mode():
        loss = AutoModelForCausalLM.from_pretrained(causal)(ids, labels=ids).loss
    (found,) = predictor.predict([Document(text)])
    assert found.tokens == len(text)
    assert -found.log_probability / found.tokens == pytest.approx(float(loss), rel=1e-4)


def test_a_text_is_gone_on_with(causal: Path, tmp_path: Path) -> None:
    (answer,) = luthier.load(causal).predict(["clerk closes letter clerk closes"])
    assert isinstance(answer, Generated)
    assert answer.generated_text.startswith(" letter")
    (tmp_path / "long.csv").write_text("text\n" + "bank opens account " * 30 + "\n", encoding="utf-8")
    said = CliRunner().invoke(app, ["predict", str(causal), str(tmp_path / "long.csv"), "--out",
                                    str(tmp_path / "out.jsonl")]).output
    assert "1 texts were not looked at as a whole (truncated)" in said  # not their end: the last tokens are read


def test_files_and_the_server_take_the_same(masked: Path, causal: Path, tmp_path: Path) -> None:
    rows = ["text", "no mask", "bank [MASK] account bank opens account", "bank " * 90 + "[MASK]"]
    (tmp_path / "rows.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    done = predict_file(masked, tmp_path / "rows.csv", tmp_path / "out.jsonl")
    assert done.bad_rows == 2  # without a mask, and with one behind all that is read
    (row,) = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert row["masks"][0][0]["token_str"] == "opens"
    with TestClient(create_app(Repository([luthier.load(masked)]))) as client:
        found = client.post("/predict", json={"inputs": "bank [MASK] account bank opens account"})
        assert found.json()["predictions"]["masks"] == row["masks"]
        refused = client.post("/predict", json={"inputs": ["no mask"]})
        assert refused.status_code == 422
        assert "holds no mask" in refused.json()["error"]
    with TestClient(create_app(Repository([luthier.load(causal)]))) as client:
        found = client.post("/predict", json={"inputs": "bank opens account bank"}).json()["predictions"]
        assert found["generated_text"].startswith(" opens")


def test_evaluate_scores_a_file_of_texts(masked: Path, place: Path) -> None:
    scored = luthier.evaluate(masked, place / "texts.txt")
    assert scored.scores.values["perplexity"] < 28
    assert scored.to_dict() == {**luthier.evaluate(masked, place / "texts.txt").to_dict(), "seconds": pytest.approx(
        scored.seconds, rel=10)}


@pytest.mark.parametrize("task", ["text-classification", "named-entities", "similarity"])
def test_other_tasks_start_from_what_was_learned(task: str, masked: Path, tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    said: list[Mapping[str, Any]] = []
    rows = {"text-classification": lambda text, n: {"text": text, "label": "xy"["bank" in text]},
            "named-entities": lambda text, n: {"text": text, "entities": [[0, 4, "WHO"]]},
            "similarity": lambda text, n: {"sentence1": text, "sentence2": text[::-1], "score": n / 7}}[task]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(rows(text, n)) + "\n" for n, text in enumerate(texts(60))))
    recipe = make_recipe(tmp_path / "rows.jsonl", {**SHORT, "model.max_length": 128, "model": str(masked),
                                                   "train": {"num_train_epochs": 1, "learning_rate": 1e-12},
                                                   "out": str(tmp_path / "out"), "task": task}, ())
    made = run(recipe, progress=False, listeners=[said.append])
    notes = [one["text"] for one in said if one["event"] == "note"]
    assert any("takes the pretrained weights of the bundle masked" in note and
               "its own head, for masked-language-modelling, is left out" in note for note in notes)
    manifest = read_manifest(made.path)
    assert manifest.parent == digest(masked / MANIFEST)
    assert [one.what for one in manifest.licences] == ["base model", "base model", "training data", "training data"]
    before, after = load_file(masked / "model.safetensors"), load_file(made.path / "model.safetensors")
    name = "encoder.layer.1.output.dense.weight"
    np.testing.assert_allclose(after[name if name in after else f"bert.{name}"], before[f"bert.{name}"], atol=1e-6)


def test_the_scikit_learn_door_takes_texts_alone(base: str) -> None:
    quick = {"train": {"num_train_epochs": 1}, "threads": 1}
    tuned = luthier.Estimator("masked-language-modelling", base, settings=quick)
    assert isinstance(tuned.fit(texts(60)).predict(["bank [MASK]"])[0], Filled)
    assert tuned.score(texts(9)) < -1
    with pytest.raises(DataError, match="the label is missing"):
        luthier.Estimator("text-classification", base).fit(texts(60))


def test_a_model_goes_on_from_its_own_bundle(masked: Path, place: Path, tmp_path: Path) -> None:
    made = luthier.train(place / "texts.txt", task=MASKED, model=str(masked), out=tmp_path / "on", progress=False,
                         **{**SHORT, "evaluation": {"bootstrap": 100, "baseline": False}})
    assert made.scores["systems"]["untuned"]["metrics"]["accuracy"] > 0.6  # the head was kept


@pytest.mark.parametrize("task", ["masked-language-modelling", "causal-language-modelling"])
def test_adapters_are_learned_and_refused_as_a_start(task: str, place: Path, base: str, causal: Path,
                                                     tmp_path: Path) -> None:
    model = base if task.startswith("masked") else str(place / "causal-base")
    made = luthier.train(place / "texts.txt", task=task, model=model, method="lora", out=tmp_path / "out",
                         progress=False, **SHORT)
    assert verify(made.path).ok
    with pytest.raises(ModelError, match="holds an adapter, not a whole model\n.*method=full writes a whole model"):
        luthier.train(place / "texts.txt", task=task, model=str(made.path), out=tmp_path / "again", progress=False)


def test_frozen_layers_do_not_keep_what_was_hidden(place: Path, base: str, tmp_path: Path) -> None:
    said: list[Mapping[str, Any]] = []
    recipe = make_recipe(place / "texts.txt", {**SHORT, "model": base, "task": "masked-language-modelling",
                                               "method": {"name": "freeze", "freeze_trainable_layers": 1},
                                               "out": str(tmp_path / "out")}, ())
    run(recipe, progress=False, listeners=[said.append])
    (started,) = [one for one in said if one["event"] == "run_started"]
    assert started["decisions"]["frozen_layers"]["value"] == "computed at each step"


def test_a_run_that_is_killed_hides_the_same_tokens_again(place: Path, base: str, tmp_path: Path) -> None:
    settings = {**SHORT, "model": base, "task": "masked-language-modelling", "out": str(tmp_path / "out")}
    whole = luthier.train(place / "texts.txt", progress=False, **settings)

    seen: list[str] = []

    def stop(event: Mapping[str, Any]) -> None:
        if event["event"] == "step" and "checkpoint" in seen:
            raise KeyboardInterrupt
        seen.append(event["event"])

    recipe = make_recipe(place / "texts.txt", {**settings, "out": str(tmp_path / "killed")}, ())
    with pytest.raises(KeyboardInterrupt):
        run(recipe, progress=False, listeners=[stop])
    again = run(recipe, progress=False, resume=True)
    assert digest(again.path / "model.safetensors") == digest(whole.path / "model.safetensors")


def test_windows_are_refused(place: Path, base: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"model.overlap asks for windows, and documents are laid out in blocks"):
        luthier.train(place / "texts.txt", task="masked-language-modelling", model=base, out=tmp_path / "out",
                      progress=False, **{**SHORT, "model.overlap": 4})
