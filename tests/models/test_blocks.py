"""Documents as blocks: nothing is lost, nothing stands twice, and hidden tokens are drawn as they should be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luthier.errors import ModelError
from luthier.models import tiny
from luthier.models.blocks import BlockEncoder
from luthier.models.encoding import Encoder
from luthier.models.masking import SPECIAL, UNASKED, HiddenRows, Masking
from luthier.models.tiny_generators import make_causal
from luthier.schema import Document

TEXTS = ["the bank opens the account", "心情很好", "", "unbelievable stories of cards " * 20, "x"]


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.make(tmp_path_factory.mktemp("blocks") / "bert", texts=["the bank opens the account"], max_length=64)


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_causal(tmp_path_factory.mktemp("blocks") / "llama")


def masked(directory: Path, length: int = 16, **options: bool) -> BlockEncoder:
    return BlockEncoder.load(directory, max_length=length, normalize="nfc", mlm_probability=0.15, **options)


def causal(directory: Path, length: int = 16, new_tokens: int = 4) -> BlockEncoder:
    return BlockEncoder.load(directory, max_length=length, normalize="nfc", new_tokens=new_tokens)


@settings(max_examples=30)
@given(st.lists(st.text(alphabet="abc 很。", max_size=40), min_size=1, max_size=6), st.integers(8, 40))
def test_blocks_of_hidden_tokens_hold_every_token_once(bert: Path, texts: list[str], length: int) -> None:
    encoder = masked(bert, length)
    plain = Encoder.load(bert).encode_ragged(texts)
    whole = [number for ids in plain.ids for number in ids[1:]][:-1]  # [SEP] between two, none behind the last
    ragged = encoder.packed(texts)
    assert [number for ids in ragged.ids for number in ids[1:-1]] == whole
    assert all(ids[0] == 2 and ids[-1] == 3 for ids in ragged.ids)
    assert all(len(ids) == length for ids in ragged.ids[:-1])
    for ids, words in zip(ragged.ids, ragged.sequence or [], strict=True):
        assert ((words == SPECIAL) == np.isin(ids, (2, 3))).all()


@settings(max_examples=30)
@given(st.lists(st.text(alphabet="ab很", max_size=20), min_size=2, max_size=6), st.integers(8, 40))
def test_blocks_to_be_gone_on_with_ask_for_every_token_once(llama: Path, texts: list[str], length: int) -> None:
    ragged = causal(llama, length).packed(texts)
    asked = [number for ids in ragged.ids for number in ids[1:]]
    stream = [number for text in texts for number in (0, *Encoder.load(llama).encode_ragged([text]).ids[0][1:], 2)]
    assert asked == stream[1:]
    assert all(first[-1] == second[0] for first, second in zip(ragged.ids, ragged.ids[1:], strict=False))
    assert max(map(len, ragged.ids)) <= length


def test_each_document_has_blocks_of_its_own_where_that_is_asked(bert: Path) -> None:
    encoder = masked(bert)
    ragged = encoder.packed(TEXTS, together=False)
    assert [ids for ids in ragged.ids if len(ids) > 2] == [
        ids for ids in encoder.encode_ragged([Document(text) for text in TEXTS]).ids if len(ids) > 2]


def test_the_end_of_each_document_is_learned_and_not_scored(llama: Path) -> None:
    encoder = causal(llama)
    (end,) = encoder.frame.after
    for texts, together in ((["ab", "cd"], False), (["ab"], True), (["ab", "cd"], True)):
        asked = [number for ids in encoder.packed(texts, together=together).ids for number in ids[1:]]
        assert asked.count(end) == len(texts), (texts, together)
    assert end not in encoder.encode_ragged([Document("ab")]).ids[0]


def test_special_tokens_that_a_text_gives_are_not_hidden(bert: Path) -> None:
    encoder = masked(bert, 64)
    text = "the 😀 [MASK] \u0e01 opens [SEP]"
    given = set(encoder.tokens([text])[0])
    assert {1, 3, 4} < given  # unknown, end, mask
    (ids,), (words,) = encoder.packed([text]).ids, encoder.packed([text]).sequence or ()
    for seed in range(40):
        wanted = encoder.masking.drawn(np.array(ids), words, [seed]).wanted
        assert (wanted[wanted != UNASKED] > 4).all()
    assert encoder.asked(["😀"]) == [[]]


def test_documents_tell_whose_their_blocks_are_and_what_is_asked(bert: Path, llama: Path) -> None:
    for encoder in (masked(bert), causal(llama)):
        ragged = encoder.encode_ragged([Document(text) for text in TEXTS])
        assert sorted(set(ragged.owners.tolist())) == list(range(len(TEXTS)))
        asked, every = encoder.asked(TEXTS), encoder.tokens(TEXTS)
        assert [len(row) for row in asked] == [len(row) for row in encoder.asked(TEXTS[::-1])][::-1]
        if encoder.masking is None:
            assert asked == every
        else:
            assert all(len(own) >= (len(row) > 0) for own, row in zip(asked, every, strict=True))


def test_prompts_keep_their_end_and_room_for_what_is_written(llama: Path) -> None:
    encoder = causal(llama)
    ragged = encoder.encode_ragged(["abcdefghijklmnopqrstuvwxyz", "ab"])
    assert ragged.truncated.tolist() == [True, False]
    assert encoder.text_of(ragged.ids[0]) == "pqrstuvwxyz"
    assert [len(ids) for ids in ragged.ids] == [encoder.room, 3] == [12, 3]
    assert encoder.ends == (2,)


def test_blocks_are_shorter_by_choice_and_the_tokenizer_is_saved_whole(bert: Path, tmp_path: Path) -> None:
    masked(bert).save(tmp_path)
    (tmp_path / "config.json").write_text((bert / "config.json").read_text())
    assert Encoder.load(tmp_path).max_length == 64


def test_masks_are_understood_in_either_spelling(bert: Path) -> None:
    encoder = masked(bert)
    first, second = encoder.encode_ragged(["the [MASK] opens", "the <mask> opens"]).ids
    assert first == second
    assert first.count(encoder.masking.mask) == 1
    assert encoder.spelt(first) == "the [MASK] opens"
    (odd,) = encoder.packed(["the [MASK] [SEP] opens [CLS]"]).ids
    assert encoder.spelt(odd) == "the [MASK] [SEP] opens [CLS]"


def test_words_are_hidden_whole(bert: Path) -> None:
    encoder = masked(bert, 64, whole_words=True)
    (ids,), (words,) = (part for part in (encoder.packed(["the 很好 zanzibar"]).ids,
                                          encoder.packed(["the 很好 zanzibar"]).sequence))
    assert len(ids) == len(words)
    _, counts = np.unique(words[words != SPECIAL], return_counts=True)
    assert counts.tolist() == [1, 1, 1, 8]  # a Chinese character is a word; the last is spelt out in letters
    for seed in range(20):
        hidden = encoder.masking.drawn(np.array(ids), words, [seed]).wanted != UNASKED
        assert len(set(hidden[words == words[-2]].tolist())) == 1


def test_shares_of_what_is_hidden_are_those_of_bert() -> None:
    masking = Masking(0.15, 4, np.arange(5, 1000))
    ids = np.random.default_rng(0).integers(5, 1000, 100_000)
    hidden = masking.drawn(ids, np.arange(len(ids)), [1])
    asked = hidden.wanted != UNASKED
    assert asked.mean() == pytest.approx(0.15, abs=0.005)
    assert (hidden.wanted[asked] == ids[asked]).all()
    assert (hidden.ids[~asked] == ids[~asked]).all()
    assert (hidden.ids[asked] == 4).mean() == pytest.approx(0.8, abs=0.02)
    assert (hidden.ids[asked] == ids[asked]).mean() == pytest.approx(0.1, abs=0.02)
    assert (hidden.ids >= 4).all()  # never a special token


def test_other_tokens_are_hidden_in_each_epoch_and_the_same_in_each_again() -> None:
    masking, ids = Masking(0.3, 4, np.arange(5, 50)), [list(range(5, 45))] * 3
    rows = HiddenRows(masking, ids, [np.arange(40)] * 3, seed=7)
    first = [row.tolist() for row in rows]
    assert first == [row.tolist() for row in rows]
    assert first[0] != first[1]
    rows.turn(1)
    assert first != [row.tolist() for row in rows]
    rows.turn(0)
    assert first == [row.tolist() for row in rows[0:3]]
    fixed = HiddenRows(masking, ids, [np.arange(40)] * 3, seed=None)
    before = [row.tolist() for row in fixed]
    fixed.turn(5)
    assert before == [row.tolist() for row in fixed]
    assert before[0] == before[2]


def test_special_tokens_are_never_hidden_and_one_word_always_is() -> None:
    masking = Masking(0.01, 4, np.arange(5, 50))
    words = np.array([SPECIAL, 0, SPECIAL])
    assert masking.fixed(np.array([2, 9, 3]), words).wanted.tolist() == [UNASKED, 9, UNASKED]
    assert masking.fixed(np.array([2, 3]), words[[0, 2]]).wanted.tolist() == [UNASKED, UNASKED]


def test_models_without_the_tokens_that_it_takes_are_refused(llama: Path, bert: Path) -> None:
    with pytest.raises(ModelError, match="has no mask token.*\n.*minilm-l6.*causal-language-modelling"):
        masked(llama)
    with pytest.raises(ModelError, match="has no token that ends a document\n.*eos_token"):
        causal(bert)
