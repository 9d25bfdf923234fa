"""Tags of tokens against spans and against every path there is."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.schema import Span
from luthier.tasks._tags import best_tags, joined_scores, log_softmax, names_of, spans_in, tags_of

NUMBERS = {"LOC": 0, "PER": 1}


def makes_sense(path: tuple[int, ...]) -> bool:
    return all(tag == 0 or tag % 2 or (place > 0 and path[place - 1] in (tag, tag - 1))
               for place, tag in enumerate(path))


def best_of_all(scores: np.ndarray) -> tuple[int, ...]:
    paths = itertools.product(range(scores.shape[1]), repeat=len(scores))
    return max(filter(makes_sense, paths), key=lambda path: sum(scores[at, tag] for at, tag in enumerate(path)))


@given(lengths=st.lists(st.integers(0, 5), min_size=1, max_size=5), seed=st.integers(0, 1000))
def test_the_best_tags_are_the_best_of_all_paths_that_make_sense(lengths: list[int], seed: int) -> None:
    scores = log_softmax(2 * np.random.default_rng(seed).normal(size=(sum(lengths), 5)).astype(np.float32))
    found, at = best_tags(scores, np.array(lengths)), 0
    for length in lengths:
        assert tuple(found[at : at + length]) == best_of_all(scores[at : at + length])
        at += length


def test_names_and_numbers_agree() -> None:
    assert names_of(("LOC", "PER")) == ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")


OFFSETS = np.array([(0, 0), (0, 3), (3, 5), (6, 9), (9, 9), (10, 14), (0, 0)])
"""Of a special token, four tokens, white space and a special token."""


@pytest.mark.parametrize(("spans", "tags"), [
    ([], [0, 0, 0, 0, 0, 0, 0]),
    ([Span(0, 5, "PER")], [0, 3, 4, 0, 0, 0, 0]),
    ([Span(0, 5, "PER"), Span(6, 14, "LOC")], [0, 3, 4, 1, 0, 2, 0]),
    ([Span(4, 8, "LOC")], [0, 0, 1, 2, 0, 0, 0]),
    ([Span(0, 4, "PER"), Span(4, 5, "LOC")], [0, 3, 4, 0, 0, 0, 0]),  # no token is left for the second
    ([Span(15, 20, "PER")], [0, 0, 0, 0, 0, 0, 0]),
])
def test_tokens_carry_the_tags_of_the_spans_that_they_overlap(spans: list[Span], tags: list[int]) -> None:
    assert tags_of(spans, OFFSETS, NUMBERS).tolist() == tags


@given(tags=st.lists(st.lists(st.integers(0, 4), max_size=8), min_size=1, max_size=4))
def test_spans_come_back_from_their_tags(tags: list[list[int]]) -> None:
    texts = [[tag if makes_sense((*row[:at], tag)) else 0 for at, tag in enumerate(row)] for row in tags]
    texts = [row if makes_sense(tuple(row)) else [0] * len(row) for row in texts]
    flat = np.array([tag for row in texts for tag in row], np.int64)
    owner = np.repeat(np.arange(len(texts)), [len(row) for row in texts])
    again = np.zeros_like(flat)
    for begin, behind, kind in spans_in(flat, owner):
        assert len(set(owner[begin:behind])) == 1
        again[begin:behind] = 2 * kind + 2
        again[begin] -= 1
    assert np.array_equal(again, flat)


def test_a_words_score_is_that_of_all_its_tokens() -> None:
    scores = np.arange(12, dtype=np.float64).reshape(4, 3)  # tags O, B, I
    found = joined_scores(scores, np.array([0, 3]))
    assert found.tolist() == [[0 + 3 + 6, 1 + 5 + 8, 2 + 5 + 8], [9, 10, 11]]
    assert joined_scores(scores[:0], np.array([], np.int64)).shape == (0, 3)
