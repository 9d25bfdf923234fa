from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luthier.tasks import averages, confusion_matrix, counts, precision_recall_f1

pairs = st.integers(1, 6).flatmap(
    lambda classes: st.tuples(
        st.just(classes),
        st.lists(st.tuples(st.integers(0, classes - 1), st.integers(0, classes - 1)), min_size=1, max_size=40),
    )
)


@given(pairs)
@settings(max_examples=50)
def test_counts_agree_with_the_confusion_matrix(drawn: tuple[int, list[tuple[int, int]]]) -> None:
    classes, rows = drawn
    targets, predicted = np.array(rows, np.int64).T
    matrix = confusion_matrix(targets, predicted, classes)
    true, false, missed = counts(targets, predicted, classes)
    assert matrix.sum() == len(rows)
    assert np.array_equal(true, matrix.diagonal())
    assert np.array_equal(true + false, matrix.sum(axis=0))
    assert np.array_equal(true + missed, matrix.sum(axis=1))
    hot = np.eye(classes)
    assert all(map(np.array_equal, counts(hot[targets], hot[predicted], classes), (true, false, missed)))


def test_undefined_shares_are_zero() -> None:
    scores = precision_recall_f1(*(np.array([value]) for value in (0, 0, 0)))
    assert [float(value[0]) for value in scores] == [0.0, 0.0, 0.0]


def test_absent_classes_count_only_for_several_labels() -> None:
    parts = (np.array([2, 0]), np.array([0, 0]), np.array([0, 0]))
    assert averages(*parts, multi_label=False)["f1_macro"] == 1.0
    assert averages(*parts, multi_label=True)["f1_macro"] == 0.5


def test_averages_of_many_resamples_at_once() -> None:
    random = np.random.default_rng(0)
    parts = [random.integers(0, 9, (7, 4)) for _ in range(3)]
    together = averages(*parts, multi_label=False)
    for row in range(7):
        alone = averages(*(part[row] for part in parts), multi_label=False)
        assert all(np.isclose(alone[name], together[name][row]) for name in alone)


def test_no_rows_score_zero() -> None:
    none = np.zeros(0, np.int64)
    assert averages(*counts(none, none, 2), multi_label=False)["f1_macro"] == 0.0


@pytest.mark.slow  # imports scikit-learn
@pytest.mark.parametrize("multi_label", [False, True])
def test_scores_equal_scikit_learns(multi_label: bool) -> None:
    from sklearn.metrics import precision_recall_fscore_support

    random = np.random.default_rng(1)
    for classes in (2, 3, 7):
        shape = (50, classes) if multi_label else 50
        targets, predicted = (random.integers(0, 2 if multi_label else classes, shape) for _ in range(2))
        true, false, missed = counts(targets, predicted, classes)
        labels = list(range(classes))
        theirs = precision_recall_fscore_support(targets, predicted, labels=labels, zero_division=0)
        ours = (*precision_recall_f1(true, false, missed), true + missed)
        assert all(np.allclose(mine, other) for mine, other in zip(ours, theirs, strict=True))
        means = averages(true, false, missed, multi_label=multi_label)
        for kind in ("macro", "micro", "weighted"):
            expected = precision_recall_fscore_support(targets, predicted, average=kind, zero_division=0)[:3]
            got = [float(means[f"{name}_{kind}"]) for name in ("precision", "recall", "f1")]
            assert got == pytest.approx(expected)
