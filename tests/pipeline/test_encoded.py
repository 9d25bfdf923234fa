"""Token ids kept on disk: the same as encoded anew, never somebody else's, and never in the way."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from luthier.models.encoding import Encoder
from luthier.models.tiny import make as made
from luthier.pipeline import encoded
from luthier.schema import Argument, Marked
from luthier.text import written

TEXTS = ["red big thing", "", "a much longer text " * 40, "汉字 and \U0001f600", "broken \ud83d half"]
PAIRS = [("red", "big"), ("", "thing"), ("one text", "another " * 50)]
MARKED = [Marked("red big thing", Argument(0, 3), Argument(4, 7)),
          Marked("red " * 60, Argument(100, 103), Argument(0, 3))]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return made(tmp_path / "model")


@pytest.fixture
def encoder(directory: Path) -> Encoder:
    return Encoder.load(directory, max_length=24)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LUTHIER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(encoded, "WORTHWHILE", 1)
    return tmp_path / "cache" / "tokens"


def refuse(*_: Any, **__: Any) -> Any:
    raise AssertionError("these texts were tokenised before")


@pytest.mark.parametrize("texts", [TEXTS, PAIRS, MARKED], ids=["texts", "pairs", "marked"])
def test_the_second_run_reads_what_the_first_one_found(
    texts: list[Any], directory: Path, encoder: Encoder, place: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    right = encoder.encode_ragged(texts)
    first, said = encoded.encode(encoder, directory, texts)
    assert said is None
    monkeypatch.setattr(Encoder, "encode_ragged", refuse)
    second, said = encoded.encode(encoder, directory, texts)
    assert said is not None
    assert str(place) in said
    for found in (first, second):
        assert found.ids == right.ids
        assert found.type_ids == right.type_ids
        np.testing.assert_array_equal(found.truncated, right.truncated)
    assert [file.stat().st_mode & 0o077 for file in place.iterdir()] == [0]


@pytest.mark.parametrize("texts", [TEXTS, PAIRS, MARKED], ids=["texts", "pairs", "marked"])
@pytest.mark.parametrize("overlap", [None, 0, 5])
@pytest.mark.parametrize("offsets", [False, True])
def test_places_and_owners_are_read_again(
    texts: list[Any], overlap: int | None, offsets: bool, directory: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    encoder = Encoder.load(directory, max_length=24, overlap=overlap)
    right = encoder.encode_ragged(texts, offsets=offsets)
    encoded.encode(encoder, directory, texts, offsets=offsets)
    monkeypatch.setattr(Encoder, "encode_ragged", refuse)
    found, _ = encoded.encode(encoder, directory, texts, offsets=offsets)
    assert (found.ids, found.type_ids) == (right.ids, right.type_ids)
    np.testing.assert_array_equal(found.truncated, right.truncated)
    assert (found.owners is None) == (overlap is None)
    assert (found.offsets is None) == (found.sequence is None) == (not offsets)
    for one, other in ((found.owners, right.owners), *zip(found.offsets or [], right.offsets or [], strict=True),
                       *zip(found.sequence or [], right.sequence or [], strict=True)):
        np.testing.assert_array_equal(one, other)
        assert one is None or one.dtype == np.int64


def test_other_texts_lengths_tokenizers_and_cuts_are_encoded_anew(directory: Path, tmp_path: Path) -> None:
    def key(texts: list[Any], where: Path = directory, **settings: Any) -> str:
        return encoded._key(Encoder.load(where, **{"max_length": 24, **settings}), where, texts)

    other = made(tmp_path / "other")
    (other / "tokenizer_config.json").write_text('{"model_max_length": 30}', encoding="utf-8")
    keys = [key(["ab", "c"]), key(["a", "bc"]), key(["abc"]), key([("ab", "c")]), key(["ab", "c"], max_length=25),
            key(["ab", "c"], normalize="nfkc"), key(["ab", "c"], overlap=0), key(["ab", "c"], overlap=3),
            encoded._key(Encoder.load(directory, max_length=24), directory, ["ab", "c"], offsets=True),
            key(["ab", "c"], other), key(["c", "ab"])]
    assert len(set(keys)) == len(keys)
    (directory / "model.safetensors").write_bytes(b"other weights")
    assert key(["ab", "c"]) == keys[0]


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 and then nothing", b"no archive at all"])
def test_a_damaged_file_is_written_anew(damage: bytes, directory: Path, encoder: Encoder, place: Path) -> None:
    right, _ = encoded.encode(encoder, directory, TEXTS)
    (file,) = place.iterdir()
    whole = file.read_bytes()
    for bad in (damage, whole[: len(whole) // 2]):
        file.write_bytes(bad)
        found, said = encoded.encode(encoder, directory, TEXTS)
        assert said is None
        assert found.ids == right.ids
        assert file.read_bytes() == whole


def test_a_file_whose_parts_do_not_fit_is_not_believed(directory: Path, encoder: Encoder, place: Path) -> None:
    right, _ = encoded.encode(encoder, directory, TEXTS)
    (file,) = place.iterdir()
    with np.load(file) as stored:
        parts = dict(stored)
    for change in ({"ids": parts["ids"][:-1]}, {"lengths": parts["lengths"][:-1]}, {"truncated": np.zeros(2, bool)}):
        with file.open("wb") as out:
            np.savez(out, **{**parts, **change})
        assert encoded.encode(encoder, directory, TEXTS)[0].ids == right.ids


def test_a_file_whose_windows_do_not_fit_is_not_believed(directory: Path, place: Path) -> None:
    encoder = Encoder.load(directory, max_length=24, overlap=5)
    right, _ = encoded.encode(encoder, directory, TEXTS, offsets=True)
    (file,) = place.iterdir()
    with np.load(file) as stored:
        parts = dict(stored)
    for name in ("offsets", "sequence", "owners"):
        for change in ({**parts, name: parts[name][:-1]}, {key: part for key, part in parts.items() if key != name},
                       {**parts, "owners": np.minimum(parts["owners"], len(TEXTS) - 2)}):
            with file.open("wb") as out:
                np.savez(out, **change)
            found, said = encoded.encode(encoder, directory, TEXTS, offsets=True)
            assert said is None
            assert found.ids == right.ids


def test_the_oldest_go_when_there_are_too_many(
    directory: Path, encoder: Encoder, place: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    for number in range(3):
        encoded.encode(encoder, directory, [f"text {number}"])
    files = sorted(place.iterdir())
    for age, file in enumerate(files):
        os.utime(file, (1000 - age, 1000 - age))
    size = files[0].stat().st_size
    monkeypatch.setattr(encoded, "LIMIT", 3 * size + size // 2)
    encoded.encode(encoder, directory, ["text of now"])
    assert set(files) - set(place.iterdir()) == {files[2]}
    monkeypatch.setattr(encoded, "LIMIT", 0)
    encoded.encode(encoder, directory, ["a later text"])
    assert len(list(place.iterdir())) == 1


def test_a_place_that_cannot_be_written_is_said_and_not_in_the_way(
    directory: Path, encoder: Encoder, place: Path,
) -> None:
    place.parent.mkdir()
    place.write_text("a file where the folder should be", encoding="utf-8")
    found, said = encoded.encode(encoder, directory, TEXTS)
    assert found.ids == encoder.encode_ragged(TEXTS).ids
    assert said is not None
    assert "not kept for the next run" in said


def test_few_texts_are_not_kept(directory: Path, encoder: Encoder, place: Path,
                                monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoded, "WORTHWHILE", 10_000)
    assert encoded.encode(encoder, directory, TEXTS)[1] is None
    assert not place.exists()


def test_a_text_that_holds_such_marks_itself_is_not_taken_for_a_marked_one(directory: Path) -> None:
    encoder = Encoder.load(directory, max_length=24, overlap=5)
    for texts in (MARKED, [written(row).text for row in MARKED]):
        found, said = encoded.encode(encoder, directory, texts)
        assert said is None
        assert found.ids == encoder.encode_ragged(texts).ids
