"""Texts that carry several labels, one or none."""

from __future__ import annotations

from luthier.evaluation.evaluate import Evaluation
from luthier.evaluation.kind import Page, PredictsTexts
from luthier.evaluation.kinds import _labels
from luthier.evaluation.kinds._labels import BASELINE, METRICS, facts, judge, printed, shown, told
from luthier.evaluation.tfidf import fit_classifier
from luthier.schema import Dataset

__all__ = ["BASELINE", "BY_DISTANCE", "LOWER_IS_BETTER", "MAIN", "MAIN_TITLE", "METRICS", "PAGE", "SHORT", "VALIDATED",
           "baseline", "doubts", "facts", "judge", "printed", "shown", "told"]

MAIN, MAIN_TITLE = "f1_macro", "macro F1"
VALIDATED = MAIN
LOWER_IS_BETTER = ("log_loss", "hamming_loss")
SHORT = ("accuracy", "f1_macro")
BY_DISTANCE = False
PAGE = Page(_labels.HEADLINE, _labels.DRAWN, _labels.SECTIONS, suffix="_multi")


def baseline(dataset: Dataset, language: str, *, threshold: float, seed: int) -> PredictsTexts:
    """Fit TF-IDF and logistic regression."""
    return fit_classifier(dataset, language, threshold=threshold, seed=seed)


def doubts(system: Evaluation) -> list[str]:
    """Tell of labels that are never answered."""
    return _labels.never_given(system.scores.classes, "answered", "rows")
