from __future__ import annotations

import json
import os
import pickle
import shutil
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from luthier.errors import DataError, ModelError
from luthier.models import tiny
from luthier.models._tokenizer_files import pad_id, read_tokenizer
from luthier.models.encoding import Encoder
from luthier.models.tiny_generators import make_seq2seq

TEXTS = [
    "good",
    "a longer text about nothing",
    "",
    "心情很好，风景很美",
    "Ｆｕｌｌ width",
    "😀 emoji",
    "tab\tand\nline",
    "x" * 300,
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.make(tmp_path_factory.mktemp("model"), texts=["good text about"])


@pytest.fixture(scope="module")
def short(model: Path) -> Encoder:
    return Encoder.load(model, max_length=12)


def whole(encoder: Encoder, text: str) -> tuple[list[int], bool]:
    """Ids and truncation as a plain tokenizer without a length policy and a cut by hand give them."""
    tokenizer = Tokenizer.from_str(encoder._tokenizer.to_str())
    tokenizer.no_truncation()
    ids = tokenizer.encode(text).ids
    cut = len(ids) > encoder.max_length
    return (ids[: encoder.max_length - 1] + ids[-1:] if cut else ids), cut


def test_batch_is_padded_on_the_right(short: Encoder) -> None:
    batch = short.encode(["good", "good text about", ""])
    assert batch.ids.dtype == np.int64
    assert batch.mask.sum(axis=1).tolist() == [3, 5, 2]
    assert (batch.ids[~batch.mask] == short.pad_id).all()
    assert (batch.ids[batch.mask] != short.pad_id).all()
    assert batch.type_ids is None


def test_no_rows(short: Encoder) -> None:
    assert short.encode([]).ids.shape == (0, 0)


@given(rows=st.lists(st.text(max_size=40), min_size=1, max_size=8), data=st.data())
@settings(max_examples=30)
def test_batched_equals_single_in_any_order(short: Encoder, rows: list[str], data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(rows))))
    ragged = short.encode_ragged(rows)
    batch = short.collate(ragged, order)
    for place, row in enumerate(order):
        alone = short.encode([rows[row]])
        assert batch.ids[place][batch.mask[place]].tolist() == alone.ids[0].tolist()
        assert batch.truncated[place] == alone.truncated[0]


@given(st.text(alphabet=st.sampled_from("ab 中。\n"), max_size=60), st.integers(1, 60))
@settings(max_examples=40)
def test_cutting_characters_first_changes_nothing(short: Encoder, piece: str, times: int) -> None:
    text = piece * times
    encoder = Encoder(
        short._tokenizer, max_length=12, normalize="none", pad_id=0, uses_type_ids=True, tokenizer_config={}
    )
    ragged = encoder.encode_ragged([text])
    assert (ragged.ids[0], ragged.truncated[0]) == whole(encoder, text)


@pytest.mark.parametrize(
    "text",
    [
        " ".join(["good"] * 3000),
        "中" * 5000,
        "x" * 9000,
        "x" * 1200 + " good",
        "good " + " " * 9000 + "text",
        "\n" * 4000 + "good text",
    ],
)
def test_long_texts_are_cut_as_if_read_whole(model: Path, text: str) -> None:
    encoder = Encoder.load(model, max_length=12, normalize="none")
    ragged = encoder.encode_ragged([text])
    assert (ragged.ids[0], ragged.truncated[0]) == whole(encoder, text)


def test_a_book_costs_no_more_than_a_page(short: Encoder) -> None:
    texts = ["good text about nothing. " * 40_000, "中文" * 500_000]
    started = time.perf_counter()
    ragged = short.encode_ragged(texts)
    assert ragged.truncated.all()
    assert time.perf_counter() - started < 1.5  # read whole it takes longer by far


def test_pairs_lose_the_end_of_the_longer_text_first(short: Encoder) -> None:
    ragged = short.encode_ragged(
        [("good " * 20, "about text"), ("good", "about " * 20), ("good", "text"), ("good " * 9999, "about " * 9999)]
    )
    assert ragged.lengths.tolist() == [12, 12, 5, 12]
    assert ragged.truncated.tolist() == [True, True, False, True]
    assert ragged.type_ids is not None
    assert [sum(row) for row in ragged.type_ids[:3]] == [3, 9, 2]  # tokens of the second text and its [SEP]
    assert sum(ragged.type_ids[3]) in {5, 6}


def test_normalisation_is_applied_first(model: Path) -> None:
    plain, folded = Encoder.load(model, normalize="nfc"), Encoder.load(model, normalize="nfkc")
    assert folded.encode_ragged(["　ｇｏｏｄ\ufeff"]).ids == plain.encode_ragged(["good"]).ids
    assert plain.encode_ragged(["ｇｏｏｄ"]).ids != plain.encode_ragged(["good"]).ids


def test_lone_surrogates_are_survived(model: Path) -> None:
    for form in ("nfc", "none"):
        assert Encoder.load(model, normalize=form).encode(["\ud800 good", "\udcff"]).ids.shape[0] == 2  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("row", "shown"),
    [
        (None, "NoneType"),
        (3, "int 3"),
        (b"abc", "bytes"),
        (("a",), "tuple"),
        (["a", 1], "list"),
        (float("nan"), "float nan"),
        (("a", "b", "c"), "tuple"),
    ],
)
def test_what_is_no_text_is_refused_with_its_row(short: Encoder, row: Any, shown: str) -> None:
    with pytest.raises(DataError, match=rf"row 1: expected a text or a pair of texts, got {shown}"):
        short.encode(["good", row])


def test_a_text_without_tokens_is_one_of_padding(model: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(model, tmp_path / "plain"))
    stored = json.loads((copy / "tokenizer.json").read_text(encoding="utf-8"))
    stored["post_processor"] = None  # no token is added to a text
    (copy / "tokenizer.json").write_text(json.dumps(stored), encoding="utf-8")
    encoder = Encoder.load(copy)
    assert encoder.encode_ragged(["", "good"]).ids[0] == [encoder.pad_id]
    assert encoder.encode(["", "good"]).mask[:, 0].all()


def test_default_length_is_the_models_own(model: Path) -> None:
    assert Encoder.load(model).max_length == 128


def test_too_long_a_length_is_refused(model: Path) -> None:
    with pytest.raises(
        ModelError, match=r"max_length 129 is more than the 128 tokens[^>]*-> set model.max_length=128 or less"
    ):
        Encoder.load(model, max_length=129)


def test_too_short_a_length_is_refused(model: Path) -> None:
    with pytest.raises(ModelError, match="max_length 3 leaves no room for text beside 3 special tokens"):
        Encoder.load(model, max_length=3)


def test_damaged_and_missing_tokenizers_are_explained(model: Path, tmp_path: Path) -> None:
    broken = shutil.copytree(model, tmp_path / "broken")
    (broken / "tokenizer.json").write_text('{"version":', encoding="utf-8")
    with pytest.raises(ModelError, match="tokenizer.json is not a readable tokenizer"):
        Encoder.load(broken)
    with pytest.raises(ModelError, match="no model directory at .*nowhere"):
        Encoder.load(tmp_path / "nowhere")
    (broken / "config.json").write_text("[]", encoding="utf-8")
    shutil.copy(model / "tokenizer.json", broken)
    with pytest.raises(ModelError, match=r"config.json holds list, expected an object"):
        Encoder.load(broken)
    (broken / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(ModelError, match=r"config.json is not readable JSON"):
        Encoder.load(broken)


def test_padding_and_truncation_stored_in_the_file_are_overruled(model: Path, tmp_path: Path) -> None:
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    tokenizer.enable_padding(length=100)
    tokenizer.enable_truncation(5)
    copy = shutil.copytree(model, tmp_path / "copy")
    tokenizer.save(str(copy / "tokenizer.json"))
    assert Encoder.load(copy).encode_ragged(TEXTS).ids == Encoder.load(model).encode_ragged(TEXTS).ids


@pytest.mark.parametrize(("kind", "pad"), [("xlm-roberta", 1), ("camembert", 1), ("mpnet", 1), ("camembert", None)])
def test_roberta_positions_are_counted_from_the_padding(
        kind: str, pad: int | None, model: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(model, tmp_path / "copy")
    config = json.loads((copy / "config.json").read_text()) | {
        "model_type": kind,
        "pad_token_id": pad,
        "type_vocab_size": 1,
        "max_position_embeddings": 66,
    }
    (copy / "config.json").write_text(json.dumps(config))
    encoder = Encoder.load(copy)
    assert encoder.max_length == 64
    assert not encoder.uses_type_ids
    assert encoder.encode([("good", "text")]).type_ids is None


@pytest.mark.parametrize(("kind", "same"), [("bert", False), ("xlm-roberta", True)])
def test_a_text_that_spells_padding_shifts_no_places(kind: str, same: bool, model: Path, tmp_path: Path) -> None:
    """RoBERTa passes over padding when it counts places; the code that is written out counts columns."""
    copy = shutil.copytree(model, tmp_path / "copy")
    config = json.loads((copy / "config.json").read_text()) | {"model_type": kind}
    (copy / "config.json").write_text(json.dumps(config))
    encoder = Encoder.load(copy)
    ids, unknown = encoder.encode_ragged(["good [PAD] text", "good [UNK] text"]).ids
    assert (ids == unknown) is same
    assert (encoder.pad_id in ids) is not same
    places = encoder.encode_ragged(["good [PAD] text"], offsets=True)
    assert places.ids[0] == ids


def test_rows_are_filled_up_with_no_ordinary_word(model: Path) -> None:
    tokenizer = read_tokenizer(model)
    named, unnamed = {"pad_token": "[PAD]", "eos_token": "[SEP]"}, {"eos_token": "[SEP]"}
    assert pad_id(tokenizer, {"pad_token_id": 7}, named) == tokenizer.token_to_id("[PAD]")
    assert pad_id(tokenizer, {"pad_token_id": 7}, unnamed) == 7
    assert pad_id(tokenizer, {"pad_token_id": 0}, unnamed) == 0  # as bundles have it that were written before
    assert pad_id(tokenizer, {"pad_token_id": None}, unnamed) == tokenizer.token_to_id("[SEP]") != 0
    assert pad_id(tokenizer, {"eos_token_id": 9}, {}) == pad_id(tokenizer, {"eos_token_id": [9, 3]}, {}) == 9  # GPT-2
    assert pad_id(tokenizer, {}, {}) == 0


def test_saved_encoder_is_the_same_encoder(short: Encoder, model: Path, tmp_path: Path) -> None:
    short.save(tmp_path)
    shutil.copy(model / "config.json", tmp_path)
    again = Encoder.load(tmp_path)
    assert again.max_length == 12
    assert again.encode_ragged(TEXTS).ids == short.encode_ragged(TEXTS).ids
    again.save(tmp_path / "second")
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        assert (tmp_path / name).read_bytes() == (tmp_path / "second" / name).read_bytes()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_remote_code_never_reaches_a_bundle(model: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(model, tmp_path / "copy")
    config = json.loads((copy / "tokenizer_config.json").read_text()) | {
        "auto_map": {"AutoTokenizer": ["evil.Evil", None]}
    }
    (copy / "tokenizer_config.json").write_text(json.dumps(config))
    Encoder.load(copy).save(tmp_path / "out")
    assert "evil" not in (tmp_path / "out" / "tokenizer_config.json").read_text()


def test_threads_share_an_encoder(short: Encoder) -> None:
    expected = short.encode_ragged(TEXTS * 20).ids
    found: list[list[list[int]]] = []
    threads = [threading.Thread(target=lambda: found.append(short.encode_ragged(TEXTS * 20).ids)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 4


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_encodes_without_a_warning(short: Encoder, capfd: pytest.CaptureFixture[str]) -> None:
    expected = short.encode_ragged(TEXTS).ids
    child = os.fork()
    if child == 0:
        os._exit(0 if short.encode_ragged(TEXTS).ids == expected else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert capfd.readouterr().err == ""


def test_encoder_can_be_pickled(short: Encoder) -> None:
    assert pickle.loads(pickle.dumps(short)).encode_ragged(TEXTS).ids == short.encode_ragged(TEXTS).ids


@pytest.mark.slow
@pytest.mark.parametrize("max_length", [8, 12, 128])
def test_transformers_gives_the_same_ids(model: Path, tmp_path: Path, max_length: int) -> None:
    from transformers import AutoTokenizer

    encoder = Encoder.load(model, max_length=max_length)
    encoder.save(tmp_path)
    shutil.copy(model / "config.json", tmp_path)
    theirs = AutoTokenizer.from_pretrained(str(tmp_path), local_files_only=True)
    assert theirs.model_max_length == max_length
    assert theirs.pad_token_id == encoder.pad_id
    assert theirs(TEXTS, truncation=True)["input_ids"] == encoder.encode_ragged(TEXTS).ids
    second = TEXTS[::-1]
    expected = theirs(TEXTS, second, truncation=True)
    ragged = encoder.encode_ragged(list(zip(TEXTS, second, strict=True)))
    assert expected["input_ids"] == ragged.ids
    assert expected["token_type_ids"] == ragged.type_ids


@pytest.mark.slow
def test_a_directory_with_only_a_vocabulary_is_converted(model: Path, tmp_path: Path) -> None:
    vocabulary = Tokenizer.from_file(str(model / "tokenizer.json")).get_vocab()
    (tmp_path / "vocab.txt").write_text(
        "\n".join(sorted(vocabulary, key=vocabulary.__getitem__)) + "\n", encoding="utf-8"
    )
    shutil.copy(model / "config.json", tmp_path)
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizer", "do_lower_case": false}')
    ours = Encoder.load(model).encode_ragged(["good text", "心情很好"])
    assert Encoder.load(tmp_path, max_length=128).encode_ragged(["good text", "心情很好"]).ids == ours.ids


@pytest.mark.slow
def test_a_directory_without_any_tokenizer_is_refused(model: Path, tmp_path: Path) -> None:
    shutil.copy(model / "config.json", tmp_path)
    with pytest.raises(ModelError, match="holds no tokenizer that can be read"):
        Encoder.load(tmp_path)


@pytest.mark.parametrize("options", [{}, {"overlap": 4}, {"offsets": True}, {"overlap": 4, "offsets": True}])
def test_encoder_decoders_see_one_end_whatever_a_text_spells(options: dict[str, Any], tmp_path: Path) -> None:
    options = dict(options)
    offsets = options.pop("offsets", False)
    encoder = Encoder.load(make_seq2seq(tmp_path), max_length=16, **options)
    for text in ("a </s> b", "</s>", "a b 1", "a</s></s>", "</s> " * 40):
        for ids in encoder.encode_ragged([text], offsets=offsets).ids:
            assert (ids.count(2), ids[-1]) == (1, 2)
