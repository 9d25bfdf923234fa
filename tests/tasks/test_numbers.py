"""Scores of numbers against SciPy and scikit-learn, for rows as they are and for resamples."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as reference

from luthier.tasks import grade_scores, number_scores


def expected(true: np.ndarray, given: np.ndarray) -> dict[str, float]:
    squared = reference.mean_squared_error(true, given)
    return {"mse": squared, "rmse": squared**0.5, "mae": reference.mean_absolute_error(true, given),
            "r2": reference.r2_score(true, given), "pearson": stats.pearsonr(true, given)[0],
            "spearman": stats.spearmanr(true, given)[0]}


@pytest.mark.parametrize("shift", [0.0, 1e4])
@pytest.mark.parametrize("ties", [False, True])
def test_scores_are_those_of_scipy_and_scikit_learn(shift: float, ties: bool) -> None:
    random = np.random.default_rng(0)
    true = random.normal(size=60)
    given = true + random.normal(size=60)
    if ties:
        true, given = true.round(), given.round()
    true, given = true + shift, given + shift
    times = random.multinomial(60, np.full(60, 1 / 60), size=5).astype(float)
    found = number_scores(true, given, np.concatenate([np.ones((1, 60)), times]))
    for place, drawn in enumerate([np.ones(60), *times]):
        rows = np.repeat(np.arange(60), drawn.astype(int))
        for name, value in expected(true[rows], given[rows]).items():
            assert found[name][place] == pytest.approx(value, rel=1e-6, abs=1e-9), name


def test_kappa_is_that_of_scikit_learn() -> None:
    random = np.random.default_rng(1)
    true = random.integers(5, size=80)
    given = np.clip(true + random.integers(-1, 2, size=80), 0, 4)
    times = random.multinomial(80, np.full(80, 1 / 80), size=4).astype(float)
    found = grade_scores(true, given, 5, times)
    for place, drawn in enumerate(times):
        rows = np.repeat(np.arange(80), drawn.astype(int))
        kappa = reference.cohen_kappa_score(true[rows], given[rows], weights="quadratic", labels=range(5))
        assert found["qwk"][place] == pytest.approx(kappa)
        assert found["accuracy"][place] == pytest.approx((true == given)[rows].mean())


def test_a_resample_without_the_one_odd_row_has_no_spread() -> None:
    true = np.array([5.0] * 52 + [1.0])
    times = np.random.default_rng(0).multinomial(53, np.full(53, 1 / 53), size=1000).astype(float)
    found = number_scores(true, true + 0.1, times)["r2"]
    assert (times[:, -1] == 0).sum() > 300
    assert set(found[times[:, -1] == 0]) == {0.0}
    assert found.min() == 0


def test_what_is_undefined_is_zero() -> None:
    same = number_scores(np.full(4, 0.1), np.arange(4.0))
    assert (same["r2"][0], same["pearson"][0], same["spearman"][0]) == (0, 0, 0)
    assert number_scores(np.arange(4.0), np.full(4, 0.1))["pearson"][0] == 0
    assert grade_scores(np.zeros(3, int), np.zeros(3, int), 2)["qwk"][0] == 0
