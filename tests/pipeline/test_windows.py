"""Long texts classified in windows: nothing is cut, and every door gives the same answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import luthier
from luthier.bundle import read_manifest
from luthier.inference import Predictor, verify

pytestmark = pytest.mark.slow


def test_the_end_of_a_long_text_counts(rows: list[tuple[str, str]], tiny_model: Path, tmp_path: Path) -> None:
    filler = "1 2 3 4 5 6 7 8 9 0 " * 4
    data = tmp_path / "long.jsonl"
    data.write_text("".join(json.dumps({"text": f"{filler}{text}", "label": label}) + "\n" for text, label in rows))
    said = {"model": str(tiny_model), "seed": 1, "threads": 1, "progress": False, "prepare": {"deduplicate": False},
            "train": {"num_train_epochs": 20, "learning_rate": 3e-3, "per_device_train_batch_size": 8,
                      "precision": "fp32"}, "evaluation": {"bootstrap": 100, "untuned": False}}
    cut = luthier.train(data, out=tmp_path / "cut", overrides=["model.max_length=32", "model.long_texts=cut"], **said)
    whole = luthier.train(data, out=tmp_path / "whole", overrides=["model.max_length=32"], **said)
    accuracy = [run.scores["systems"]["tuned"]["metrics"]["accuracy"] for run in (cut, whole)]
    assert accuracy[1] > accuracy[0] + 0.2
    assert read_manifest(whole.path).length.policy == "window"
    assert verify(whole.path).ok
    text = f"{filler}very good indeed"
    with luthier.load(whole.path) as served, Predictor.open(whole.path, backend="torch") as reference:
        (one,), (other,) = served.predict([text]), reference.predict([text])
        assert (one.label, one.truncated) == (other.label, False)
        assert one.score == pytest.approx(other.score, abs=0.05)
        assert [answer.label for answer in served.stream([text, "bad", text])] == [one.label, *[
            answer.label for answer in served.predict(["bad", text])]]
    with luthier.load(cut.path) as served:
        assert served.predict([text])[0].truncated
