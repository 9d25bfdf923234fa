"""Re-ranking: which passages are learned from, both losses against plain loops, and what an order scores."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luthier.errors import DataError
from luthier.models.encoding import Ragged
from luthier.schema import Candidates, Example, LabelSet, Passages, Ranked, Relevance, Reranked
from luthier.tasks import MISSED, Wrong, ordering_scores, re_ranking
from luthier.tasks._candidates import places_of
from luthier.text import loose_key

LABELS = LabelSet(("relevant",), "re_ranking")
SEED = 3


def rows(count: int = 6) -> list[Example]:
    return [Example(f"x:{n}", f"query {n // 2}", passages=Passages((f"right {n}", f"also right {n}"), (f"given {n}",)))
            for n in range(count)]


def wrong(given: list[Example]) -> Wrong:
    corpus = sorted({text for row in given if row.passages for text in (*row.passages.positive,
                                                                        *row.passages.negative)})
    return Wrong(lambda: [[f"Right {n}!", *corpus[::-1]] for n in range(len(given))], corpus)


@settings(max_examples=40)
@given(st.integers(1, 12), st.integers(1, 6), st.integers(0, 6), st.integers(0, 99))
def test_what_belongs_to_a_query_is_never_wrong_for_it(count: int, negatives: int, hard: int, seed: int) -> None:
    given_rows = rows(count)
    chosen = re_ranking.Settings(negatives=negatives, hard_negatives=hard)
    found = re_ranking.learned(given_rows, wrong(given_rows), chosen, seed)
    assert found == re_ranking.learned(given_rows, wrong(given_rows), chosen, seed)
    assert len(found) == 2 * count  # one for each right passage
    for place, row in enumerate(found):
        source, own = given_rows[place // 2].passages, row.passages
        assert source is not None
        assert own is not None
        assert own.positive == (source.positive[place % 2],)
        right = {loose_key(text) for other in given_rows if other.text == row.text and other.passages
                 for text in other.passages.positive}
        assert not right & set(map(loose_key, own.negative))
        assert len(set(own.negative)) == len(own.negative) <= negatives
        assert own.negative[0] == source.negative[0]


def test_given_negatives_are_shared_out_and_the_rest_is_drawn() -> None:
    row = Example("x:1", "q", passages=Passages(("a", "b"), ("1", "2", "3", "4")))
    corpus = ["a", "b", "1", "2", "3", "4", *(f"other {n}" for n in range(50))]
    pool = Wrong(lambda: [["a", "near 1", "near 2", "1"]], [*corpus, "near 1", "near 2"])
    one, other = re_ranking.learned([row], pool, re_ranking.Settings(negatives=2, hard_negatives=2), 0)
    assert one.passages == Passages(("a",), ("1", "2"), (1.0,))
    assert other.passages == Passages(("b",), ("3", "4"), (1.0,))
    (wide, _) = re_ranking.learned([row], pool, re_ranking.Settings(negatives=9, hard_negatives=2), 0)
    assert wide.passages is not None
    assert wide.passages.negative[:4] == ("1", "2", "3", "4")
    assert set(wide.passages.negative[4:6]) == {"near 1", "near 2"}
    assert all(text.startswith("other") for text in wide.passages.negative[6:])
    few = re_ranking.learned([row], Wrong(lambda: [[]], ["a", "b", "1"]), re_ranking.Settings(negatives=9), 0)
    assert [sorted(one.passages.negative) for one in few if one.passages] == [["1", "2", "3", "4"]] * 2


def test_nothing_is_searched_where_enough_is_given() -> None:
    """Among a hundred thousand passages the search takes longer than tuning."""
    row = Example("x:1", "q", passages=Passages(("a",), ("1", "2")))

    def search() -> list[list[str]]:
        raise AssertionError("the search was asked")

    pool = Wrong(search, ["a", "1", "2", "3"])
    (given,) = re_ranking.learned([row], pool, re_ranking.Settings(negatives=2), 0)
    (drawn,) = re_ranking.learned([row], pool, re_ranking.Settings(negatives=3, hard_negatives=0), 0)
    (valid,) = re_ranking.validated([row], pool, re_ranking.Settings(validation_candidates=2))
    assert [one.passages.negative for one in (given, drawn, valid) if one.passages] == [
        ("1", "2"), ("1", "2", "3"), ("1", "2")]


def test_validation_rows_are_whole_queries_among_the_likeliest() -> None:
    row = Example("x:1", "q", passages=Passages(("a", "b"), ("1",), (3.0, 1.0)))
    (found,) = re_ranking.validated([row], Wrong(lambda: [["A", "2", "1", "3"]], []),
                                    re_ranking.Settings(validation_candidates=2))
    assert found.passages == Passages(("a", "b"), ("1", "2"), (3.0, 1.0))


def encoded(given_rows: list[Example]) -> Ragged:
    _, owners = re_ranking.sequences(re_ranking.rows_of(given_rows, re_ranking.Settings()), re_ranking.Settings())
    return Ragged([[1]] * len(owners), None, np.zeros(len(owners), np.bool_), owners=owners)


def test_targets_are_the_row_and_a_share_of_the_highest_grade() -> None:
    given_rows = [Example("x:1", "q", passages=Passages(("a", "b"), ("c",), (1.0, 4.0))),
                  Example("x:2", "r", passages=Passages(("d",)))]
    found = re_ranking.targets(given_rows, LABELS, encoded(given_rows))
    assert found.tolist() == [[0, 0.25], [0, 1], [0, 0], [1, 0.25]]
    with pytest.raises(DataError, match="encode what re_ranking.sequences gives"):
        re_ranking.targets(given_rows, LABELS)
    bare = [Example("x:7", "q")]
    with pytest.raises(DataError, match=r"x:7: expected passages, got none"):
        re_ranking.targets(bare, LABELS, encoded(given_rows))
    with pytest.raises(DataError, match=r"x:7: expected passages, got none"):
        re_ranking.rows_of(bare, re_ranking.Settings())


def plain(scores: Any, targets: Any, loss: str) -> list[float]:
    """Compute either loss row by row, as the papers write it."""
    found = []
    for row in dict.fromkeys(targets[:, 0].tolist()):
        own = [(float(score), float(wanted)) for score, (owner, wanted) in zip(scores, targets, strict=True)
               if owner == row]
        if loss == "binary":
            parts = [-(w * math.log(1 / (1 + math.exp(-s))) + (1 - w) * math.log(1 - 1 / (1 + math.exp(-s))))
                     for s, w in own]
        else:
            below = [math.exp(s) for s, w in own if w == 0]
            parts = [-math.log(math.exp(s) / (math.exp(s) + sum(below))) for s, w in own if w > 0]
        found.append(sum(parts) / len(parts))
    return found


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 4)), min_size=1, max_size=5), st.integers(0, 99))
@pytest.mark.parametrize("loss", ["binary", "listwise"])
def test_losses_are_those_of_plain_loops(loss: Any, shapes: list[tuple[int, int]], seed: int) -> None:
    import torch

    random = np.random.default_rng(seed)
    targets = np.array([[7 - row, wanted] for row, (right, others) in enumerate(shapes)
                        for wanted in [*random.uniform(0.1, 1, right), *[0.0] * others]], np.float32)
    scores = random.normal(size=(len(targets), 1)).astype(np.float32) * 3
    found = re_ranking.loss(torch.from_numpy(scores), torch.from_numpy(targets),
                            settings=re_ranking.Settings(loss=loss))
    assert found.tolist() == pytest.approx(plain(scores[:, 0], targets, loss), rel=1e-4, abs=1e-5)


@given(st.lists(st.lists(st.tuples(st.integers(0, 3), st.integers(-3, 3)), min_size=2, max_size=15), min_size=1,
                max_size=4))
def test_scores_are_those_of_scikit_learn(lists: list[list[tuple[int, int]]]) -> None:
    from sklearn.metrics import average_precision_score, ndcg_score

    for judged in lists:
        # Different scores: of equal ones scikit-learn takes means.
        scores = np.array([score + place / 100 for place, (_, score) in enumerate(judged)], np.float32)
        grades = np.array([grade for grade, _ in judged], np.float64)
        if not grades.any():
            continue
        table = ordering_scores([places_of(scores, grades)], [grades[grades > 0]])
        assert table["ndcg@10"][0] == pytest.approx(ndcg_score([grades], [scores], k=10))
        assert table["map"][0] == pytest.approx(average_precision_score(grades > 0, scores))
        best = int(grades[np.argmax(scores)] > 0)
        assert table["recall@1"][0] == pytest.approx(best / np.count_nonzero(grades))


def test_missed_passages_count_and_equal_scores_find_nothing() -> None:
    table = ordering_scores([np.array([2, MISSED]), np.array([MISSED]), np.array([1, 11])], [np.ones(2), np.ones(1),
                                                                                           np.ones(2)])
    ideal = 1 + 1 / math.log2(3)
    assert table["ndcg@10"].tolist() == pytest.approx([(1 / math.log2(3)) / ideal, 0, 1 / ideal])
    assert table["mrr@10"].tolist() == [0.5, 0, 1]
    assert table["map"].tolist() == pytest.approx([0.25, 0, (1 + 2 / 11) / 2])
    assert table["recall@10"].tolist() == [0.5, 0, 0.5]
    assert places_of(np.zeros(3, np.float32), np.array([1.0, 0, 0])).tolist() == [3]


def test_pairs_get_a_score_and_lists_an_order() -> None:
    texts: list[Any] = [("q", "a"), Candidates("q", ("a", "b", "c")), Candidates("q", ()), ["q", "b"]]
    _, owners = re_ranking.sequences(texts, re_ranking.Settings())
    assert owners.tolist() == [0, 1, 1, 1, 3]
    ragged = Ragged([[1]] * 5, None, np.array([0, 0, 1, 0, 0], np.bool_), owners=owners)
    logits = np.array([[0.0], [-2], [3], [3], [800]], np.float32)
    one, order, none, last = re_ranking.decode(logits, ragged, texts, LABELS, re_ranking.Settings())
    assert one == Relevance(0.5)
    assert isinstance(order, Reranked)
    assert [place.index for place in order.results] == [1, 2, 0]  # of equal ones the first
    assert order.truncated
    assert (order.label, order.labels) == ("1 2 0", ())
    assert order.to_dict()["results"][0] == {"index": 1, "relevance_score": 0.952574}
    assert none == Reranked(())
    assert last == Relevance(1.0)
    assert Reranked.of([Relevance(0.2), Relevance(0.7)]).results == (Ranked(1, 0.7), Ranked(0, 0.2))
