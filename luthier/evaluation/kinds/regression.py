"""Texts that have a number, such as a price or a grade."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from luthier.data.cells.numbers import values_of
from luthier.evaluation.evaluate import Evaluation
from luthier.evaluation.kind import Form, Judge, Named, Page, PredictsTexts, Printed, ShownError
from luthier.evaluation.numbers import judge_numbers
from luthier.evaluation.report.html import amount, both, count
from luthier.evaluation.report.number_words import NUMBER_WORDS
from luthier.evaluation.report.sections.error_parts import quoted, said_and_true
from luthier.evaluation.report.sections.scatter import scatter
from luthier.evaluation.ridge import fit_ridge
from luthier.evaluation.scores import RowError
from luthier.evaluation.tfidf import make_vectorizer
from luthier.schema import Dataset, Estimate, Example, LabelSet
from luthier.text.said import Said

MAIN, MAIN_TITLE = "rmse", "RMSE"
VALIDATED = "mse"
METRICS: dict[str, Form] = {
    "rmse": "amount", "mae": "amount", "pearson": "amount", "spearman": "amount", "r2": "amount", "qwk": "amount",
    "accuracy": "share", "mse": "amount",
}
LOWER_IS_BETTER = ("mse", "rmse", "mae")
SHORT = ("rmse", "mae", "pearson", "spearman", "qwk")
BY_DISTANCE = True
BASELINE = Named("ridge", "TF-IDF + ridge regression")
PAGE = Page(headline=("rmse", "pearson"), drawn=(), sections={"scatter": scatter}, suffix="_numbers",
            words=NUMBER_WORDS, labelled=False)

_COLUMNS = {"rmse": "RMSE", "mae": "MAE", "pearson": "Pearson", "spearman": "Spearman"}
_GRADE_COLUMNS = {"rmse": "RMSE", "mae": "MAE", "qwk": "QWK", "accuracy": "right grade"}


def judge(examples: Sequence[Example], labels: LabelSet) -> Judge:
    """Return what holds ``Estimate``s against the numbers of the rows."""
    true = values_of(examples)
    return lambda answers: judge_numbers(answers, true, labels)


def baseline(dataset: Dataset, language: str, *, threshold: float, seed: int) -> PredictsTexts:  # noqa: ARG001 - asked of all
    """Fit TF-IDF and ridge regression."""
    return fit_ridge(dataset, lambda rows: make_vectorizer(language, rows=rows), seed=seed)


def told(error: RowError) -> dict[str, Any]:
    """Return the true number, the given one and how far they are apart, in their unit."""
    return {"value": error.example.value, "predicted": _given(error), "error": error.confidence}


def doubts(system: Evaluation) -> list[str]:
    """Tell of a model that a constant answer would equal."""
    return [] if system.scores.values["r2"] > 0 else [
        Said("on the test rows the tuned model is no better than always giving their mean: it has learned nothing",
             "在测试行上，微调后的模型并不优于总是给出平均值：什么也没学到")]


def printed(scores: Mapping[str, Any]) -> Printed:
    """Return errors and correlations, or of grades how well they agree."""
    return Printed(_GRADE_COLUMNS if "qwk" in scores["metrics"] else _COLUMNS)


def facts(system: Evaluation) -> list[tuple[str, str]]:
    """Return how many rows got a wrong grade, where there are grades."""
    return [("fact_wrong", count(system.wrong))] if "accuracy" in system.scores.values else []


def shown(error: RowError) -> ShownError:
    """Return the number given against the true one, and the text or the pair of texts."""
    example = error.example
    what = said_and_true([amount(_given(error))], [amount(example.value or 0.0)])
    return ShownError(both("by_error", value=amount(error.confidence)), what, quoted(example.text, example.text_b))


def _given(error: RowError) -> float:
    assert isinstance(error.prediction, Estimate)  # noqa: S101 - judged as such
    return error.prediction.score
