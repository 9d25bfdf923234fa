"""Scores, intervals, a baseline to beat, and the report that shows them."""

from luthier.evaluation.baseline import Baseline, fit_baseline
from luthier.evaluation.evaluate import Evaluation, PredictsTexts, RowError, compare, evaluate
from luthier.evaluation.intervals import Difference, Interval, Intervals, bootstrap, paired_bootstrap
from luthier.evaluation.metrics import choose, membership, score
from luthier.evaluation.outcomes import Outcomes
from luthier.evaluation.report import Report, write_report
from luthier.evaluation.scores import ClassScores, Scores, TagScores, TokenTable

__all__ = [
    "Baseline",
    "ClassScores",
    "Difference",
    "Evaluation",
    "Interval",
    "Intervals",
    "Outcomes",
    "PredictsTexts",
    "Report",
    "RowError",
    "Scores",
    "TagScores",
    "TokenTable",
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
