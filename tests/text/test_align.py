"""Each character of a normalised text leads back to what it came from."""

from __future__ import annotations

import itertools
import sys
import unicodedata
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luthier.text import aligned, normalize
from luthier.text.align import _BLOCKS
from luthier.text.normalize import visible

HARD = (
    "a", "e", "É", "İ", " ", "\t", "\r", "\r\n", "\u2028", "\x85", "\x00", "\xa0", "\u3000", "\u200b", "\ufeff",
    "\u200d", "\u200c", "\xad", "\u0301", "\u0308", "\u0323", "\u0307", "\u0345", "\u0344", "q", "\u212b", "\ufb01",
    "\u337f", "\xbd", "\u2460", "\xa8", "北", "，", "Ｆ", "\uff76", "\uff9e", "\uf900", "\U0002f800", "\u1100",
    "\u1161", "\u11a8", "각", "가", "\u314b", "\u3160", "か", "\u3099", "م", "\u064e", "\ufef7", "\u0958", "\u093c",
    "\u09c7", "\u09be", "👩", "\U0001f3fd", "\ufe0f", "🇨", "🇳", "\ud83d", "\ude00", "\udcff", ".", "7",
)
"""What joins, is dropped, or is written otherwise."""
texts = st.lists(st.sampled_from(HARD) | st.characters(exclude_categories=()), max_size=40).map("".join)
FORMS = st.sampled_from(["nfc", "nfkc", "none"])
GIVEN = settings(max_examples=400)


def stretches(text: str, form: Any) -> list[tuple[str, str]]:
    """Each stretch of the original with the characters that share it."""
    found = aligned(text, form)
    joined: dict[tuple[int, int], str] = {}
    for character, start, end in zip(found.text, found.starts.tolist(), found.ends.tolist(), strict=True):
        joined[start, end] = joined.get((start, end), "") + character
    return [(text[start:end], given) for (start, end), given in joined.items()]


@given(texts, FORMS)
@GIVEN
def test_the_text_is_the_normalised_one_and_places_rise_within_bounds(text: str, form: Any) -> None:
    found = aligned(text, form)
    assert found.text == normalize(text, form)
    assert found.starts.dtype == found.ends.dtype == np.int64
    assert len(found.text) == len(found.starts) == len(found.ends)
    assert (found.starts < found.ends).all()
    assert (np.diff(found.starts) >= 0).all()
    assert (np.diff(found.ends) >= 0).all()
    if len(found.text):
        assert found.starts[0] >= 0
        assert found.ends[-1] <= len(text)


@given(texts, st.sampled_from(["nfc", "nfkc"]), st.data())
@GIVEN
def test_normalising_any_run_of_stretches_gives_their_characters(text: str, form: Any, data: st.DataObject) -> None:
    found = aligned(text, form)
    same = [key for key, _ in itertools.groupby(zip(found.starts.tolist(), found.ends.tolist(), strict=True))]
    assert all(one[1] <= other[0] for one, other in itertools.pairwise(same))  # equal or disjoint
    if not same:
        return
    first = data.draw(st.integers(0, len(same) - 1))
    last = data.draw(st.integers(first, len(same) - 1))
    begin, end = same[first][0], same[last][1]
    run = "".join(one for one, start in zip(found.text, found.starts.tolist(), strict=True) if begin <= start < end)
    # Trimming may take the space of one character that was written as a space and a mark.
    assert unicodedata.normalize(form.upper(), visible(text[begin:end])).strip() == run.strip()


@given(texts, st.sampled_from(["nfc", "nfkc"]))
@GIVEN
def test_what_belongs_to_no_character_is_not_seen(text: str, form: Any) -> None:
    found = aligned(text, form)
    covered = {place for start, end in zip(found.starts.tolist(), found.ends.tolist(), strict=True)
               for place in range(start, end)}
    left = "".join(character for place, character in enumerate(text) if place not in covered)
    assert not unicodedata.normalize(form.upper(), visible(left)).strip()


@pytest.mark.parametrize(("text", "form", "expected"), [
    ("  ab ", "nfc", [("a", "a"), ("b", "b")]),
    ("\u3000好\u3000", "nfc", [("好", "好")]),
    ("cafe\u0301s", "nfc", [("c", "c"), ("a", "a"), ("f", "f"), ("e\u0301", "é"), ("s", "s")]),
    ("e\u200b\u0301\u200bx", "nfc", [("e\u200b\u0301", "é"), ("x", "x")]),
    ("a\r\nb\rc", "nfc", [("a", "a"), ("\r\n", "\n"), ("b", "b"), ("\r", "\n"), ("c", "c")]),
    ("\r\u200b\n.", "nfc", [(".", ".")]),
    ("x\u2028y\x85z", "nfc", [("x", "x"), ("\u2028", "\n"), ("y", "y"), ("\x85", "\n"), ("z", "z")]),
    ("\ud83d\ude00", "nfc", [("\ud83d", "\ufffd"), ("\ude00", "\ufffd")]),
    ("\ufb01n", "nfkc", [("\ufb01", "fi"), ("n", "n")]),
    ("\u337fの", "nfkc", [("\u337f", "株式会社"), ("の", "の")]),
    ("\u1112\u1161\u11ab\u1100\u116e\u11a8", "nfc", [("\u1112\u1161\u11ab", "한"), ("\u1100\u116e\u11a8", "국")]),
    ("\u314b\u3160\u3160", "nfkc", [("\u314b\u3160", "큐"), ("\u3160", "\u1172")]),
    ("\uff76\uff9e", "nfkc", [("\uff76\uff9e", "ガ")]),
    ("q\u0307\u0323", "nfc", [("q", "q"), ("\u0307\u0323", "\u0323\u0307")]),
    ("\u0958x", "nfc", [("\u0958", "\u0915\u093c"), ("x", "x")]),
    ("\u212b", "nfc", [("\u212b", "Å")]),
    ("ＡＢ　Ｃ", "nfkc", [("Ａ", "A"), ("Ｂ", "B"), ("　", " "), ("Ｃ", "C")]),
    ("\xa8", "nfkc", [("\xa8", "\u0308")]),
    (" e\u0301 ", "none", [(" ", " "), ("e", "e"), ("\u0301", "\u0301")]),
])
def test_stretches(text: str, form: Any, expected: list[tuple[str, str]]) -> None:
    if form == "none":
        expected = [*expected, (" ", " ")]
    assert stretches(text, form) == expected


def test_very_many_marks_on_one_letter_are_one_stretch() -> None:
    text = "x" + "\u0323\u0301" * 5000 + "y"
    found = aligned(text, "nfc")
    assert found.text == normalize(text)
    assert (found.starts[-1], found.ends[-1]) == (10_001, 10_002)


def test_all_characters_that_change_or_join_lie_in_the_blocks() -> None:
    blocks = {point for block in _BLOCKS for point in block}
    second = {chr(int(parts[1], 16)) for parts in (unicodedata.decomposition(chr(point)).split() for point in
              range(sys.maxunicode)) if len(parts) == 2 and parts[0][0] != "<"}
    for character in map(chr, range(sys.maxunicode)):
        if ord(character) in blocks or unicodedata.is_normalized("NFKD", character):
            # A character that is its own decomposition changes nothing; it joins by class or as a known second.
            assert ord(character) in blocks or not (unicodedata.combining(character) or character in second)
            continue
        first = unicodedata.normalize("NFKD", character)[0]
        assert unicodedata.is_normalized("NFKC", character)
        assert not unicodedata.combining(first)
        assert first not in second
