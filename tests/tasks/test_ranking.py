"""Ranks and their scores against a plain reference, and exact search against sorting everything."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.tasks import _ranking as ranking
from luthier.tasks._ranking import NEGATIVE, POSITIVE, QUERY, Relevance, ranking_scores, ranks, top_k


def vectors(rows: int, seed: int, width: int = 8) -> np.ndarray:
    found = np.random.default_rng(seed).normal(size=(rows, width)).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def plain_scores(order: list[int], right: set[int]) -> dict[str, float]:
    """Score one ranking as the definitions read."""
    gains = sum(1 / math.log2(place + 1) for place, one in enumerate(order[:10], 1) if one in right)
    ideal = sum(1 / math.log2(place + 1) for place in range(1, min(len(right), 10) + 1))
    first = next((place for place, one in enumerate(order, 1) if one in right), math.inf)
    return {"ndcg@10": gains / ideal, "mrr@10": 1 / first if first <= 10 else 0.0,
            **{f"recall@{k}": len(right & set(order[:k])) / len(right) for k in (1, 10)}}


@given(st.integers(1, 12), st.integers(1, 30), st.integers(0, 2**31))
def test_scores_are_those_of_the_definitions(queries: int, passages: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    asked, corpus = vectors(queries, seed), vectors(passages, seed + 1)
    wanted = [np.unique(random.integers(0, passages, random.integers(1, 14))) for _ in range(queries)]
    table = asked @ corpus.T
    found = ranking_scores(ranks(lambda start, stop: table[start:stop], wanted, passages))
    for row, right in enumerate(wanted):
        order = np.argsort(-table[row], kind="stable").tolist()
        expected = plain_scores(order, set(right.tolist()))
        assert {name: value[row] for name, value in found.items()} == pytest.approx(expected)


def test_one_vector_for_all_texts_finds_nothing() -> None:
    (found,) = ranks(lambda start, stop: np.ones((stop - start, 50), np.float32), [np.array([0, 7])], 50)
    assert found.tolist() == [49, 50]
    assert {name: value[0] for name, value in ranking_scores([found]).items()} == dict.fromkeys(ranking.RANKINGS, 0.0)


@given(st.integers(0, 9), st.integers(1, 40), st.integers(1, 50), st.integers(0, 2**31))
def test_search_is_exact_and_takes_the_first_of_equals(queries: int, passages: int, k: int, seed: int) -> None:
    # Quarters, so that products are exact and many are equal.
    asked, corpus = (np.round(vectors(*shape, 2) * 4) / 4 for shape in ((queries, seed), (passages, seed + 1)))
    scores, places = top_k(asked, corpus, k)
    assert scores.shape == places.shape == (queries, min(k, passages))
    for row in range(queries):
        own = asked[row : row + 1] @ corpus.T
        assert places[row].tolist() == np.argsort(-own[0], kind="stable")[:k].tolist()
        assert scores[row].tolist() == own[0][places[row]].tolist()


def test_blocks_give_what_one_piece_does(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, corpus = vectors(23, 0), vectors(40, 1)
    wanted = [np.array([row]) for row in range(23)]
    whole = top_k(asked, corpus, 5), ranks(lambda start, stop: asked[start:stop] @ corpus.T, wanted, 40)
    monkeypatch.setattr(ranking, "CELLS", 90)
    parts = top_k(asked, corpus, 5), ranks(lambda start, stop: asked[start:stop] @ corpus.T, wanted, 40)
    assert np.array_equal(whole[0][1], parts[0][1])
    assert [one.tolist() for one in whole[1]] == [one.tolist() for one in parts[1]]


def test_equal_queries_and_passages_count_once() -> None:
    rows = np.array([[0, QUERY, 5], [0, POSITIVE, 6], [0, NEGATIVE, 7],
                     [1, QUERY, 8], [1, POSITIVE, 7], [1, POSITIVE, 6],
                     [2, QUERY, 5], [2, POSITIVE, 7], [2, NEGATIVE, 9]])
    known = Relevance.of(rows)
    assert known.queries.tolist() == [0, 3]
    assert known.passages.tolist() == [1, 2, 8]  # texts 6, 7 and 9
    assert [own.tolist() for own in known.wanted] == [[0, 1], [0, 1]]
