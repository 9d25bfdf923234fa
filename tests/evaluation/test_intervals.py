"""The bootstrap: right coverage, right pairs, same seed same numbers, fast and small."""

from __future__ import annotations

import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luthier.errors import DataError
from luthier.evaluation import Difference, bootstrap, paired_bootstrap, score
from luthier.schema import LabelSet


def answers(seed, rows, classes, share):
    random = np.random.default_rng(seed)
    truth = random.integers(0, classes, rows)
    chosen = np.where(random.random(rows) < share, truth, random.integers(0, classes, rows))
    return np.eye(classes, dtype=bool)[truth], np.eye(classes, dtype=bool)[chosen]


@settings(max_examples=30)
@given(st.integers(0, 1000), st.integers(1, 60), st.integers(2, 5))
def test_values_are_the_scores_and_intervals_are_ordered(seed, rows, classes):
    truth, chosen = answers(seed, rows, classes, 0.7)
    intervals = bootstrap(truth, chosen, resamples=100, seed=seed)
    scores = score(chosen.astype(float), truth, LabelSet(tuple(map(str, range(classes)))), chosen=chosen)
    for name, interval in intervals.metrics.items():
        assert interval.value == pytest.approx(scores.values[name])
        assert 0 <= interval.low <= interval.high <= 1
    assert [interval.value for interval in intervals.class_f1] == pytest.approx([entry.f1 for entry in scores.classes])


def test_equals_a_plain_bootstrap_of_the_rows():
    truth, chosen = answers(1, 400, 3, 0.8)
    right = (truth == chosen).all(axis=1)
    random = np.random.default_rng(5)
    plain = np.quantile([right[random.integers(0, 400, 400)].mean() for _ in range(4000)], [0.025, 0.975])
    interval = bootstrap(truth, chosen, resamples=4000, seed=2).metrics["accuracy"]
    assert (interval.low, interval.high) == pytest.approx(tuple(plain), abs=0.006)


def test_intervals_cover_the_true_accuracy_as_often_as_they_say():
    covered = 0
    for seed in range(200):
        truth, chosen = answers(seed, 300, 2, 0.6)  # right with probability 0.6 + 0.4 / 2
        interval = bootstrap(truth, chosen, resamples=300, seed=seed).metrics["accuracy"]
        covered += interval.low <= 0.8 <= interval.high
    assert 0.90 <= covered / 200 <= 0.99


def test_the_same_seed_gives_the_same_intervals_in_any_row_order():
    truth, chosen = answers(2, 100, 3, 0.7)
    turned = bootstrap(truth[::-1], chosen[::-1], seed=4)
    assert bootstrap(truth, chosen, seed=4).class_f1 == turned.class_f1
    assert bootstrap(truth, chosen, seed=4).metrics["accuracy"] == turned.metrics["accuracy"]
    assert bootstrap(truth, chosen, seed=5) != bootstrap(truth, chosen, seed=4)


def test_a_paired_difference_is_sharper_than_two_intervals():
    truth, other = answers(3, 1000, 2, 0.6)
    chosen = other.copy()
    mended = np.flatnonzero((other != truth).any(axis=1))[:40]
    chosen[mended] = truth[mended]
    difference = paired_bootstrap(truth, chosen, other, seed=1)["accuracy"]
    assert difference.value == pytest.approx(0.04)
    assert difference.verdict == "better"
    assert bootstrap(truth, chosen).metrics["accuracy"].low < bootstrap(truth, other).metrics["accuracy"].high
    assert paired_bootstrap(truth, other, chosen, seed=1)["accuracy"].verdict == "worse"


def test_equal_systems_show_no_significant_difference():
    truth, chosen = answers(6, 200, 3, 0.7)
    for difference in paired_bootstrap(truth, chosen, chosen).values():
        assert (difference.value, difference.low, difference.high) == (0, 0, 0)
        assert difference.verdict == "no significant difference"
    assert Difference(0.01, -0.01, 0.03).to_dict()["verdict"] == "no significant difference"


def test_systems_with_other_rows_are_refused():
    truth, chosen = answers(7, 20, 2, 0.7)
    with pytest.raises(DataError, match="same rows for both systems, got 20 and 19 rows"):
        paired_bootstrap(truth, chosen, chosen[:19])


def test_ten_thousand_rows_take_well_under_two_seconds():
    truth, chosen = answers(8, 10_000, 2, 0.8)
    started = time.perf_counter()
    bootstrap(truth, chosen, resamples=1000)
    assert time.perf_counter() - started < 2


@pytest.mark.parametrize("multi_label", [False, True])
def test_memory_stays_bounded_with_many_classes(multi_label):
    random = np.random.default_rng(9)
    if multi_label:
        truth = random.random((3000, 77)) < 0.1
        chosen = truth ^ (random.random((3000, 77)) < 0.05)
    else:
        truth, chosen = answers(9, 10_000, 77, 0.6)
    tracemalloc.start()
    bootstrap(truth, chosen, multi_label=multi_label, resamples=1000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 150e6  # bytes
