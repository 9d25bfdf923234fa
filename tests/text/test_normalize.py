import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.text import blank, loose_key, normalize

FORMS = st.sampled_from(["nfc", "nfkc", "none"])


@given(st.text(st.characters(exclude_categories=())), FORMS)
def test_normalizing_twice_changes_nothing_more(text, form):
    once = normalize(text, form)
    assert normalize(once, form) == once


@given(st.text())
def test_none_leaves_everything_as_it_came(text):
    assert normalize(text, "none") == text


@pytest.mark.parametrize(("raw", "expected"), [
    ("\ufeff  hello\u200b world \u3000", "hello world"),
    ("\u3000心情很好\u3000", "心情很好"),
    ("a\r\nb\rc\td", "a\nb\nc\td"),
    ("nul\x00 bell\x07", "nul bell"),
    ("cafe\u0301", "café"),
    ("cafe\u200b\u0301", "café"),
    ("half \ud83d pair", "half \ufffd pair"),
    ("👨‍👩‍👧 😀️", "👨‍👩‍👧 😀️"),
    ("ＡＢＣ１２３", "ＡＢＣ１２３"),
])
def test_nfc(raw, expected):
    assert normalize(raw, "nfc") == expected


def test_nfkc_folds_width():
    assert normalize("ＡＢＣ　１２３！", "nfkc") == "ABC 123!"


@pytest.mark.parametrize("other", ["GREAT film", "great, film!!", "Ｇｒｅａｔ　ｆｉｌｍ", " great_film "])
def test_near_equals_share_a_key(other):
    assert loose_key(other) == loose_key("Great film")


def test_chinese_punctuation_and_width_do_not_count():
    assert loose_key("很好，很 好！") == loose_key("很好很好")


@given(st.text(min_size=1))
def test_a_key_is_never_empty(text):
    assert loose_key(text)


def test_text_without_letters_is_its_own_key():
    assert loose_key("!!!") == "!!!"
    assert loose_key("😀") != loose_key("😡")


@pytest.mark.parametrize("text", ["", " \t\n", "\u200b", "\ufeff\u2060\u00ad", "\u3000\u2028", "\x00\u200d"])
def test_what_shows_nothing_is_blank(text):
    assert blank(text)
    assert not blank(f"{text}。")
