"""Texts that carry one label of several."""

from __future__ import annotations

from luthier.evaluation.evaluate import Evaluation
from luthier.evaluation.kind import Page, PredictsTexts
from luthier.evaluation.kinds import _labels
from luthier.evaluation.kinds._labels import BASELINE, METRICS, facts, judge, printed, shown, told
from luthier.evaluation.tfidf import fit_classifier
from luthier.schema import Dataset
from luthier.text.said import Said

__all__ = ["BASELINE", "BY_DISTANCE", "LOWER_IS_BETTER", "MAIN", "MAIN_TITLE", "METRICS", "PAGE", "SHORT", "VALIDATED",
           "baseline", "doubts", "facts", "judge", "printed", "shown", "told"]

MAIN, MAIN_TITLE = "f1_macro", "macro F1"
VALIDATED = MAIN
LOWER_IS_BETTER = ("log_loss",)
SHORT = ("accuracy", "f1_macro")
BY_DISTANCE = False
PAGE = Page(_labels.HEADLINE, _labels.DRAWN, _labels.SECTIONS)


def baseline(dataset: Dataset, language: str, *, threshold: float, seed: int) -> PredictsTexts:
    """Fit TF-IDF and logistic regression."""
    return fit_classifier(dataset, language, threshold=threshold, seed=seed)


def doubts(system: Evaluation) -> list[str]:
    """Tell of one answer to every row, and of labels that are never answered."""
    answered = system.chosen.any(axis=0)  # (C,)
    found = _labels.never_given(system.scores.classes, "answered", "rows")
    if answered.sum() == 1:
        only = system.labels.names[int(answered.argmax())]
        found.insert(0, Said(f"the tuned model answers {only!r} to every test row: it has not learned to tell the "
                             "labels apart", f"微调后的模型对每个测试行都回答“{only}”：没有学会区分各个标签"))
    return found
