"""Rows to batches and back, around a backend that writes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.errors import LimitError
from luthier.inference.backends.torch import from_model
from luthier.inference.generation import Decoding, Written
from luthier.inference.writing import batches, write
from luthier.models.encoding import Ragged
from luthier.models.tiny_generators import make_causal, make_seq2seq

LENGTHS = st.lists(st.integers(1, 900), max_size=60).map(lambda values: np.asarray(values, np.int64))


@given(LENGTHS, st.integers(1, 3000), st.integers(1, 8), st.sampled_from([64, 2048]),
       st.sampled_from([1, 300, 8192]))
def test_batches_are_bounded_by_what_is_read_and_written(lengths: Any, new: int, beams: int, most: int,
                                                         held: int) -> None:
    planned = batches(lengths, Decoding(max_new_tokens=new, num_beams=beams), most, held)
    assert sorted(row for rows in planned for row in rows.tolist()) == list(range(len(lengths)))
    for rows in planned:
        longest = int(lengths[rows].max())
        assert len(rows) == 1 or len(rows) * longest * beams <= most
        assert len(rows) == 1 or len(rows) * (longest + new) * beams <= held


@pytest.mark.parametrize("make", [make_causal, make_seq2seq])
def test_no_more_is_held_than_a_quarter_of_the_memory_takes(
        make: Callable[[Path], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import AutoModel

    model = AutoModel.from_pretrained(make(tmp_path / "model"))
    backend = from_model(model)
    assert backend.held_tokens == 4 * backend.max_tokens
    config = model.config
    each = 2 * 4 * config.num_hidden_layers * config.hidden_size  # keys and values of all heads, float32
    monkeypatch.setattr("luthier.inference.backends.torch.memory", lambda _: 4 * 100 * each)
    assert 100 <= backend.held_tokens < 4 * backend.max_tokens  # more where heads share keys
    monkeypatch.setattr("luthier.inference.backends.torch.memory", lambda _: 1)
    assert backend.held_tokens == 1


class Recorder:
    """A backend that writes the number of each call, and asks whether to go on."""

    max_tokens = 40
    held_tokens = 160

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.stopped: list[bool] = []

    def generate(self, batch: Any, *_: Any, stop: Any, **__: Any) -> list[Written]:
        self.rows.append(len(batch))
        self.stopped += [] if stop is None else [stop(place) for place in range(len(batch))]
        if len(batch) == 3:
            raise LimitError("no room", "shorten it", row=1)
        return [Written((row,), "", 0.0, "stop") for row in batch]


ENCODER: Any = SimpleNamespace(collate=lambda _, rows: list(rows), text_of=str, ends=())


def ragged(*lengths: int) -> Ragged:
    return Ragged([[5] * length for length in lengths], None, np.zeros(len(lengths), np.bool_))


def test_rows_that_nobody_waits_for_are_not_begun_and_are_asked_for_by_their_numbers() -> None:
    backend: Any = Recorder()
    asked: list[int] = []

    def stop(row: int) -> bool:
        asked.append(row)
        return row in (1, 2)

    found = write(backend, ENCODER, ragged(20, 3, 19, 4), Decoding(max_new_tokens=2), stop)
    assert backend.rows == [1, 1]
    assert backend.stopped == [False, False]
    assert {*asked} == {0, 1, 2, 3}
    assert [one.ids for one in found] == [(0,), (), (), (3,)]
    assert [one.score for one in found] == [0.0, -np.inf, -np.inf, 0.0]


def test_a_row_without_room_is_named_as_the_caller_counts() -> None:
    backend: Any = Recorder()
    with pytest.raises(LimitError, match="row 3: no room\n  -> shorten it") as caught:
        write(backend, ENCODER, ragged(20, 19, 2, 3, 4), Decoding(max_new_tokens=2))
    assert caught.value.row == 3
