"""The words of a text: all of it but white space, each character once."""

from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luthier.text import units

HARD = (
    "a", "é", "7", "_", ".", " ", "\n", "\u3000", "\x1c", "\x85", "北", "カ", "ー", "\u3099", "\uff76", "\uff9e", "한",
    "\u1100", "\u0301", "\u093f", "म", "\u200b", "\u200c", "\u200d", "\ufe0f", "👩", "\U0001f3fd", "❤", "🇨", "，",
    "\ud83d", "\x00",
)
texts = st.lists(st.sampled_from(HARD) | st.characters(exclude_categories=()), max_size=40).map("".join)


@given(texts)
@settings(max_examples=500)
def test_words_are_ordered_and_hold_every_visible_character_once(text: str) -> None:
    found = units(text)
    assert all(start < end for start, end in found)
    assert all(one[1] <= other[0] for one, other in itertools.pairwise(found))
    covered = [place for start, end in found for place in range(start, end)]
    assert covered == [place for place, character in enumerate(text) if not character.isspace()]


@given(texts)
@settings(max_examples=200)
def test_a_word_is_one_word(text: str) -> None:
    assert all(units(text[start:end]) == [(0, end - start)] for start, end in units(text))


@pytest.mark.parametrize(("text", "expected"), [
    ("How do I\tlocate my card?", ["How", "do", "I", "locate", "my", "card", "?"]),
    ("don't pay 3.14", ["don", "'", "t", "pay", "3", ".", "14"]),
    ("a_b--c", ["a", "_", "b", "-", "-", "c"]),
    ("我的iPhone15坏了，", ["我", "的", "iPhone15", "坏", "了", "，"]),
    ("カード 한국어", ["カ", "ー", "ド", "한국어"]),
    ("か\u3099き \uff76\uff9e", ["か\u3099", "き", "\uff76\uff9e"]),
    ("cafe\u0301 हिन्दी می\u200cخواهم", ["cafe\u0301", "हिन्दी", "می\u200cخواهم"]),
    ("👩\u200d👧😀👍\U0001f3fd❤\ufe0f\u200d🔥", ["👩\u200d👧", "😀", "👍\U0001f3fd", "❤\ufe0f\u200d🔥"]),
    ("🇨🇳🇩🇪🇫", ["🇨🇳", "🇩🇪", "🇫"]),
    ("co\xadop\u200b \ufeffx", ["co\xadop\u200b", "\ufeff", "x"]),
    ("\u0301a ＦＵ　ＬＬ", ["\u0301", "a", "ＦＵ", "ＬＬ"]),
    ("", []),
    (" \u3000\n", []),
])
def test_words(text: str, expected: list[str]) -> None:
    assert [text[start:end] for start, end in units(text)] == expected


@pytest.mark.parametrize("text", [
    "The card, of which I spoke, is lost. " * 28_000, "我的卡在哪里？" * 150_000, "a" * 1_000_000, "\u0301" * 1_000_000,
    "👩\u200d" * 500_000,
])
def test_a_million_characters_take_about_a_second(text: str) -> None:
    units("")
    started = time.perf_counter()
    assert units(text)
    assert time.perf_counter() - started < 2
