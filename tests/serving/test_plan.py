from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from luthier.serving.plan import deal, weigh

WAITING = st.lists(st.lists(st.integers(1, 50), max_size=12), max_size=8)


def test_a_lone_text_does_not_wait_behind_a_large_request() -> None:
    assert deal([[1] * 256, [1]], max_rows=64) == [63, 1]


def test_rows_are_shared_evenly_between_large_requests() -> None:
    assert deal([[1] * 50, [1] * 50, [1] * 50], max_rows=30) == [10, 10, 10]


def test_long_texts_make_small_batches() -> None:
    assert deal([[2048] * 100], max_rows=64) == [16]


def test_a_row_heavier_than_a_batch_goes_alone() -> None:
    assert deal([[500, 1], [1]], max_rows=64, max_weight=100) == [1, 0]


def test_weight_counts_characters_up_to_what_a_model_reads() -> None:
    assert [weigh("abc"), weigh(("ab", "c")), weigh(""), weigh("x" * 20_000)] == [3, 3, 1, 2048]


@given(WAITING, st.integers(1, 20), st.integers(1, 200))
def test_a_batch_holds_its_bounds_and_always_moves_on(waiting: list[list[int]], rows: int, weight: int) -> None:
    taken = deal(waiting, max_rows=rows, max_weight=weight)
    weights = [each for request, n in zip(waiting, taken, strict=True) for each in request[:n]]
    assert len(weights) <= rows
    assert sum(weights) <= weight or len(weights) == 1
    assert bool(weights) == any(waiting)


@given(WAITING)
def test_without_bounds_everything_goes(waiting: list[list[int]]) -> None:
    assert deal(waiting, max_rows=10_000, max_weight=10_000) == [len(request) for request in waiting]
