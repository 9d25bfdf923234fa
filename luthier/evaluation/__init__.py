"""Scores, intervals, a baseline to beat, and the report that shows them."""

from luthier.evaluation.baseline import fit_baseline
from luthier.evaluation.evaluate import Evaluation, compare, evaluate
from luthier.evaluation.intervals import Difference, Interval, Intervals, bootstrap, paired_bootstrap
from luthier.evaluation.kind import Kind, PredictsTexts, kind_of
from luthier.evaluation.metrics import choose, membership, score
from luthier.evaluation.outcomes import Outcomes, RowOutcomes
from luthier.evaluation.report import Report, write_report
from luthier.evaluation.scores import ClassScores, RowError, Scores, TagScores, TokenTable
from luthier.evaluation.tfidf import Baseline

__all__ = [
    "Baseline",
    "ClassScores",
    "Difference",
    "Evaluation",
    "Interval",
    "Intervals",
    "Kind",
    "Outcomes",
    "PredictsTexts",
    "Report",
    "RowError",
    "RowOutcomes",
    "Scores",
    "TagScores",
    "TokenTable",
    "bootstrap",
    "choose",
    "compare",
    "evaluate",
    "fit_baseline",
    "kind_of",
    "membership",
    "paired_bootstrap",
    "score",
    "write_report",
]
