"""Queries whose candidates, found by TF-IDF, are ordered anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from luthier.evaluation.evaluate import Evaluation
from luthier.evaluation.kind import Form, Judge, Named, Page, PredictsTexts, Printed, ShownError
from luthier.evaluation.kinds._labels import learned_nothing
from luthier.evaluation.kinds.retrieval import quoted_passages
from luthier.evaluation.orderings import CEILING, AsFound, judge_orders_of_passages, with_candidates
from luthier.evaluation.rankings import NDCG, Ranking
from luthier.evaluation.report.html import both, count
from luthier.evaluation.report.ordering_words import ORDERING_WORDS
from luthier.evaluation.report.sections.depth import depth
from luthier.evaluation.report.sections.error_parts import quoted
from luthier.evaluation.scores import RowError
from luthier.schema import Dataset, Example, LabelSet
from luthier.tasks import MISSED
from luthier.text.said import Said

__all__ = ["BASELINE", "BY_DISTANCE", "LOWER_IS_BETTER", "MAIN", "MAIN_TITLE", "METRICS", "PAGE", "SHORT", "VALIDATED",
           "baseline", "doubts", "facts", "judge", "printed", "shown", "told", "with_candidates"]

MAIN, MAIN_TITLE = NDCG, "nDCG@10"
VALIDATED = MAIN
METRICS: dict[str, Form] = {NDCG: "share", "mrr@10": "share", "map": "share", "recall@1": "share",
                            "recall@10": "share", CEILING: "share"}
LOWER_IS_BETTER = ()
SHORT = tuple(METRICS)
BY_DISTANCE = False
BASELINE = Named("TF-IDF order", "the order in which TF-IDF finds passages")
PAGE = Page(headline=(NDCG, "recall@1"), drawn=(NDCG, "recall@1", "recall@10", CEILING), sections={"depth": depth},
            suffix="_orderings", words=ORDERING_WORDS, labelled=False)


def judge(examples: Sequence[Example], labels: LabelSet) -> Judge:  # noqa: ARG001 - as all kinds are asked
    """Return what holds orders against the passages that belong to each query."""
    return lambda answers: judge_orders_of_passages(answers, examples)


def baseline(dataset: Dataset, language: str, *, threshold: float, seed: int) -> PredictsTexts:  # noqa: ARG001 - asked of all
    """Return what leaves candidates in the order of the first search: what one has without a model."""
    return AsFound()


def told(error: RowError) -> dict[str, Any]:
    """Return where the first right passage stands, if among the candidates, and how far it is behind the first one."""
    said = _ranking(error).to_dict()
    return {"rank": said["rank"], "score": said["score"], "behind": round(error.confidence, 6)}


def doubts(system: Evaluation) -> list[str]:
    """Tell of a first search that finds little, and of a model that orders what it finds no better than chance."""
    values = system.scores.values
    if values[CEILING] < _LOW:
        share = f"{100 * values[CEILING]:.0f} %"
        return [Said(f"TF-IDF finds only {share} of the right passages of the test queries, and no order of its "
                     "candidates finds more: re-rank what a bundle of the task similarity finds",
                     f"TF-IDF 只找到测试查询的 {share} 正确段落，对其候选段落重新排序也无法找到更多："
                     "请对 similarity 任务的模型包检索到的结果重新排序")]
    return [] if values["recall@10"] > 0 else [
        learned_nothing("puts no right passage among the first ten of any query", "没有把任何查询的正确段落排进前十")]


_LOW = 0.5
"""Share of the right passages below which the first search is told to be the problem."""


def printed(scores: Mapping[str, Any]) -> Printed:  # noqa: ARG001 - as all kinds are asked
    """Return how well right passages are ordered, and of one system how many the first search found."""
    return Printed({NDCG: MAIN_TITLE, "mrr@10": "MRR@10", "map": "MAP", "recall@1": "recall@1",
                    "recall@10": "recall@10"}, {CEILING: "recall of the candidates"})


def facts(system: Evaluation) -> list[tuple[str, str]]:
    """Return how many queries did not get a right passage first, and for how many none was found."""
    missed = sum(one.rank == MISSED for one in system.predictions if isinstance(one, Ranking))
    return [("fact_wrong", count(system.wrong)), ("fact_unfound", count(missed))]


def shown(error: RowError) -> ShownError:
    """Return what was put first against what belongs to the query."""
    rank = _ranking(error).rank
    where = both("right_missed") if rank == MISSED else both("right_at_orderings", rank=count(rank))
    return ShownError(where, quoted_passages(_ranking(error).first, error.example), quoted(error.example.text))


def _ranking(error: RowError) -> Ranking:
    assert isinstance(error.prediction, Ranking)  # noqa: S101 - judged as such
    return error.prediction
