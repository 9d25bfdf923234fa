"""Judging numbers: scores, intervals, paired comparisons, errors and the baseline."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from luthier.errors import DataError
from luthier.evaluation import Report, compare, evaluate, fit_baseline, write_report
from luthier.recipe import EvaluationSettings
from luthier.schema import Dataset, Estimate, Example, LabelSet, Scale, TextInput

GRADED = LabelSet(("stars",), "regression", Scale(3.0, 1.4, (1, 2, 3, 4, 5)))
AMOUNT = LabelSet(("price",), "regression", Scale(3.0, 1.4))
SETTINGS = EvaluationSettings(bootstrap=200)


class Fake:
    """Gives the true number and some noise."""

    def __init__(self, rows: Sequence[Example], labels: LabelSet, noise: float) -> None:
        random, scale = np.random.default_rng(3), labels.scale
        assert scale is not None
        values = np.array([row.value for row in rows]) + noise * random.normal(size=len(rows))
        self.answers = [Estimate(float(value), scale.grades[scale.nearest(np.array([value]))[0]]
                                 if scale.grades else None) for value in values]

    def predict(self, texts: Sequence[TextInput]) -> list[Estimate]:
        return self.answers[: len(texts)]


ROWS = [Example(f"x:{n}", f"text {n}", value=float(1 + n % 5)) for n in range(60)]


def test_scores_intervals_and_errors() -> None:
    found = evaluate(Fake(ROWS, GRADED, 0.5), ROWS, GRADED, SETTINGS)
    assert set(found.scores.values) == {"mse", "rmse", "mae", "r2", "pearson", "spearman", "qwk", "accuracy"}
    assert set(found.intervals.metrics) == set(found.scores.values)
    for name, interval in found.intervals.metrics.items():
        assert interval.value == pytest.approx(found.scores.values[name])
        assert interval.low < interval.value < interval.high
    apart = [error.confidence for error in found.errors]
    assert apart == sorted(apart, reverse=True)
    assert found.wrong == sum(a.grade != row.value for a, row in zip(found.predictions, ROWS, strict=True))
    body = found.to_dict()
    assert set(body["confident_errors"][0]) == {"id", "value", "predicted", "error"}
    assert body["classes"] == []
    assert "qwk" not in evaluate(Fake(ROWS, AMOUNT, 0.5), ROWS, AMOUNT, SETTINGS).scores.values


def test_a_grade_that_was_never_learned_is_never_right() -> None:
    labels = replace(GRADED, scale=Scale(3.0, 1.0, (1, 2, 4, 5)))
    rows = [Example(f"x:{n}", f"text {n}", value=float(true)) for n, true in enumerate((3, 3, 4, 1))]
    near = SimpleNamespace(predict=lambda _texts: [Estimate(value, None) for value in (2.4, 3.8, 4.1, 1.2)])
    found = evaluate(near, rows, labels, SETTINGS)
    assert found.scores.values["accuracy"] == 0.5
    assert found.wrong == 2
    halves = [Example(row.id, row.text, value=(row.value or 0) + 0.5) for row in rows]
    assert "accuracy" not in evaluate(near, halves, labels, SETTINGS).scores.values  # no grades


def test_less_error_is_better() -> None:
    near, far = (evaluate(Fake(ROWS, AMOUNT, noise), ROWS, AMOUNT, SETTINGS) for noise in (0.2, 1.0))
    found = compare(near, far, SETTINGS)
    assert found["rmse"].value < 0
    assert found["rmse"].verdict == found["pearson"].verdict == "better"
    assert compare(far, near, SETTINGS)["mae"].verdict == "worse"
    assert compare(near, near, SETTINGS)["rmse"].verdict == "no significant difference"
    others = [Example(row.id, row.text, value=0.5) for row in ROWS]
    with pytest.raises(DataError, match="same rows"):
        compare(near, evaluate(Fake(others, AMOUNT, 1), others, AMOUNT, SETTINGS), SETTINGS)


def test_rows_and_answers_without_numbers_are_refused() -> None:
    with pytest.raises(DataError, match="expected a number"):
        evaluate(Fake(ROWS, AMOUNT, 0), [Example("x", "y", labels=("a",))], AMOUNT, SETTINGS)
    broken = Fake(ROWS, AMOUNT, 0)
    broken.answers[0] = Estimate(float("nan"))
    with pytest.raises(DataError, match="59 of 60"):
        evaluate(broken, ROWS, AMOUNT, SETTINGS)


@pytest.mark.parametrize("pair", [False, True])
def test_the_baseline_learns(pair: bool) -> None:
    random = np.random.default_rng(0)
    words = np.array(["the", "cat", "dog", "sun", "sea", "tree", "house", "car", "road", "hill", "river", "stone"])
    rows = []
    for n in range(300):
        first = [str(word) for word in random.choice(words, 8, replace=False)]
        shared = int(random.integers(0, 7))
        rest = [word for word in words if word not in first]
        second = " ".join([*first[:shared], *rest[: 6 - shared]])
        good = int(random.integers(0, 6))
        rows.append(Example(f"x:{n}", " ".join(first), second, value=float(shared)) if pair else
                    Example(f"x:{n}", " ".join([*first, *["good"] * good]), value=float(good)))
    values = np.array([row.value for row in rows[:200]])
    labels = LabelSet(("y",), "regression", Scale(float(values.mean()), float(values.std())))
    dataset = Dataset(tuple(rows[:200]), tuple(rows[200:250]), tuple(rows[250:]), labels, "")
    found = evaluate(fit_baseline(dataset, "en"), dataset.test, labels, SETTINGS)
    assert found.scores.values["pearson"] > 0.9


def test_the_headline_puts_its_own_number_in_bold_and_no_digit_of_another(tmp_path: Path) -> None:
    rows = [Example(f"x:{n}", f"text {n}", value=float(n)) for n in range(110)]
    away = SimpleNamespace(predict=lambda texts: [Estimate(float(n) + 1, None) for n in range(len(texts))])
    found = evaluate(away, rows, AMOUNT, SETTINGS)
    assert found.scores.values["rmse"] == 1
    write_report(tmp_path, Report("prices", {"tuned": found}))
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    (english, *_) = re.findall(r'class="hero-text">(.*?)</p>', page, re.DOTALL)
    assert english.count("<b>") == 2  # in both languages
    assert "110 test rows" in english
    assert "\u2063" not in page
