"""Texts for texts with a prompt, from a file to a served answer: a tiny decoder that learns to turn letters around."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

import luthier
from luthier.bundle import read_manifest
from luthier.errors import DataError, ModelError, RecipeError
from luthier.inference import Predictor, verify
from luthier.models.tiny_generators import make_causal, make_seq2seq
from luthier.serving.app import create_app
from luthier.serving.repository import Repository

pytestmark = pytest.mark.slow
PROMPT = 'Turn {source} around, as {"json": 1}:\n'
SETTINGS: dict[str, Any] = {
    "seed": 1, "threads": 1, "prepare": {"split": (0.8, 0.1, 0.1)},
    "task": {"name": "text-to-text", "prompt": PROMPT, "decoding": {"max_new_tokens": 16}},
    "train": {"num_train_epochs": 32, "learning_rate": 5e-3, "precision": "fp32", "per_device_train_batch_size": 16},
    "validation": {"early_stopping_patience": None}, "evaluation": {"bootstrap": 100},
}
SHORT = {**SETTINGS, "train": {**SETTINGS["train"], "num_train_epochs": 1}}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    random, seen = np.random.default_rng(0), dict[str, None]()
    while len(seen) < 600:
        seen["".join(random.choice(list("abcdefgh好"), random.integers(2, 5)))] = None
    path = tmp_path_factory.mktemp("turned") / "turned.jsonl"
    path.write_text("".join(json.dumps({"source": text, "target": text[::-1]}, ensure_ascii=False) + "\n"
                            for text in seen), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(make_causal(tmp_path_factory.mktemp("causal") / "base", width=64, max_length=256))


@pytest.fixture(scope="module")
def bundle(data: Path, base: str) -> Path:
    made = luthier.train(data, model=base, out=data.parent / "out", progress=False, **SETTINGS)
    tuned, untuned = (made.scores["systems"][name]["metrics"] for name in ("tuned", "untuned"))
    assert tuned["exact_match"] > 0.85
    assert untuned["exact_match"] == 0
    assert not made.warnings
    return made.path


def ran(card: str, bundle: Path, base: str, text: str) -> str:
    """Return what the card's own code for other libraries prints for a text."""
    (code,) = [block for part in card.split("```python\n")[1:] if "transformers" in (block := part.split("```")[0])]
    for given, real in (("DIR", str(bundle)), ("BASE", base), ("some text", text)):
        code = code.replace(given, real)
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        exec(compile(code, "card", "exec"), {})
    return told.getvalue().strip()


def test_the_bundle_says_what_it_is_and_proves_it(bundle: Path) -> None:
    manifest = read_manifest(bundle)
    assert (manifest.task.settings["prompt"], manifest.task.settings["chat_template"]) == (PROMPT, "plain")
    assert manifest.labels.problem_type == "text_generation"
    assert verify(bundle).ok
    card = (bundle / "README.md").read_text(encoding="utf-8")
    assert "pipeline_tag: text-generation" in card
    assert "## Targets" in card
    assert "## Labels" not in card
    assert "A text with its prompt and what is written for it has 256 tokens at most" in card
    told = (bundle / "events.jsonl").read_text(encoding="utf-8")
    assert "tokens of targets and their ends" in told
    assert "fits into 256 tokens with prompt and target, 240 without" in told
    page = (bundle / "report" / "index.html").read_text(encoding="utf-8")
    assert "the same model before tuning" in page
    assert "ROUGE-Lsum" in page


def test_the_code_on_the_card_writes_the_same_with_transformers_alone(bundle: Path, base: str) -> None:
    card = (bundle / "README.md").read_text(encoding="utf-8")
    (ours,) = luthier.load(bundle).predict(["abc"])
    assert ran(card, bundle, base, "abc") == ours.generated_text == "cba"
    from transformers import pipeline

    write = pipeline("text-generation", str(bundle))
    found = write([{"role": "user", "content": PROMPT.replace("{source}", "abc")}], max_new_tokens=16, do_sample=False)
    assert found[0]["generated_text"][-1]["content"].strip() == "cba"


def test_a_text_is_answered_alike_alone_together_and_served(bundle: Path) -> None:
    texts = ["abc", "", "{source}", "hg" * 400, "\ud800 a", " 好a\r\n"]
    with Predictor.open(bundle) as predictor:
        together = predictor.predict(texts)
        for answers in ([predictor.predict([text])[0] for text in texts], predictor.stream(iter(texts), window=2)):
            for one, other in zip(together, answers, strict=True):
                assert one.score == pytest.approx(other.score, rel=1e-4)
                assert replace(one, score=0) == replace(other, score=0)
    assert [one.truncated for one in together] == [False, False, False, True, False, False]
    assert together[-1].generated_text == "a好"
    with TestClient(create_app(Repository([luthier.load(bundle)]))) as client:
        body = client.post("/predict", json={"inputs": ["abc", "hg" * 400]}).json()["predictions"]
    assert [row["generated_text"] for row in body] == [together[0].generated_text, together[3].generated_text]
    assert body[1]["truncated"]


def test_an_adapter_with_examples_in_its_prompt_keeps_them_and_its_card_uses_them(
    data: Path, base: str, tmp_path: Path,
) -> None:
    task = {"name": "text-to-text", "examples": 2, "decoding": {"max_new_tokens": 8}}
    settings = {**SHORT, "task": task, "method": "lora", "train": {**SHORT["train"], "learning_rate": 2e-2}}
    made = luthier.train(data, model=base, out=tmp_path / "out", progress=False, **settings)
    manifest = read_manifest(made.path)
    shots = manifest.task.settings["shots"]
    assert manifest.kind == "adapter"
    assert len(shots) == 2
    assert all(shot["target"] == shot["source"][::-1] for shot in shots)
    assert manifest.task.settings["prompt"] == "Text:\n{source}\n\nAnswer:\n"
    told = (made.path / "events.jsonl").read_text(encoding="utf-8")
    assert "by the names of the columns" in told
    assert "examples: 2 training rows stand in each prompt" in told
    assert verify(made.path).ok
    card = (made.path / "README.md").read_text(encoding="utf-8")
    assert "A LoRA adapter was tuned; the base is needed too." in card
    assert "the head is" not in card
    assert shots[0]["source"] not in card.split("## Use")[1]
    assert json.loads((made.path / "adapter_config.json").read_text(encoding="utf-8"))["task_type"] == "CAUSAL_LM"
    again = luthier.train(made.path / "recipe.yaml", out=tmp_path / "again", progress=False)
    assert read_manifest(again.path).task.settings["shots"] == shots
    first, second = ((run.path / "adapter_model.safetensors").read_bytes() for run in (made, again))
    assert first == second


@pytest.mark.filterwarnings("ignore")  # of peft's own
def test_the_code_on_an_adapters_card_writes_the_same(data: Path, base: str, tmp_path: Path) -> None:
    task = {**SETTINGS["task"], "shots": [{"source": "xyz", "target": "zyx"}]}
    made = luthier.train(data, model=base, out=tmp_path / "out", progress=False, **{
        **SHORT, "task": task, "method": "lora", "train": {**SHORT["train"], "num_train_epochs": 2,
                                                           "learning_rate": 2e-2}})
    (ours,) = luthier.load(made.path).predict(["ab"])
    found = ran((made.path / "README.md").read_text(encoding="utf-8"), made.path, base, "ab")
    assert found.startswith(ours.generated_text)  # the card writes up to 128 tokens


def test_the_same_setting_is_the_prefix_of_an_encoder_decoder(data: Path, tmp_path: Path) -> None:
    base = str(make_seq2seq(tmp_path / "base"))
    made = luthier.train(data, model=base, out=tmp_path / "out", progress=False, **{
        **SHORT, "task": {**SETTINGS["task"], "prompt": "turn: {source}"}})
    manifest = read_manifest(made.path)
    assert (manifest.task.settings["prompt"], manifest.task.settings["chat_template"]) == ("turn: {source}", None)
    assert verify(made.path).ok
    with luthier.load(made.path, backend="torch") as predictor:
        plain = predictor.encoder._encoder.encode_ragged(["turn: abc"]).ids
        assert predictor.encode(["abc"]).ids == plain
    card = (made.path / "README.md").read_text(encoding="utf-8")
    assert 'text = \'turn: {source}\'.replace("{source}", "some text")' in card
    ran(card, made.path, base, "abc")


def test_what_cannot_be_is_said_before_any_time_is_spent(
    data: Path, base: str, tmp_path: Path, tiny_model: Path,
) -> None:
    def refusal(kind: type[Exception], source: Path = data, **settings: Any) -> str:
        with pytest.raises(kind) as caught:
            luthier.train(source, out=tmp_path / "out", progress=False, **{**SHORT, "model": base, **settings})
        return str(caught.value)

    def task(**own: Any) -> dict[str, Any]:
        return {"name": "text-to-text", **own}

    assert "task.prompt: a prompt holds {source} once" in refusal(RecipeError, task=task(prompt="Turn it around"))
    assert "{text} is no place of a prompt" in refusal(RecipeError, task=task(prompt="Turn {text}"))
    assert "whose texts carry no codes of languages" in refusal(RecipeError, task=task(source_language="en_XX"))
    assert "task.prompt has" in refusal(ModelError, model={"name": base, "max_length": 32})
    told = refusal(ModelError, model=str(tiny_model))
    assert "an encoder alone (bert)" in told
    assert "smollm2-135m" in told
    assert "new-seq2seq" in told
    seq2seq = str(make_seq2seq(tmp_path / "seq2seq"))
    assert "task.examples is for decoders" in refusal(RecipeError, model=seq2seq, task=task(examples=2))
    assert "task.chat_template is for decoders" in refusal(RecipeError, model="new-seq2seq", task=task(
        chat_template="plain"))
    auto = refusal(RecipeError, model="auto")
    assert "--model smollm2-135m" in auto
    assert "new-seq2seq" in auto
    empty = tmp_path / "empty.jsonl"
    empty.write_text('{"source": " ", "target": "a"}\n' * 12, encoding="utf-8")
    assert "(of 12 read; 12 empty)" in refusal(DataError, empty)


@pytest.mark.parametrize("task", ["named-entities", "question-answering", "relations", "similarity"])
def test_tasks_that_a_decoder_cannot_do_say_which_can(task: str, base: str) -> None:
    from luthier import plugins
    from luthier.schema import LabelSet

    module = plugins.load("tasks", task)
    labels = LabelSet(("a", "b"), module.PROBLEMS[0])
    with pytest.raises(ModelError, match=r"holds a decoder \(llama\)(.|\n)*minilm-l6(.|\n)*"
                                         r"text-classification, dialogue and text-to-text take this one"):
        module.build(Path(base), labels)
