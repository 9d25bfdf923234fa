"""Windows of long texts: nothing is lost, neighbours share what they should, and each text keeps its own."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from luthier.errors import DataError, ModelError
from luthier.models.encoding import Encoder, Ragged, Reach, spread
from luthier.text import sentence_ends

LONG = 100_000
"""More tokens than any text here has."""

HARD = st.sampled_from(["good", "very ", " 北京", "，", "e\u0301", "\ufeff", "\n", "[SEP]"])
words = st.lists(HARD | st.characters(), max_size=80).map("".join)


@pytest.fixture(scope="module")
def model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model, with room for any text."""
    copy = Path(shutil.copytree(tiny_model, tmp_path_factory.mktemp("windows") / "model"))
    config = json.loads((copy / "config.json").read_text(encoding="utf-8")) | {"max_position_embeddings": LONG}
    (copy / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (copy / "tokenizer_config.json").write_text("{}", encoding="utf-8")
    return copy


@pytest.fixture(scope="module")
def whole(model: Path) -> Encoder:
    return Encoder.load(model)


def windows_of(ragged: Ragged, text: int) -> list[int]:
    assert ragged.owners is not None
    return np.flatnonzero(ragged.owners == text).tolist()


def joined(rows: list[Any], overlap: int) -> list[Any]:
    """What stands in windows, each but the first without what it shares with the one before."""
    for one, other in zip(rows, rows[1:], strict=False):
        assert overlap == 0 or one[-overlap:] == other[:overlap]
    return [token for number, row in enumerate(rows) for token in row[overlap if number else 0 :]]


@given(rows=st.lists(words, min_size=1, max_size=4), max_length=st.integers(4, 40), data=st.data())
@settings(max_examples=100)
def test_windows_hold_the_whole_text_and_share_the_overlap(
    model: Path, whole: Encoder, rows: list[str], max_length: int, data: st.DataObject,
) -> None:
    overlap = data.draw(st.integers(0, max_length - 4))
    encoder = Encoder.load(model, max_length=max_length, overlap=overlap)
    ragged, right = encoder.encode_ragged(rows, offsets=True), whole.encode_ragged(rows, offsets=True)
    assert ragged.owners is not None
    assert right.offsets is not None
    assert ragged.offsets is not None
    assert ragged.sequence is not None
    assert (np.diff(ragged.owners) >= 0).all()
    assert np.unique(ragged.owners).tolist() == list(range(len(rows)))
    assert not ragged.truncated.any()
    assert len(ragged.truncated) == len(ragged.owners) == len(ragged)
    assert ragged.lengths.max() <= max_length
    for text in range(len(rows)):
        mine = windows_of(ragged, text)
        assert all(ragged.lengths[row] == max_length for row in mine[:-1])
        assert all(ragged.ids[row][0] == right.ids[text][0] for row in mine)
        assert all(ragged.ids[row][-1] == right.ids[text][-1] for row in mine)
        assert all(ragged.sequence[row].tolist() == [-1] + [0] * (ragged.lengths[row] - 2) + [-1] for row in mine)
        assert joined([ragged.ids[row][1:-1] for row in mine], overlap) == right.ids[text][1:-1]
        places = [ragged.offsets[row][1:-1].tolist() for row in mine]
        assert joined(places, overlap) == right.offsets[text][1:-1].tolist()
        assert len(mine) == 1 or ragged.lengths[mine[-1]] - 2 > overlap  # the last one adds something


@given(rows=st.lists(words, min_size=1, max_size=3), offsets=st.booleans())
@settings(max_examples=30)
def test_texts_that_fit_are_the_rows_they_were(model: Path, rows: list[str], offsets: bool) -> None:
    pairs = [*rows, *zip(rows, rows[::-1], strict=True)]
    plain = Encoder.load(model, max_length=2000).encode_ragged(pairs, offsets=offsets)
    ragged = Encoder.load(model, max_length=2000, overlap=7).encode_ragged(pairs, offsets=offsets)
    assert ragged.owners is not None
    assert ragged.owners.tolist() == list(range(len(pairs)))
    assert (ragged.ids, ragged.type_ids) == (plain.ids, plain.type_ids)
    assert (ragged.offsets is None) is (plain.offsets is None) is (not offsets)
    for name in ("offsets", "sequence") if offsets else ():
        for one, other in zip(getattr(ragged, name), getattr(plain, name), strict=True):
            np.testing.assert_array_equal(one, other)


@given(first=words, second=words, max_length=st.integers(4, 40), data=st.data())
@settings(max_examples=100)
def test_of_a_pair_the_second_text_is_windowed_or_the_first_where_that_loses_nothing(
    model: Path, whole: Encoder, first: str, second: str, max_length: int, data: st.DataObject,
) -> None:
    overlap = data.draw(st.integers(0, max_length - 4))
    encoder = Encoder.load(model, max_length=max_length, overlap=overlap)
    ragged = encoder.encode_ragged([(first, second)], offsets=True)
    left, right = (whole.encode_ragged([text]).ids[0][1:-1] for text in (first, second))
    room = max_length - 3
    turned = len(right) <= room // 2 and len(left) + len(right) > room
    if turned:
        left, right = right, left
    kept = left if len(left) + len(right) <= room else left[: room // 2]
    shared = min(overlap, (room - len(kept)) // 2)
    assert ragged.sequence is not None
    assert ragged.type_ids is not None
    sides = (1, 0) if turned else (0, 1)
    parts = [[[token for token, name in zip(ids, names.tolist(), strict=True) if name == part] for part in sides]
             for ids, names in zip(ragged.ids, ragged.sequence, strict=True)]
    assert all(one == kept for one, _ in parts)
    assert joined([other for _, other in parts], shared) == right
    assert (ragged.truncated == (len(kept) < len(left))).all()
    assert ragged.lengths.max() <= max_length
    assert all(len(row) == len(ids) for row, ids in zip(ragged.type_ids, ragged.ids, strict=True))
    assert ragged.fresh is not None
    assert ragged.fresh.sum() == len(kept) + len(right)


@given(rows=st.lists(words | st.tuples(words, words), min_size=1, max_size=4), max_length=st.integers(4, 40),
       data=st.data())
@settings(max_examples=60)
def test_windows_without_places_are_those_with_places(
    model: Path, rows: list[Any], max_length: int, data: st.DataObject,
) -> None:
    encoder = Encoder.load(model, max_length=max_length, overlap=data.draw(st.integers(0, max_length - 4)))
    plain, placed = (encoder.encode_ragged(rows, offsets=offsets) for offsets in (False, True))
    assert (plain.ids, plain.type_ids) == (placed.ids, placed.type_ids)
    for name in ("truncated", "owners"):
        np.testing.assert_array_equal(getattr(plain, name), getattr(placed, name))
    # What stands around a text that fits is counted too: a lone window has all the weight.
    assert plain.fresh is not None
    assert placed.fresh is not None
    several = np.bincount(plain.owners)[plain.owners] > 1
    np.testing.assert_array_equal(plain.fresh[several], placed.fresh[several])


def test_the_first_and_the_last_windows_of_a_text_are_kept_with_some_between(model: Path) -> None:
    every = Encoder.load(model, max_length=12, overlap=2).encode_ragged(["good", "very " * 61, "good " * 20])
    few = spread(every, 4)
    assert few.owners is not None
    assert few.fresh is not None
    assert np.bincount(few.owners).tolist() == [1, 4, 3]
    assert few.ids == [every.ids[row] for row in (0, 1, 3, 6, 8, 9, 10, 11)]
    assert few.fresh.tolist() == [3, 10, 8, 8, 3, 10, 8, 2]
    assert spread(every, 9) is every
    assert spread(few, 1).ids == [every.ids[row] for row in (0, 1, 9)]


@given(text=st.lists(HARD | st.sampled_from(["。", "good. Very", "\n"]) | st.characters(), max_size=80).map("".join),
       characters=st.integers(1, 30), sentences=st.integers(1, 4), max_length=st.integers(6, 40))
@settings(max_examples=100)
def test_windows_end_with_sentences_and_hold_no_more_than_they_may(
    model: Path, whole: Encoder, text: str, characters: int, sentences: int, max_length: int,
) -> None:
    encoder, reach = Encoder.load(model, max_length=max_length, overlap=2), Reach(characters, sentences)
    ragged = encoder.encode_ragged(["good", text], offsets=True, reach=reach)
    right = whole.encode_ragged([text], offsets=True)
    assert ragged.offsets is not None
    assert ragged.fresh is not None
    assert right.offsets is not None
    mine = windows_of(ragged, 1)
    fresh = ragged.fresh[mine].tolist()
    assert [token for row, new in zip(mine, fresh, strict=True)
            for token in ragged.ids[row][1:-1][len(ragged.ids[row]) - 2 - new:]] == right.ids[0][1:-1]
    assert ragged.lengths.max() <= max_length
    for row in mine:
        places = ragged.offsets[row][1:-1]
        if len(places) > 1:
            assert places[:, 1].max() - places[0, 0] <= characters
    if len(text.strip()) <= characters and len(sentence_ends(text)) < sentences and len(right.ids[0]) <= max_length:
        assert len(mine) == 1


def test_a_window_takes_as_many_sentences_as_rows_had(model: Path) -> None:
    encoder, text = Encoder.load(model, max_length=100, overlap=10), "很好。good! 北京。\nvery good. Very。"

    def windows(characters: int, sentences: int) -> list[str]:
        found = encoder.encode_ragged([text], offsets=True, reach=Reach(characters, sentences)).offsets or []
        return [text[places[1, 0]:places[-2, 1]] for places in found]

    assert windows(99, 1) == ["很好。", "good!", "北京。", "very good.", "Very。"]
    assert windows(99, 2) == ["很好。good!", "北京。\nvery good.", "Very。"]
    assert windows(12, 99) == ["很好。good! 北京。", "very good.", "Very。"]
    assert windows(99, 99) == [text]


@pytest.mark.parametrize("text", ["very good, 3.14 times! " * 870, "我的卡在哪里？很好，很好。" * 1540])
@pytest.mark.parametrize("offsets", [False, True])
def test_twenty_thousand_characters(model: Path, whole: Encoder, text: str, offsets: bool) -> None:
    assert len(text) >= 20_000
    encoder = Encoder.load(model, max_length=128, overlap=32)
    ragged = encoder.encode_ragged(["good", text, "good"], offsets=offsets)
    mine = windows_of(ragged, 1)
    assert mine == list(range(1, len(ragged) - 1))
    assert joined([ragged.ids[row][1:-1] for row in mine], 32) == whole.encode_ragged([text]).ids[0][1:-1]
    if ragged.offsets is not None:
        last = ragged.offsets[mine[-1]][-2].tolist()
        assert last == [len(text.rstrip()) - 1, len(text.rstrip())]


def test_windows_are_collated_by_their_numbers(model: Path) -> None:
    encoder = Encoder.load(model, max_length=12, overlap=2)
    ragged = encoder.encode_ragged(["good " * 30, ("good", "very good " * 20)])
    batch = encoder.collate(ragged, [len(ragged) - 1, 0])
    assert batch.ids[1][batch.mask[1]].tolist() == ragged.ids[0]
    assert batch.type_ids is not None
    assert encoder.encode(["good " * 30]).ids.shape == (4, 12)


def test_many_texts_are_read_some_at_a_time(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from luthier.models import _reading

    encoder = Encoder.load(model, max_length=12, overlap=2)
    rows: list[Any] = ["good " * number for number in range(9)] + [("good", "very " * 30)] * 3
    right = encoder.encode_ragged(rows, offsets=True)
    for name, value in (("_CHARACTERS", 40), ("_WINDOW", 2)):
        monkeypatch.setattr(_reading, name, value)
        found = encoder.encode_ragged(rows, offsets=True)
        assert (found.ids, found.type_ids) == (right.ids, right.type_ids)
        np.testing.assert_array_equal(found.owners, right.owners)
        np.testing.assert_array_equal(np.concatenate(found.offsets or []), np.concatenate(right.offsets or []))
    with pytest.raises(DataError, match="row 5: expected a text or a pair of texts, got int 7"):
        encoder.encode_ragged([*["good"] * 5, 7])  # type: ignore[list-item]


def test_no_rows(model: Path) -> None:
    ragged = Encoder.load(model, max_length=12, overlap=2).encode_ragged([], offsets=True)
    assert len(ragged) == 0
    assert ragged.owners is not None
    assert ragged.owners.shape == (0,)


@pytest.mark.parametrize("overlap", [-1, 9, 500])
def test_an_overlap_that_does_not_fit_is_refused(model: Path, overlap: int) -> None:
    with pytest.raises(ModelError, match=rf"overlap {overlap} does not fit windows with room for 9 tokens of text"
                                         r"[^>]*-> set model.overlap from 0 to 8, or a larger model.max_length"):
        Encoder.load(model, max_length=12, overlap=overlap)


def test_a_saved_tokenizer_cuts_where_others_read_it(model: Path, tmp_path: Path) -> None:
    windowed, plain = Encoder.load(model, max_length=12, overlap=2), Encoder.load(model, max_length=12)
    for name, encoder in (("windowed", windowed), ("plain", plain)):
        encoder.save(tmp_path / name)
    for file in (tmp_path / "plain").iterdir():
        assert file.read_bytes() == (tmp_path / "windowed" / file.name).read_bytes()
    assert len(Tokenizer.from_file(str(tmp_path / "windowed" / "tokenizer.json")).encode("good " * 30).ids) == 12
    assert len(windowed.encode_ragged(["good " * 30])) == 4


def test_a_windowing_encoder_can_be_pickled(model: Path) -> None:
    encoder = Encoder.load(model, max_length=12, overlap=2)
    again = pickle.loads(pickle.dumps(encoder))
    assert again.encode_ragged(["good " * 30]).ids == encoder.encode_ragged(["good " * 30]).ids


@pytest.mark.slow
@pytest.mark.parametrize("name", ["e5-small", "minilm-l6"])
@pytest.mark.parametrize("text", ["The card, of which I spoke, is lost. " * 560, "我的卡在哪里？客服等三天。" * 1600])
def test_twenty_thousand_characters_by_packaged_models(name: str, text: str) -> None:
    from luthier.models.sources import resolve

    directory = resolve(name).path
    tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    ragged = Encoder.load(directory, max_length=128, overlap=32).encode_ragged([text], offsets=True)
    assert joined([ids[1:-1] for ids in ragged.ids], 32) == tokenizer.encode(text.strip()).ids[1:-1]
    assert ragged.offsets is not None
    ends = joined([row[1:-1].tolist() for row in ragged.offsets], 32)
    assert (np.diff(np.array(ends)[:, 0]) >= 0).all()
    assert ends[-1][1] == len(text.rstrip())
