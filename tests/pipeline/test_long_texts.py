"""Long documents: what is learned is what is answered, and neither memory nor time run away with their length."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import luthier
from luthier import plugins
from luthier.bundle import read_manifest
from luthier.errors import RecipeError
from luthier.inference import Predictor
from luthier.inference.backends.torch import from_model
from luthier.inference.inputs import encoded
from luthier.models.encoding import Encoder
from luthier.pipeline import opening
from luthier.pipeline.loading import load_data
from luthier.pipeline.opening import open_model
from luthier.pipeline.settings import make_recipe
from luthier.schema import Example, LabelSet
from luthier.tasks import named_entities, nested_entities, text_classification

FILLER = "1 2 3 4 5 6 7 8 9 0 " * 4
QUIET: dict[str, Any] = {"seed": 1, "threads": 1, "progress": False, "prepare": {"deduplicate": False},
                         "evaluation": {"bootstrap": 100, "untuned": False, "baseline": False}}
TASKS = ("text-classification", "named-entities", "nested-entities", "question-answering")
MEASURED = """
import json, sys, time
from pathlib import Path
import torch
from benchmarks._machine import peak_memory_mib
torch.set_num_threads(1)
from luthier import plugins
from luthier.inference import Predictor
from luthier.inference.backends.torch import from_model
from luthier.inference.backends.torch import from_model
from luthier.models.encoding import Encoder
from luthier.schema import LabelSet
name, base = sys.argv[1], Path(sys.argv[2])
labels = LabelSet(("LOC", "ORG"), "token_classification")
if not name.endswith("entities"):
    labels = {"text-classification": LabelSet(("bad", "good")),
              "question-answering": LabelSet(("answer",), "question_answering")}[name]
said = {"window_characters": 60, "window_sentences": 3} if labels.of_spans else {}
task = plugins.load("tasks", name)
backend, encoder = from_model(task.build(base, labels, seed=0).model), Encoder.load(base, max_length=128, overlap=32)
predictor = Predictor(backend, encoder, labels, task, task.Settings(**said), pair=labels.of_answers, name="tiny")
line, found = "good work in 北京，the book was really 很好。Oslo and the shop today, was it? ", []
for size in (2_000, 20_000, 200_000):
    text, began = (line * size)[:size], time.perf_counter()
    (answer,) = predictor.predict([("was it good?", text)] if labels.of_answers else [text])
    found.append([time.perf_counter() - began, peak_memory_mib(), answer.truncated])
print(json.dumps(found))
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", TASKS)
def test_a_document_of_200_000_characters_takes_little_memory_and_time_in_proportion(
    name: str, tiny_model: Path,
) -> None:
    done = subprocess.run([sys.executable, "-c", MEASURED, name, str(tiny_model)], capture_output=True, text=True,
                          check=False, cwd=Path(luthier.__file__).parents[1])
    assert done.returncode == 0, done.stderr[-2000:]
    (_, first, _), (short, second, _), (long, third, cut) = json.loads(done.stdout.splitlines()[-1])
    assert not cut
    assert second - first < 25  # MiB, for 18,000 characters
    assert third - second < 120  # MiB, for 180,000 characters: some 300 to 450 bytes each
    assert long < 30 * max(short, 0.05)


def rows_of(path: Path, texts: list[tuple[str, str]]) -> Path:
    path.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in texts), "utf-8")
    return path


def opened(data: Path, model: Path, out: Path, **said: Any) -> Any:
    return open_model(load_data(make_recipe(data, {"model": {"name": str(model), **said}, "out": str(out),
                                                   "prepare": {"deduplicate": False}, "seed": 1, "threads": 1})))


@pytest.mark.slow
def test_texts_that_fit_are_read_as_they_are_where_texts_are_cut(
    rows: list[tuple[str, str]], tiny_model: Path, tmp_path: Path,
) -> None:
    data = rows_of(tmp_path / "short.jsonl", rows)
    windows, cut = (opened(data, tiny_model, tmp_path / "run", long_texts=way) for way in (None, "cut"))
    assert windows.train.ragged.ids == cut.train.ragged.ids
    np.testing.assert_array_equal(windows.train.targets, cut.train.targets)
    assert "length: every train and valid text fits into" in "\n".join(windows.notes)


@pytest.mark.slow
def test_of_a_very_long_text_some_windows_are_learned_and_the_others_told(
    rows: list[tuple[str, str]], tiny_model: Path, tmp_path: Path,
) -> None:
    data = rows_of(tmp_path / "long.jsonl", [(FILLER * 3 + text if label == rows[0][1] else text, label)
                                             for text, label in rows])
    found = opened(data, tiny_model, tmp_path / "run", max_length=32, max_train_windows=3)
    assert max(np.bincount(found.train.ragged.owners)) == 3
    assert max(np.bincount(found.valid.ragged.owners)) > 3
    assert len(found.train.targets) == len(np.unique(found.train.ragged.owners))
    told = "\n".join(found.notes)
    assert "train and valid texts do not fit into a window and are read in" in told
    assert "windows of training texts with more than 3 are not learned from (model.max_train_windows)" in told


@pytest.mark.slow
def test_numbers_of_long_texts_are_learned_from_all_their_windows(
    rows: list[tuple[str, str]], tiny_model: Path, tmp_path: Path,
) -> None:
    data = tmp_path / "numbers.jsonl"
    data.write_text("".join(json.dumps({"text": FILLER + text, "score": 0.5 + 3.0 * (label == rows[0][1])}) + "\n"
                            for text, label in rows), "utf-8")
    said = {**QUIET, "model": {"name": str(tiny_model), "max_length": 32}, "task": "regression", "label": "score",
            "train": {"num_train_epochs": 20, "learning_rate": 3e-3, "per_device_train_batch_size": 8,
                      "precision": "fp32"}}
    whole = luthier.train(data, out=tmp_path / "whole", **said)
    cut = luthier.train(data, out=tmp_path / "cut", **said, overrides=["model.long_texts=cut"])
    errors = [run.scores["systems"]["tuned"]["metrics"]["mse"] for run in (whole, cut)]
    assert errors[0] < 0.7 * errors[1]
    assert (read_manifest(whole.path).length.policy, read_manifest(cut.path).length.policy) == ("window", "truncate")
    with Predictor.open(whole.path) as served:
        (one,) = served.predict([FILLER + "very good indeed"])
        assert not one.truncated


@pytest.mark.parametrize("how", ["mean", "max"])
def test_logits_of_a_long_text_are_those_of_its_answer(how: Any, tiny_model: Path) -> None:
    labels = LabelSet(("bad", "good"))
    encoder = Encoder.load(tiny_model, max_length=32, overlap=8)
    model = text_classification.build(tiny_model, labels, seed=0).model
    predictor = Predictor(from_model(model), encoder, labels, text_classification,
                          text_classification.Settings(pooling=how), pair=False, name="tiny")
    texts = [FILLER + "good", "bad", FILLER * 3]
    logits, lost = predictor.logits(texts)
    assert logits.shape == (3, 2)
    assert lost.tolist() == [False] * 3
    np.testing.assert_allclose(text_classification.probabilities(np.asarray(logits), labels),
                               [one.probabilities for one in predictor.predict(texts)], rtol=1e-6)


def test_a_policy_that_says_two_things_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"overlap is what windows share, and long_texts is cut: leave one"):
        make_recipe("a.csv", {}, ["model.overlap=3", "model.long_texts=cut"])


@pytest.mark.parametrize(("name", "way", "message"), [
    ("relations", "cut", r"what task relations asks about may stand behind the cut(.|\n)*leave model.long_texts out"),
    ("similarity", "windows", r"model.long_texts=windows asks for windows, and a text that is compared has one vector"),
    ("dialogue", "windows", r"model.long_texts=windows asks for windows, and a text that is written for another"),
])
def test_a_task_that_cannot_treat_long_texts_so_says_why(name: str, way: str, message: str) -> None:
    recipe = make_recipe("a.csv", {"task": name}, [f"model.long_texts={way}"])
    with pytest.raises(RecipeError, match=message):
        opening._check_policy(recipe, plugins.load("tasks", name))


@pytest.mark.parametrize("task", [named_entities, nested_entities])
def test_windows_of_taggers_hold_what_nearly_all_training_rows_do(task: Any) -> None:
    rows = [Example(f"x:{number}", "甲。" * (1 + number % 3), spans=()) for number in range(300)]
    rows.append(Example("x:long", "甲。" * 500, spans=()))
    settings, told = task.settle(task.Settings(), rows, "any")
    assert (settings.window_characters, settings.window_sentences) == (6, 3)
    assert told[0] == ("windows hold up to 6 characters and 3 sentences, as training rows do (task.window_characters, "
                       "task.window_sentences)")
    assert task.reach(settings).sentences == 3
    kept, told = task.settle(task.Settings(window_characters=9, window_sentences=2, max_entity_characters=5)
                             if task is nested_entities else task.Settings(window_characters=9, window_sentences=2),
                             rows, "any")
    assert (kept.window_characters, kept.window_sentences, told) == (9, 2, [])
    assert task.reach(task.Settings()) is None
    assert task.reach(task.Settings(window_sentences=2)).characters > 1e9


def test_a_text_of_many_sentences_is_read_as_rows_were(tiny_model: Path) -> None:
    encoder = Encoder.load(tiny_model, max_length=128, overlap=32)
    texts = ["很好。很好。\ngood", "good"]
    found = encoded(encoder, named_entities, named_entities.Settings(window_sentences=1), texts)
    assert found.owners is not None
    assert found.owners.tolist() == [0, 0, 0, 1]
    assert len(encoded(encoder, named_entities, named_entities.Settings(), texts)) == 2
