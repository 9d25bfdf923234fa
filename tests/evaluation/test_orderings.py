"""The first search, and how the order that a model gives its candidates is judged."""

from __future__ import annotations

import importlib
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from luthier.errors import DataError
from luthier.evaluation import compare, evaluate, first_stage, fit_baseline
from luthier.evaluation.orderings import CEILING
from luthier.recipe import EvaluationSettings
from luthier.schema import Candidates, Dataset, Example, LabelSet, Passages, Relevance, Reranked

LABELS = LabelSet(("relevant",), "re_ranking")
ROWS = [Example("x:1", "opening hours", passages=Passages(("opening hours are ten to six",), ("hours of work",))),
        Example("x:2", "library card", passages=Passages(("a library card is free", "本馆借书证"))),
        Example("x:3", "zzz", passages=Passages(("something else",)))]


class Likes:
    """Scores passages by what they hold, and keeps what it was asked."""

    def __init__(self, word: str) -> None:
        self.word, self.asked = word, list[Any]()

    def predict(self, texts: Sequence[Any]) -> list[Any]:
        self.asked += texts
        return [Reranked.of([Relevance(float(self.word in passage)) for passage in row.passages]) for row in texts]


def scored(model: Any, rows: list[Example] = ROWS, **own: int) -> Any:
    return evaluate(model, rows, LABELS, EvaluationSettings(bootstrap=100, **own))


def test_the_first_search_finds_what_shares_ngrams_and_nothing_else() -> None:
    found = first_stage.candidates(ROWS, 2)
    assert found[0] == ("opening hours are ten to six", "hours of work")
    assert found[1][0] == "a library card is free"
    assert "本馆借书证" not in found[1]
    assert found[2] == ()
    assert all(len(own) <= 2 for own in found)
    assert first_stage.candidates([Example("x:1", "q")], 5) == [()]


def test_queries_to_which_nothing_belongs_are_refused() -> None:
    rows = [*ROWS, Example("x:4", "opening", passages=Passages((), ("hours of work",)))]
    with pytest.raises(DataError, match=r"1 of 4 queries have no passage that belongs to them, such as x:4\n.*leave"):
        scored(Likes("a"), rows)


def test_it_ranks_as_all_cosines_do() -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer

    random = np.random.default_rng(0)
    words = [f"w{n}" for n in range(30)]
    texts = [(" ".join(random.choice(words, 3)), " ".join(random.choice(words, 6))) for _ in range(40)]
    rows = [Example(f"x:{n}", query, passages=Passages((passage,))) for n, (query, passage) in enumerate(texts)]
    corpus = first_stage.corpus(rows)
    assert corpus == sorted({row.passages.positive[0] for row in rows if row.passages})
    deep, shallow = first_stage.candidates(rows, 40), first_stage.candidates(rows, 7)
    assert [own[:7] for own in deep] == shallow
    # With words alone the order is near that of words and letters.
    plain = TfidfVectorizer(sublinear_tf=True).fit(corpus)
    cosines = (plain.transform([row.text for row in rows]) @ plain.transform(corpus).T).toarray()
    best = [corpus[int(row.argmax())] for row in cosines]
    assert np.mean([text in own[:3] for text, own in zip(best, deep, strict=True)]) > 0.8


def test_own_passages_are_candidates_where_none_are_searched_for() -> None:
    assert [set(own) for own in first_stage.candidates(ROWS, 0)] == [
        {*row.passages.positive, *row.passages.negative} for row in ROWS if row.passages]
    assert scored(Likes(""), candidates=0).scores.values[CEILING] == 1.0


def test_what_the_search_misses_counts_as_missed() -> None:
    model = Likes("free")
    found = scored(model, candidates=2)
    assert model.asked[0] == Candidates("opening hours", ("opening hours are ten to six", "hours of work"))
    values = found.scores.values
    assert values[CEILING] == pytest.approx((1 + 0.5 + 0) / 3)
    assert values["recall@1"] == pytest.approx((1 + 0.5 + 0) / 3)
    assert values["ndcg@10"] == pytest.approx((1 + 1 / (1 + 1 / math.log2(3))) / 3)
    assert values["map"] == pytest.approx((1 + 0.5) / 3)
    assert found.wrong == 1
    (error,) = found.errors
    assert (error.example.id, found.kind.told(error)) == ("x:3", {"rank": None, "score": 0.0, "behind": 1.0})
    assert dict(found.kind.facts(found)) == {"fact_wrong": "1", "fact_unfound": "1"}
    assert "missed by the first search" in found.kind.shown(error).sure
    worse = scored(Likes("work"), candidates=2)
    assert worse.errors[0].prediction.to_dict()["rank"] in (None, 2)
    assert compare(found, worse, EvaluationSettings(bootstrap=100))["recall@1"].value > 0
    with pytest.raises(DataError, match="not evaluated on the same rows"):
        compare(found, scored(model, candidates=1), EvaluationSettings(bootstrap=100))


def test_a_model_without_an_opinion_leaves_the_first_order_and_so_does_the_baseline() -> None:
    baseline = fit_baseline(Dataset((), (), (), LABELS, ""), "en")
    assert scored(baseline).scores.values == scored(Likes("nowhere")).scores.values
    assert not scored(baseline).kind.doubts(scored(baseline))


def test_a_search_that_finds_little_is_told() -> None:
    rows = [Example(f"x:{n}", "zzz", passages=Passages((f"passage {n}",))) for n in range(4)]
    (doubt,) = (found := scored(Likes("passage"), rows)).kind.doubts(found)
    assert "TF-IDF finds only 0 % of the right passages" in doubt
    lost = [Example(f"x:{n}", f"passage {n:02}", passages=Passages((f"passage {n:02}",))) for n in range(30)]

    class Worst(Likes):
        def predict(self, texts: Sequence[Any]) -> list[Any]:
            return [Reranked.of([Relevance(float(passage != row.query)) for passage in row.passages]) for row in texts]

    (doubt,) = (found := scored(Worst(""), lost)).kind.doubts(found)
    assert "it has learned nothing" in doubt


def test_rows_without_passages_and_other_answers_are_refused() -> None:
    with pytest.raises(DataError, match="x:9: evaluation needs passages"):
        scored(Likes(""), [Example("x:9", "q")])

    class Texts(Likes):
        def predict(self, texts: Sequence[Any]) -> list[Any]:
            return [Relevance(1.0) for _ in texts]

    with pytest.raises(DataError, match="answered 0 of 3 queries with an order"):
        scored(Texts(""))


def test_many_candidates_are_asked_for_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    class Counts(Likes):
        def predict(self, texts: Sequence[Any]) -> list[Any]:
            calls.append(sum(map(len, texts)))
            return super().predict(texts)

    rows = [Example(f"x:{n}", f"word {n}", passages=Passages(tuple(f"word {n} {k}" for k in range(9))))
            for n in range(20)]
    whole = scored(Counts("word"), rows, candidates=0)
    assert calls == [200]
    monkeypatch.setattr(importlib.import_module("luthier.evaluation.evaluate"), "AT_ONCE", 33)
    assert scored(Counts("word"), rows, candidates=0).scores == whole.scores
    assert calls[1:] == [40] * 5
    monkeypatch.undo()
    monkeypatch.setattr(importlib.import_module("luthier.evaluation.evaluate"), "CHARACTERS_AT_ONCE", 200)
    assert scored(Counts("word"), rows, candidates=0).scores == whole.scores
    assert len(calls) > 12  # a query and its candidates have some 90 characters
