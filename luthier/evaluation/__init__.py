"""Scores, intervals, a baseline to beat, and the report that shows them."""

from luthier.evaluation.baseline import Baseline, fit_baseline
from luthier.evaluation.evaluate import Evaluation, PredictsTexts, RowError, compare, evaluate
from luthier.evaluation.intervals import Difference, Interval, Intervals, bootstrap, paired_bootstrap
from luthier.evaluation.metrics import ClassScores, Scores, choose, membership, score
from luthier.evaluation.report import Report, write_report

__all__ = [
    "Baseline",
    "ClassScores",
    "Difference",
    "Evaluation",
    "Interval",
    "Intervals",
    "PredictsTexts",
    "Report",
    "RowError",
    "Scores",
    "bootstrap",
    "choose",
    "compare",
    "evaluate",
    "fit_baseline",
    "membership",
    "paired_bootstrap",
    "score",
    "write_report",
]
