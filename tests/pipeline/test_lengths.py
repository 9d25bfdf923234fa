"""A model that could read a book reads as much of a text as the training rows need."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from luthier.data import from_arrays
from luthier.models.tiny_generators import make_causal
from luthier.pipeline import make_recipe, settle
from luthier.pipeline.lengths import chosen
from luthier.pipeline.opening import Opened, open_model
from luthier.recipe import MEMORY


@pytest.fixture(scope="module")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_causal(tmp_path_factory.mktemp("causal") / "base", max_length=4096)


def opened(model: Path, out: Path, words: int, **own: object) -> Opened:
    texts = [f"{number} " + "ab " * words for number in range(60)]
    recipe = make_recipe(MEMORY, {"model": {"name": str(model), **own}, "out": str(out)})
    return open_model(settle(recipe, from_arrays(texts, ["good", "bad"] * 30)))


def test_most_training_rows_are_read_whole_and_the_length_is_told(decoder: Path, tmp_path: Path) -> None:
    short, long = opened(decoder, tmp_path / "out", 3), opened(decoder, tmp_path / "out", 150)
    assert short.encoder.max_length == 128
    longest = int(long.train.ragged.lengths.max())
    assert longest <= long.encoder.max_length < longest + 64
    assert not long.train.ragged.truncated.any()
    assert (f"length: {long.encoder.max_length} tokens are read, because 99.5% of the train rows have {longest} or "
            "fewer (the model could read 4,096; model.max_length sets another)") in long.notes


def test_a_length_that_is_named_or_that_the_model_sets_stays(decoder: Path, tmp_path: Path) -> None:
    assert opened(decoder, tmp_path / "out", 3, max_length=4096).encoder.max_length == 4096
    usual = make_causal(tmp_path / "usual", max_length=1024)
    notes = opened(usual, tmp_path / "out", 3)
    assert notes.encoder.max_length == 1024
    assert not any("model.max_length sets another" in note for note in notes.notes)


def test_windows_are_as_long_as_the_rows_need(decoder: Path, tmp_path: Path) -> None:
    found = opened(decoder, tmp_path / "out", 3, overlap=16)
    assert (found.encoder.max_length, found.encoder.overlap) == (128, 16)
    found = opened(decoder, tmp_path / "out", 3, overlap=200)
    assert (found.encoder.max_length, found.encoder.overlap) == (800, 200)
    assert ("length: 800 tokens are read, because windows that share 200 (model.overlap) are 4 times as long (the "
            "model could read 4,096; model.max_length sets another)") in found.notes


def test_a_few_long_rows_do_not_decide() -> None:
    lengths = np.array([20] * 995 + [6000] * 5)
    assert chosen(8192, lengths)[0] == 128
    assert chosen(8192, np.append(lengths, [6000] * 5))[0] == 6016
    assert chosen(2000, np.array([1990]))[0] == 2000
    assert chosen(2000, np.array([20]), 900)[0] == 2000
