"""Pairs of texts with a score of how alike they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from luthier.data.cells.numbers import values_of
from luthier.evaluation.evaluate import Evaluation
from luthier.evaluation.kind import Form, Judge, Named, Page, PredictsTexts, Printed, ShownError
from luthier.evaluation.orders import PEARSON, SPEARMAN, judge_orders
from luthier.evaluation.report.html import amount, both
from luthier.evaluation.report.likeness_words import LIKENESS_WORDS
from luthier.evaluation.report.sections.error_parts import quoted, said_and_true
from luthier.evaluation.scores import RowError
from luthier.evaluation.tfidf_vectors import fit_vectors
from luthier.schema import Dataset, Example, LabelSet, Similarity
from luthier.text.said import Said

MAIN, MAIN_TITLE = SPEARMAN, "Spearman correlation"
VALIDATED = MAIN
METRICS: dict[str, Form] = {SPEARMAN: "share", PEARSON: "share"}
LOWER_IS_BETTER = ()
SHORT = (SPEARMAN, PEARSON)
BY_DISTANCE = True
BASELINE = Named("TF-IDF cosine", "cosine of TF-IDF vectors")
PAGE = Page(headline=(SPEARMAN, PEARSON), drawn=(), sections={}, suffix="_likeness", words=LIKENESS_WORDS,
            labelled=False)


def judge(examples: Sequence[Example], labels: LabelSet) -> Judge:  # noqa: ARG001 - as all kinds are asked
    """Return what holds the order of cosines against that of the scores."""
    true = values_of(examples)
    return lambda answers: judge_orders(answers, true)


def baseline(dataset: Dataset, language: str, *, threshold: float, seed: int) -> PredictsTexts:  # noqa: ARG001 - asked of all
    """Count how rare n-grams are."""
    return fit_vectors(dataset, language)


def told(error: RowError) -> dict[str, Any]:
    """Return the true score, the cosine, and how far they are apart in the order of all rows."""
    return {"value": error.example.value, "predicted": round(_given(error), 6), "apart": round(error.confidence, 6)}


def doubts(system: Evaluation) -> list[str]:
    """Tell of a model that orders pairs no better than chance."""
    return [] if system.scores.values[SPEARMAN] > 0 else [
        Said("on the test rows the tuned model orders pairs no better than chance: it has learned nothing",
             "在测试行上，微调后的模型对文本对的排序并不优于随机：什么也没学到")]


def printed(scores: Mapping[str, Any]) -> Printed:  # noqa: ARG001 - as all kinds are asked
    """Return both correlations."""
    return Printed({SPEARMAN: "Spearman", PEARSON: "Pearson"})


def facts(system: Evaluation) -> list[tuple[str, str]]:  # noqa: ARG001 - as all kinds are asked
    """Return nothing: a pair is not right or wrong."""
    return []


def shown(error: RowError) -> ShownError:
    """Return the cosine against the true score, and both texts."""
    what = said_and_true([f"{_given(error):.3f}"], [amount(error.example.value or 0.0)])
    return ShownError(both("out_of_place", share=f"{100 * error.confidence:.0f}%"), what,
                      quoted(error.example.text, error.example.text_b))


def _given(error: RowError) -> float:
    assert isinstance(error.prediction, Similarity)  # noqa: S101 - judged as such
    return error.prediction.score
