"""Where sentences end: Chinese and English ones, lines, and full stops that end nothing."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.text import sentence_ends, sentences


def cut(text: str) -> list[str]:
    ends = [0, *sentence_ends(text), len(text)]
    return [text[start:end] for start, end in zip(ends, ends[1:], strict=False)]


@pytest.mark.parametrize(("text", "expected"), [
    ("王芳在北京。他很好！真的？！是", ["王芳在北京。", "他很好！", "真的？！", "是"]),
    ("他说：“好。”然后走了。", ["他说：“好。”", "然后走了。"]),
    ("Mr. Smith of St. Louis met J. F. Kennedy. He left.", ["Mr. Smith of St. Louis met J. F. Kennedy.", " He left."]),
    ('He said: "Yes." Then the U.S. Army came.', ['He said: "Yes."', " Then the U.S. Army came."]),
    ("It cost 3.5 million in 1998. We paid.", ["It cost 3.5 million in 1998.", " We paid."]),
    ("see www.example.org or Inc. for it", ["see www.example.org or Inc. for it"]),
    ("one\n\ntwo\r\n three", ["one\n\n", "two\r\n ", "three"]),
    ("你好!很好?yes! ok", ["你好!", "很好?yes!", " ok"]),
    ("wait... What", ["wait...", " What"]),
    ("。", ["。"]),
    ("  ", ["  "]),
    ("", [""]),
])
def test_ends_of_sentences(text: str, expected: list[str]) -> None:
    assert cut(text) == expected


@pytest.mark.parametrize(("text", "expected"), [
    ("One. Two!  Three?", ["One.", "Two!", "Three?"]), ("It costs 3.5 dollars. Yes", ["It costs 3.5 dollars.", "Yes"]),
    ("Dr. Ann Lee paid. So did I.", ["Dr. Ann Lee paid.", "So did I."]),
    ("王芳来了。她在北京！好\n完", ["王芳来了。", "她在北京！", "好", "完"]), ("", []), (" \n ", [])])
def test_sentences_without_white_space_around(text: str, expected: list[str]) -> None:
    assert [text[start:end] for start, end in sentences(text)] == expected


@given(st.text(alphabet="a北。.!? \n\"B1”", max_size=60))
def test_ends_rise_within_the_text(text: str) -> None:
    ends = sentence_ends(text)
    assert ends == sorted(set(ends))
    assert all(0 < end < len(text.rstrip()) for end in ends)


@pytest.mark.parametrize("run", [".", "!", " ", "\n", '."', '!"', ". ", "。"])
def test_long_runs_take_time_in_proportion(run: str) -> None:
    began = time.process_time()
    sentence_ends(run * 100_000 + "a")
    assert time.process_time() - began < 2  # at each character anew, a run would take minutes
