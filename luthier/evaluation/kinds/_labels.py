"""What kinds with labels share: the metrics of classes, what is told of errors, and what was never given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from luthier.evaluation.classes import judge_labels
from luthier.evaluation.evaluate import Evaluation
from luthier.evaluation.kind import Form, Judge, Named, Printed, ShownError
from luthier.evaluation.levels import LEVELS
from luthier.evaluation.metrics import membership
from luthier.evaluation.report.html import count
from luthier.evaluation.report.sections.classes import classes
from luthier.evaluation.report.sections.confusion import confusion
from luthier.evaluation.report.sections.curves import curves
from luthier.evaluation.report.sections.error_parts import meter, quoted, said_and_true
from luthier.evaluation.scores import ClassScores, RowError
from luthier.schema import Example, LabelSet
from luthier.text.said import Said

METRICS: dict[str, Form] = {
    "accuracy": "share", "f1_macro": "share", "f1_weighted": "share", "f1_micro": "share",
    "precision_macro": "share", "recall_macro": "share", "roc_auc_macro": "plain",
    "average_precision_macro": "plain", "log_loss": "plain", "hamming_loss": "plain",
    **{f"f1_{level}": "share" for level in LEVELS}, "f1_path": "share", "precision_path": "share",
    "recall_path": "share",
}
DRAWN = ("accuracy", "f1_macro", "f1_weighted")
HEADLINE = ("accuracy", "f1_macro")
SECTIONS = {"classes": classes, "confusion": confusion, "curves": curves}
BASELINE = Named("TF-IDF", "TF-IDF + logistic regression")

_NAMED = 10
"""Most labels named in a sentence."""
_CHINESE = {"answered": "从未给出", "found": "从未找到", "told": "从未判为", "rows": "行", "entities": "个实体",
            "triples": "个三元组"}
"""What ``never_given`` says of labels, and what it counts."""


def judge(examples: Sequence[Example], labels: LabelSet) -> Judge:
    """Return what holds ``Prediction``s against the labels of the rows."""
    truth = membership(examples, labels)
    return lambda answers: judge_labels(answers, truth, labels)


def printed(scores: Mapping[str, Any]) -> Printed:
    """Return accuracy and macro F1; where labels are paths, also the F1 of the first level and of all together."""
    own = {"f1_level_1": "level 1 F1", "f1_path": "path F1"}
    return Printed({"accuracy": "accuracy", "f1_macro": "macro F1",
                    **{name: title for name, title in own.items() if name in scores["metrics"]}})


def told(error: RowError) -> dict[str, Any]:
    """Return the labels that the row carries and those it was given."""
    return {"labels": list(error.example.labels or ()), "predicted": list(error.prediction.labels),
            "confidence": round(error.confidence, 6)}


def shown(error: RowError) -> ShownError:
    """Return the labels given against those carried, and the text or the pair of texts."""
    example = error.example
    return ShownError(meter(error.confidence), said_and_true(error.prediction.labels, example.labels or ()),
                      quoted(example.text, example.text_b))


def facts(system: Evaluation) -> list[tuple[str, str]]:
    """Return how many labels there are, and how many rows were answered wrongly."""
    return [("fact_labels", count(len(system.labels))), ("fact_wrong", count(system.wrong))]


def never_given(classes: Iterable[ClassScores], verb: str, counted: str) -> list[str]:
    """Return a sentence about the labels that test rows carry and none was given, if there are such.

    Args:
        classes: how each label fares.
        verb: what is done with labels: ``answered``, ``found``.
        counted: what carries them: ``rows``, ``entities``.
    """
    silent = [entry for entry in classes if entry.support and not entry.predicted]
    if not silent:
        return []
    named, left = silent[:_NAMED], len(silent) - _NAMED
    english = ", ".join(f"{entry.label} ({entry.support} {counted})" for entry in named)
    chinese = "、".join(f"{entry.label}（{entry.support} {_CHINESE[counted]}）" for entry in named)
    return [Said(f"never {verb} on the test rows: {english}{f' and {left} more labels' if left > 0 else ''}",
                 f"在测试行中{_CHINESE[verb]}：{chinese}{f'，以及另外 {left} 个标签' if left > 0 else ''}")]


def learned_nothing(what: str, chinese: str) -> Said:
    """Return the sentence about a model that does nothing of what it was tuned for, such as ``finds no entity``."""
    return Said(f"the tuned model {what}: it has learned nothing. Try more epochs, more rows, or another "
                "train.learning_rate",
                f"微调后的模型{chinese}：什么也没学到。请增加轮数或数据，或换一个 train.learning_rate")
