from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.tuning.schedule import factor, warmup_steps


@given(st.integers(1, 500), st.floats(0, 0.99), st.sampled_from(["linear", "cosine"]))
def test_rises_then_falls_and_is_never_zero(total: int, ratio: float, kind: str) -> None:
    warmup = warmup_steps(total, ratio)
    shares = [factor(step, total=total, warmup=warmup, kind=kind) for step in range(1, total + 1)]
    assert all(0 < share <= 1 for share in shares)
    assert shares[warmup] == 1
    assert shares[: warmup + 1] == sorted(shares[: warmup + 1])
    assert shares[warmup:] == sorted(shares[warmup:], reverse=True)


def test_linear_by_hand() -> None:
    shares = [factor(step, total=6, warmup=2, kind="linear") for step in range(1, 7)]
    assert shares == pytest.approx([1 / 3, 2 / 3, 1, 3 / 4, 2 / 4, 1 / 4])


def test_cosine_is_half_way_in_the_middle() -> None:
    assert factor(6, total=10, warmup=0, kind="cosine") == pytest.approx(0.5)
