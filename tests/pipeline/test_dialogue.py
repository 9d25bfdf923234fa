"""Conversations from a file to a served answer: a tiny model that learns to repeat a name."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

import luthier
from luthier.bundle import read_manifest, read_probes
from luthier.errors import DataError, ModelError, RecipeError
from luthier.inference import Predictor, verify
from luthier.models.tiny_generators import make_causal, make_seq2seq
from luthier.pipeline import make_recipe, predict_file, run
from luthier.schema import Conversation, Generated, Turn
from luthier.serving.app import create_app
from luthier.serving.repository import Repository

pytestmark = pytest.mark.slow
SETTINGS: dict[str, Any] = {
    "seed": 1, "threads": 1, "prepare": {"split": (0.8, 0.1, 0.1)},
    "task": {"name": "dialogue", "decoding": {"max_new_tokens": 16}},
    "train": {"num_train_epochs": 32, "learning_rate": 5e-3, "precision": "fp32", "per_device_train_batch_size": 16},
    "validation": {"early_stopping_patience": None}, "evaluation": {"bootstrap": 100},
}
SHORT = {**SETTINGS, "train": {**SETTINGS["train"], "num_train_epochs": 2},
         "evaluation": {"bootstrap": 100, "baseline": False, "untuned": False}}
WHO = [{"role": "user", "content": "i am anna"}, {"role": "assistant", "content": "hi anna"},
       {"role": "user", "content": "my name?"}]


def write(path: Path, rows: int) -> Path:
    """Write conversations in which the answer is the name that the user gave, at once or a turn before."""
    random, seen = np.random.default_rng(0), dict[str, None]()
    while len(seen) < rows:
        seen["".join(random.choice(list("abcdefgh好"), 3))] = None
    lines = []
    for number, name in enumerate(seen):
        turns = [f"i am {name}", f"hi {name}"]
        if number % 3 == 0:
            turns += ["my name?", name]
        lines.append(json.dumps({"messages": [{"role": ("user", "assistant")[place % 2], "content": text}
                                              for place, text in enumerate(turns)]}, ensure_ascii=False))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("names") / "names.jsonl", 600)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(make_causal(tmp_path_factory.mktemp("causal") / "base", width=64, max_length=256))


@pytest.fixture(scope="module")
def bundle(data: Path, base: str) -> Path:
    made = luthier.train(data, model=base, out=data.parent / "out", progress=False, **{**SETTINGS, "task": None})
    tuned, untuned = (made.scores["systems"][name]["metrics"] for name in ("tuned", "untuned"))
    assert tuned["exact_match"] > 0.9
    assert tuned["perplexity"] < 1.5 < 50 < untuned["perplexity"]
    assert tuned["chrf"] > made.scores["systems"]["baseline"]["metrics"]["chrf"] + 0.1
    assert "perplexity" not in made.scores["systems"]["baseline"]["metrics"]
    assert made.recipe.task["name"] == "dialogue"
    assert not made.warnings
    return made.path


def digest(bundle: Path) -> str:
    return hashlib.sha256((bundle / "model.safetensors").read_bytes()).hexdigest()


def test_the_bundle_says_what_it_is_and_proves_it(bundle: Path) -> None:
    manifest = read_manifest(bundle)
    assert (manifest.labels.names, manifest.labels.problem_type) == (("generated_text",), "dialogue")
    assert manifest.scores["tuned"]["perplexity"] < 1.5
    report = verify(bundle)
    assert report.ok, report.lines()
    probes = read_probes(bundle)
    assert any(len(probe.conversation or ()) == 3 for probe in probes)
    assert probes[-1].conversation == Conversation((Turn("user", probes[-1].text),))
    config = json.loads((bundle / "tokenizer_config.json").read_text(encoding="utf-8"))
    assert "Assistant:" in config["chat_template"]
    assert json.loads((bundle / "generation_config.json").read_text(encoding="utf-8"))["eos_token_id"] == [2]
    card = (bundle / "README.md").read_text(encoding="utf-8")
    assert "Answers what a user says" in card
    assert "apply_chat_template" in card
    assert "the first turns are left out" in card
    page = (bundle / "report" / "index.html").read_text(encoding="utf-8")
    assert "Perplexity of the right answers" in page
    told = (bundle / "events.jsonl").read_text(encoding="utf-8")
    assert "tokens of answers and their ends" in told
    assert "every train and valid conversation fits" in told


def test_plain_transformers_answers_the_same(bundle: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model, tokenizer = AutoModelForCausalLM.from_pretrained(bundle).eval(), AutoTokenizer.from_pretrained(bundle)
    batch = tokenizer.apply_chat_template(WHO, add_generation_prompt=True, return_dict=True, return_tensors="pt")
    found = model.generate(**batch, max_new_tokens=16, do_sample=False)[0, batch["input_ids"].shape[1]:]
    (ours,) = luthier.load(bundle).predict([WHO])
    assert tokenizer.decode(found, skip_special_tokens=True).strip() == ours.generated_text
    assert ours.finish_reason == "stop"


def test_texts_and_messages_are_answered_alone_or_together(bundle: Path) -> None:
    rows = ["i am abc", WHO, {"messages": WHO[:1]}, "", "i am 好" + "!" * 300]
    with Predictor.open(bundle) as predictor:
        together = predictor.predict(rows)
        alone = [predictor.predict([row])[0] for row in rows]
        streamed = list(predictor.stream(iter(rows), window=2))
        with pytest.raises(DataError, match=r"row 1: the last message is not the user's(.|\n)*list of messages"):
            predictor.predict(["a", WHO[:2]])
        with pytest.raises(DataError, match="row 0: message 1 has the unknown role 'me'"):
            predictor.predict([[{"role": "me", "content": "a"}]])
    assert [one.generated_text for one in together] == [one.generated_text for one in alone]
    assert [one.generated_text for one in together] == [one.generated_text for one in streamed]
    assert together[0].generated_text == "hi abc"
    assert [one.truncated for one in together] == [False, False, False, False, True]
    assert all(isinstance(one, Generated) for one in together)


def test_the_server_answers_conversations(bundle: Path) -> None:
    with TestClient(create_app(Repository([luthier.load(bundle)]))) as client:
        def ask(inputs: Any) -> Any:
            return client.post("/predict", json={"inputs": inputs})

        single = ask(WHO[:1]).json()["predictions"]
        assert single == ask("i am anna").json()["predictions"] == ask({"messages": WHO[:1]}).json()["predictions"]
        assert set(single) == set(Generated.KEYS)
        several = ask(["i am anna", {"messages": WHO}, WHO]).json()["predictions"]
        assert several[0] == single
        assert several[1] == several[2]
        for wrong, why in ((WHO[:2], "the last message is not the user's"), ({"text": "a"}, "no list of messages"),
                           ([[]], "the list of messages is empty"), ("", "is empty"), (7, "expected a list of"),
                           ({"messages": [{"role": "user", "content": "x" * 999_999}]}, "characters; this server")):
            refused = ask(wrong)
            assert (refused.status_code, why in refused.json()["error"]) in ((422, True), (413, True)), refused.text
        assert client.get("/ready").json()["models"][0]["problem_type"] == "dialogue"


def test_files_are_answered_and_scored(bundle: Path, data: Path, tmp_path: Path) -> None:
    done = predict_file(bundle, data, tmp_path / "out.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert done.rows == len(rows) == 600
    right = np.mean([row["generated_text"] == row["messages"][-1]["content"] for row in rows])
    scored = luthier.evaluate(bundle, data, report=tmp_path / "report")
    assert scored.scores.values["exact_match"] == pytest.approx(right)
    assert scored.scores.values["perplexity"] < 1.5
    (tmp_path / "texts.csv").write_text("prompt\ni am bad\n", encoding="utf-8")
    predict_file(bundle, tmp_path / "texts.csv", tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(encoding="utf-8-sig") as file:
        (row,) = csv.DictReader(file)
    assert (row["prompt"], row["generated_text"]) == ("i am bad", "hi bad")


def test_a_row_that_cannot_be_encoded_is_left_out_and_told(bundle: Path, tmp_path: Path) -> None:
    long = [{"role": "system", "content": "be kind " * 200}, *WHO[:1]]
    lines = [json.dumps({"messages": row}) for row in (WHO, long, WHO[:1], long)]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    done = predict_file(bundle, tmp_path / "rows.jsonl", tmp_path / "out.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["id"] for row in rows] == ["rows.jsonl:1", "rows.jsonl:3"]
    with luthier.load(bundle) as predictor:
        assert [row["generated_text"] for row in rows] == [one.label for one in predictor.predict([WHO, WHO[:1]])]
    assert (done.rows, done.bad_rows) == (2, 2)
    assert done.first_bad is not None
    assert done.first_bad.line == 2
    assert "the system's turn and the template have" in done.first_bad.reason
    with pytest.raises(DataError, match=r"more than 1 unreadable rows; the first: line 2: the system's turn"):
        predict_file(bundle, tmp_path / "rows.jsonl", tmp_path / "other.jsonl", max_bad_rows=1)
    assert not (tmp_path / "other.jsonl").exists()
    with luthier.load(bundle) as predictor, pytest.raises(DataError, match="row 1: the system's turn"):
        predictor.predict([WHO, long])


def test_a_row_that_cannot_be_encoded_is_not_scored_and_told(bundle: Path, tmp_path: Path) -> None:
    said = {"role": "assistant", "content": "hi"}
    long = {"role": "system", "content": "be kind " * 200}
    lines = [json.dumps({"messages": [*turns, WHO[0], said]}) for turns in ([], [long], [])]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    told: list[str] = []
    scored = luthier.evaluate(bundle, tmp_path / "rows.jsonl", listener=lambda event: told.append(event["text"]))
    assert scored.scores.rows == 2
    assert [text[:51] for text in told if "left out" in text] == ["left out rows.jsonl:2: the system's turn and the te"]
    (tmp_path / "rows.jsonl").write_text(f"{lines[0]}\n" + f"{lines[1]}\n" * 2, encoding="utf-8")
    told.clear()
    luthier.evaluate(bundle, tmp_path / "rows.jsonl", listener=lambda event: told.append(event["text"]))
    assert sum("left out" in text for text in told) == 2
    (tmp_path / "rows.jsonl").write_text(f"{lines[1]}\n" * 2, encoding="utf-8")
    with pytest.raises(DataError, match=r"2 of 2 rows cannot be read, the first rows.jsonl:1: the system's turn"):
        luthier.evaluate(bundle, tmp_path / "rows.jsonl")


def test_the_same_seed_gives_the_same_weights_and_so_does_a_run_that_was_stopped(
    data: Path, base: str, tmp_path: Path,
) -> None:
    whole = luthier.train(data, model=base, out=tmp_path / "whole", progress=False, **SHORT)

    def stop(event: Mapping[str, Any]) -> None:
        if event["event"] == "step" and event["step"] == 20:
            raise KeyboardInterrupt

    recipe = make_recipe(data, {**SHORT, "model": base, "out": str(tmp_path / "stopped"), "validation": {
        "save_steps": 8, "early_stopping_patience": None}})
    with pytest.raises(KeyboardInterrupt):
        run(recipe, progress=False, listeners=[stop])
    resumed = luthier.train(tmp_path / "stopped.run" / "recipe.yaml", resume=True, progress=False)
    assert digest(resumed.path) == digest(whole.path)


def test_an_adapter_is_written_proved_and_opened_on_its_base(
        data: Path, base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(base).parent)
    made = luthier.train(data, model="./base", out=tmp_path / "out", method="lora", progress=False, **{
        **SHORT, "evaluation": {"bootstrap": 100, "baseline": False},
        "train": {**SHORT["train"], "learning_rate": 1e-2}})
    assert read_manifest(made.path).kind == "adapter"
    assert read_manifest(made.path).base.name == str(Path(base).resolve())
    monkeypatch.chdir(tmp_path)  # as a service does
    assert verify(made.path).ok
    scores = {name: system["metrics"]["perplexity"] for name, system in made.scores["systems"].items()}
    assert scores["tuned"] < scores["untuned"] / 2
    assert (made.path / "generation_config.json").is_file()


def test_bf16_learns_too(data: Path, base: str, tmp_path: Path) -> None:
    made = luthier.train(data, model=base, out=tmp_path / "out", progress=False, **{
        **SHORT, "train": {**SHORT["train"], "precision": "bf16"}})
    assert made.scores["systems"]["tuned"]["metrics"]["perplexity"] < 20


def test_what_is_cut_is_told(data: Path, base: str, tmp_path: Path) -> None:
    made = luthier.train(data, model={"name": base, "max_length": 36}, out=tmp_path / "out", progress=False, **{
        **SHORT, "train": {**SHORT["train"], "num_train_epochs": 1}})
    told = (made.path / "events.jsonl").read_text(encoding="utf-8")
    assert "do not fit into 36 tokens with the answer, 20 without: they lose their first turns" in told
    assert made.scores["systems"]["tuned"]["truncated"] > 0


def test_what_cannot_be_tuned_is_said_before_any_time_is_spent(
    data: Path, base: str, tmp_path: Path, tiny_model: Path,
) -> None:
    def refusal(kind: type[Exception], **settings: Any) -> str:
        with pytest.raises(kind) as caught:
            luthier.train(data, out=tmp_path / "out", progress=False, **{**SHORT, **settings})
        return str(caught.value)

    assert "holds an encoder (bert), which cannot go on with a text\n  -> take a causal" in refusal(
        ModelError, model=str(tiny_model))
    seq2seq = make_seq2seq(tmp_path / "seq2seq")
    assert "holds an encoder-decoder (bart)" in refusal(ModelError, model=str(seq2seq))
    assert "asks for windows" in refusal(RecipeError, model={"name": base, "overlap": 8})
    assert "which writes texts, and the task is dialogue" in refusal(RecipeError, model="new-seq2seq")
    chinese = tmp_path / "zh.jsonl"
    chinese.write_text("".join(json.dumps({"prompt": f"第{n}个问题是什么意思呢", "completion": f"这是第{n}个回答"},
                                          ensure_ascii=False) + "\n" for n in range(40)), encoding="utf-8")
    with pytest.raises(RecipeError, match=r"smollm2-135m, writes English(.|\n)*--model Qwen"):
        luthier.train(chinese, out=tmp_path / "out", progress=False)


def test_a_test_row_that_cannot_be_asked_is_refused_before_tuning(data: Path, base: str, tmp_path: Path) -> None:
    long = [{"role": "system", "content": "be kind " * 200}, *WHO[:2]]
    (tmp_path / "test.jsonl").write_text(json.dumps({"messages": long}) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match="test.jsonl:1: the system's turn"):
        luthier.train(data, test=tmp_path / "test.jsonl", model=base, out=tmp_path / "out", progress=False,
                      **SHORT)
    assert not list((tmp_path / "out").rglob("checkpoints/*"))


def test_a_template_that_refuses_a_row_names_it(data: Path, tmp_path: Path) -> None:
    base = make_causal(tmp_path / "base")
    config = json.loads((base / "tokenizer_config.json").read_text(encoding="utf-8"))
    config["chat_template"] = ("{% for m in messages %}{% if loop.index > 2 %}{{ raise_exception('too many') }}"
                               "{% endif %}{{ m['content'] + eos_token }}{% endfor %}")
    (base / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(DataError, match=r"names.jsonl:\d+: the chat template refuses the conversation: too many"):
        luthier.train(data, model=str(base), out=tmp_path / "out", progress=False, **SHORT)
    plain = {"name": "dialogue", "chat_template": "plain", "decoding": {"max_new_tokens": 4}}
    made = luthier.train(data, model=str(base), out=tmp_path / "out", progress=False, **{
        **SHORT, "task": plain, "train": {**SHORT["train"], "num_train_epochs": 1}})
    assert verify(made.path).ok
