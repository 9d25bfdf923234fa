"""Queries that look for their passages among all passages of the rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from luthier.evaluation import rankings
from luthier.evaluation.evaluate import Evaluation
from luthier.evaluation.kind import Form, Judge, Named, Page, PredictsTexts, Printed, ShownError
from luthier.evaluation.kinds._labels import learned_nothing
from luthier.evaluation.rankings import NDCG, TRIPLETS, Ranking, asked
from luthier.evaluation.report.html import both, count
from luthier.evaluation.report.ranking_words import RANKING_WORDS
from luthier.evaluation.report.sections.depth import depth
from luthier.evaluation.report.sections.error_parts import quoted, said_and_true
from luthier.evaluation.scores import RowError
from luthier.evaluation.tfidf_vectors import fit_vectors
from luthier.schema import Dataset, Example, LabelSet

__all__ = ["BASELINE", "BY_DISTANCE", "LOWER_IS_BETTER", "MAIN", "MAIN_TITLE", "METRICS", "PAGE", "SHORT", "VALIDATED",
           "asked", "baseline", "doubts", "facts", "judge", "printed", "shown", "told"]

MAIN, MAIN_TITLE = NDCG, "nDCG@10"
VALIDATED = MAIN
METRICS: dict[str, Form] = {
    NDCG: "share", "mrr@10": "share", "recall@1": "share", "recall@10": "share", TRIPLETS: "share"}
LOWER_IS_BETTER = ()
SHORT = (NDCG, "mrr@10", "recall@1", "recall@10")
BY_DISTANCE = False
BASELINE = Named("TF-IDF cosine", "cosine of TF-IDF vectors")
PAGE = Page(headline=(NDCG, "recall@1"), drawn=(NDCG, "recall@1", "recall@10"), sections={"depth": depth},
            suffix="_rankings", words=RANKING_WORDS, labelled=False)


def judge(examples: Sequence[Example], labels: LabelSet) -> Judge:  # noqa: ARG001 - as all kinds are asked
    """Return what ranks the passages of the rows for each of their queries."""
    rows = rankings.relevant(examples)
    return lambda answers: rankings.judge_rankings(answers, rows)


def baseline(dataset: Dataset, language: str, *, threshold: float, seed: int) -> PredictsTexts:  # noqa: ARG001 - asked of all
    """Count how rare n-grams are."""
    return fit_vectors(dataset, language)


def told(error: RowError) -> dict[str, Any]:
    """Return where the first right passage stands, and how far it is behind the first one."""
    ranking = _ranking(error)
    return {"rank": ranking.rank, "score": round(ranking.score, 6), "behind": round(error.confidence, 6)}


def doubts(system: Evaluation) -> list[str]:
    """Tell of a model that finds nothing."""
    return [] if system.scores.values["recall@10"] > 0 else [
        learned_nothing("finds no right passage among the first ten of any query",
                        "没有为任何查询在前十中找到正确段落")]


def printed(scores: Mapping[str, Any]) -> Printed:
    """Return how well right passages are ranked, and of one system how often a given negative stands behind."""
    more = {TRIPLETS: "triplets in order"} if TRIPLETS in scores["metrics"] else {}
    return Printed({NDCG: MAIN_TITLE, "mrr@10": "MRR@10", "recall@1": "recall@1", "recall@10": "recall@10"}, more)


def facts(system: Evaluation) -> list[tuple[str, str]]:
    """Return how many queries did not rank a right passage first."""
    return [("fact_wrong", count(system.wrong))]


def shown(error: RowError) -> ShownError:
    """Return what was ranked first against what belongs to the query."""
    what = quoted_passages(_ranking(error).first, error.example)
    return ShownError(both("right_at", rank=count(_ranking(error).rank)), what, quoted(error.example.text))


def quoted_passages(first: str, row: Example) -> str:
    """Return the passage that was ranked first beside those that belong to the query, in markup."""
    right = row.passages.positive[:3] if row.passages else ()
    return said_and_true([_short(first)] if first else [], [_short(text) for text in right])


def _ranking(error: RowError) -> Ranking:
    assert isinstance(error.prediction, Ranking)  # noqa: S101 - judged as such
    return error.prediction


def _short(text: str, most: int = 200) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
