"""The speed benchmarks: turns, ratios, counted operations; and the whole command on a tiny model."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import speed_predict, speed_startup, speed_train
from benchmarks._roofline import forward_flops
from benchmarks._speed import Compared, take_turns
from benchmarks._texts import joined_texts
from luthier.errors import TuningError
from luthier.inference import tiny


def test_sides_take_turns_after_one_unmeasured_round() -> None:
    order: list[str] = []

    def side(name: str) -> float:
        order.append(name)
        return float(len(order))

    said: list[str] = []
    compared = take_turns({name: lambda name=name: side(name) for name in "abc"}, 3, said.append)  # type: ignore[misc]
    assert "".join(order) == "abc" + "abc" + "cba" + "abc"
    assert compared.seconds == {"a": [4.0, 9.0, 10.0], "b": [5.0, 8.0, 11.0], "c": [6.0, 7.0, 12.0]}
    assert said[0] == "  round 1: a 4.00 s, b 5.00 s, c 6.00 s"


def test_a_ratio_is_the_median_of_the_rounds_own() -> None:
    compared = Compared({"fast": [1.0, 2.0, 1.0], "slow": [4.0, 6.0, 5.0]})
    assert compared.ratios("fast", to="slow") == [4.0, 3.0, 5.0]
    assert compared.ratio("fast", to="slow") == "4.0x (3.0 to 5.0)"
    assert compared.median("slow") == 5.0


def test_operations_are_those_of_the_matrix_products(tiny_model: Path) -> None:
    config = json.loads((tiny_model / "config.json").read_text(encoding="utf-8"))
    width, inner, layers = (config[name] for name in ("hidden_size", "intermediate_size", "num_hidden_layers"))
    tokens = 7
    products = [(tokens, width, width)] * 4 + [(tokens, width, inner), (tokens, inner, width)]
    products += [(tokens, width, tokens), (tokens, tokens, width)]  # all heads together
    assert forward_flops(str(tiny_model), np.array([tokens])) == layers * sum(2 * a * b * c for a, b, c in products)


@pytest.fixture
def sentences(tmp_path: Path) -> Path:
    (tmp_path / "sst2").mkdir()
    rows = [{"text": "a book that was really good today", "label": "x"}, {"text": "shop " * 9, "label": "y"}]
    (tmp_path / "sst2" / "train.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(("tokens", "low", "high"), [(28, 14, 42), (512, 64, 64)])
def test_texts_have_about_the_wanted_tokens(tiny_model: Path, sentences: Path, monkeypatch: pytest.MonkeyPatch,
                                            tokens: int, low: int, high: int) -> None:
    monkeypatch.setattr(speed_train, "LONGEST", 64)  # the tiny model's own limit
    lengths = speed_train.make_work(str(tiny_model), min(tokens, 64), sentences, 40).ragged.lengths
    assert low <= lengths.min() <= lengths.max() <= high


@pytest.mark.slow
def test_the_whole_command_on_a_tiny_model(tiny_model: Path, sentences: Path, monkeypatch: pytest.MonkeyPatch,
                                           capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(speed_train, "LONGEST", 64)
    said = ["--data", str(sentences), "--model", str(tiny_model), "--tokens", "28", "--rounds", "1", "--rows", "40"]
    assert speed_train.main([*said, "--threads", "1"]) == 0, capsys.readouterr().err
    page = capsys.readouterr().out
    for part in ("1 threads", "40 texts of 2", "luthier is ", "as fast as trainer, defaults", "% of bf16"):
        assert part in page


def test_missing_sentences_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert speed_train.main(["--data", str(tmp_path)]) == 2
    assert "no sst2/train.jsonl in" in capsys.readouterr().err


def test_texts_of_a_file_are_always_the_same_and_as_long_as_wanted(sentences: Path) -> None:
    texts = joined_texts(sentences, 300, 28)
    assert texts == joined_texts(sentences, 300, 28)
    words = [len(text.split()) for text in texts]
    assert 10 <= min(words) <= max(words) <= 36
    assert 21 < np.mean(words) < 26  # 28 tokens, two of them special, 1.13 a word


@pytest.mark.slow
def test_prediction_is_compared_on_a_tiny_model(tiny_model: Path, sentences: Path, monkeypatch: pytest.MonkeyPatch,
                                                capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(speed_predict, "ONES", 5)
    monkeypatch.setattr(speed_predict, "LONGEST", 64)
    said = ["--data", str(sentences), "--model", str(tiny_model), "--rounds", "1", "--rows", "60", "--whole", "80"]
    assert speed_predict.main([*said, "--threads", "1"]) == 0, capsys.readouterr().err
    page = capsys.readouterr().out
    for part in ("a file of 60 texts", "measured here", "as fast as pipeline, best", "% of bf16",
                 "5 texts one at a time", "luthier, openvino", "p99", "80 texts from file to file"):
        assert part in page


@pytest.mark.slow
def test_starting_up_is_compared_on_a_tiny_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                 capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(speed_startup, "make_bundle", lambda name, place: tiny.make_bundle(place))
    assert speed_startup.main(["--model", "x", "--rounds", "1", "--threads", "1"]) == 0, capsys.readouterr().err
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5
    assert all("first run" in line for line in lines[1:])
    with pytest.raises(TuningError, match="ended with code 1"):
        speed_startup.seconds(["false"])


def test_a_first_step_is_waited_for_and_no_longer(tmp_path: Path) -> None:
    events = tmp_path / "events.jsonl"
    events.write_text('{"event": "step"}', encoding="utf-8")  # of another run
    writes = "import sys, time; time.sleep(0.2); open(sys.argv[1], 'w').write('{\"event\": \"step\"}'); time.sleep(60)"
    assert 0.2 < speed_startup.first_step([sys.executable, "-c", writes, str(events)], events) < 20
    assert speed_startup.first_step([sys.executable, "-c", "print('first step')"], tmp_path / "none") < 20
    with pytest.raises(TuningError, match="ended without a step: no luck"):
        speed_startup.first_step([sys.executable, "-c", "print('no luck')"], tmp_path / "none")
