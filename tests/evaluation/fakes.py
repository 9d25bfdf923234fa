"""Predictors and rows made up for the tests of the evaluation."""

from __future__ import annotations

import numpy as np

from luthier.evaluation import Report, choose, evaluate
from luthier.recipe import EvaluationSettings
from luthier.schema import Example, LabelSet, Prediction

QUICK = EvaluationSettings(bootstrap=100, max_errors=5)


class FakePredictor:
    """Knows the truth, and errs as often as its skill lets it."""

    def __init__(self, labels, truth, *, skill=2.0, seed=0, cut=0):
        self.labels, self.truth, self.skill, self.seed, self.cut = labels, truth, skill, seed, cut

    def predict(self, texts):
        noise = np.random.default_rng(self.seed).normal(size=self.truth.shape)
        logits = noise + self.skill * (2.0 * self.truth - 1)
        odds = np.exp(logits)
        odds = odds / (1 + odds) if self.labels.multi_label else odds / odds.sum(axis=1, keepdims=True)
        probabilities = odds.astype(np.float32)
        names = self.labels.names
        return [
            Prediction(tuple(names[c] for c in np.flatnonzero(row)), names, probabilities[n], n < self.cut)
            for n, row in enumerate(choose(probabilities, self.labels))
        ]


def rows(classes=2, count=60, *, multi=False, text="good and bad", names=None):
    """Return a label set, examples and their truth."""
    labels = LabelSet(
        names or tuple(f"label {c}" for c in range(classes)),
        "multi_label_classification" if multi else "single_label_classification",
    )
    random = np.random.default_rng(1)
    truth = random.random((count, classes)) < 0.4 if multi else np.eye(classes, dtype=bool)[np.arange(count) % classes]
    examples = [
        Example(f"rows.csv:{n + 2}", f"{text} {n}", None, tuple(labels.names[c] for c in np.flatnonzero(row)))
        for n, row in enumerate(truth)
    ]
    return labels, examples, truth


def report(classes=2, count=60, *, systems=("baseline", "untuned", "tuned"), skill=0.7, cut=0, **fields):
    """Return a report of made-up systems; ``multi``, ``text`` and ``names`` go to the rows, the rest to the report."""
    chosen = {name: fields.pop(name) for name in ("multi", "text", "names") if name in fields}
    labels, examples, truth = rows(classes, count, **chosen)
    skills = {"baseline": skill / 2, "untuned": 0.0}
    evaluations = {
        name: evaluate(
            FakePredictor(labels, truth, skill=skills.get(name, skill), seed=n, cut=cut), examples, labels, QUICK
        )
        for n, name in enumerate(systems)
    }
    return Report(title=fields.pop("title", "Reviews"), systems=evaluations, settings=QUICK, **fields)
