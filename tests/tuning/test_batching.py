from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from luthier.tuning.batching import by_length, plan, steps_per_epoch

lengths_N = st.lists(st.integers(1, 512), min_size=1, max_size=300)
sizes = st.integers(1, 40)
accumulations = st.integers(1, 5)
budgets = st.integers(64, 4096)


@given(lengths_N, sizes, accumulations, budgets, st.integers(0, 2**32), st.integers(0, 9))
def test_every_row_once_within_the_budget(
    lengths: list[int], batch_size: int, accumulation: int, budget: int, seed: int, epoch: int
) -> None:
    steps = plan(lengths, batch_size=batch_size, accumulation=accumulation, max_tokens=budget, seed=seed, epoch=epoch)
    micros = [micro for step in steps for micro in step]
    assert sorted(np.concatenate(micros)) == list(range(len(lengths)))
    assert len(steps) == steps_per_epoch(len(lengths), batch_size=batch_size, accumulation=accumulation)
    assert all(sum(map(len, step)) <= batch_size * accumulation for step in steps)
    for micro in micros:
        assert len(micro) == 1 or len(micro) * max(lengths[row] for row in micro) <= budget


@given(lengths_N, budgets, sizes)
def test_forward_batches_hold_every_row_once(lengths: list[int], budget: int, rows: int) -> None:
    batches = by_length(lengths, max_tokens=budget, max_rows=rows)
    assert sorted(np.concatenate(batches)) == list(range(len(lengths)))
    assert all(len(batch) <= rows for batch in batches)
    assert lengths[batches[0][0]] == max(lengths)


def flat(steps: list[list[np.ndarray]]) -> list[list[int]]:
    return [micro.tolist() for step in steps for micro in step]


def test_seed_and_epoch_alone_decide() -> None:
    lengths = np.random.default_rng(0).integers(4, 60, 200)
    first = flat(plan(lengths, batch_size=8, seed=1, epoch=0))
    assert flat(plan(lengths, batch_size=8, seed=1, epoch=0)) == first
    assert flat(plan(lengths, batch_size=8, seed=1, epoch=1)) != first
    assert flat(plan(lengths, batch_size=8, seed=2, epoch=0)) != first


def test_few_batches_are_dealt_anew_each_epoch() -> None:
    epochs = [plan(np.arange(64), batch_size=8, seed=0, epoch=epoch) for epoch in range(2)]
    first, second = ({frozenset(micro.tolist()) for step in steps for micro in step} for steps in epochs)
    assert first != second


def test_batches_go_from_long_to_short_within_a_mega_batch() -> None:
    lengths = np.random.default_rng(0).integers(1, 500, 800)
    tops = [int(lengths[micro].max()) for (micro,) in plan(lengths, batch_size=8, max_tokens=10**6)]
    # 100 batches: mega-batches are a quarter of them.
    quarters = [tops[start : start + 25] for start in range(0, 100, 25)]
    assert all(quarter == sorted(quarter, reverse=True) for quarter in quarters)
    assert tops != sorted(tops, reverse=True)


def test_like_lengths_share_a_batch() -> None:
    lengths = np.random.default_rng(0).integers(4, 512, 5000)
    padded = sum(len(micro) * lengths[micro].max() for step in plan(lengths, batch_size=32, max_tokens=10**6)
                 for micro in step)
    assert padded < 1.1 * lengths.sum()
