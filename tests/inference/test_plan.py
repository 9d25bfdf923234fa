from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from luthier.inference.batching import OVERHEAD_TOKENS, plan

lengths = st.lists(st.integers(1, 600), max_size=120).map(lambda values: np.asarray(values, np.int64))


@given(lengths=lengths, max_tokens=st.integers(1, 2000))
def test_every_row_stands_in_exactly_one_batch_within_the_limit(lengths, max_tokens):
    batches = plan(lengths, max_tokens=max_tokens)
    assert sorted(np.concatenate([np.empty(0, np.int64), *batches]).tolist()) == list(range(len(lengths)))
    for rows in batches:
        assert len(rows) > 0
        assert len(rows) == 1 or len(rows) * lengths[rows].max() <= max_tokens


@given(lengths=lengths)
def test_no_batch_holds_a_longer_row_than_the_one_before(lengths):
    longest = [int(lengths[rows].max()) for rows in plan(lengths, max_tokens=2048)]
    assert longest == sorted(longest, reverse=True)


def test_like_lengths_share_a_batch_and_a_far_longer_one_does_not():
    batches = plan(np.asarray([10, 500, 11, 10, 12], np.int64), max_tokens=2048)
    assert [sorted(rows.tolist()) for rows in batches] == [[1], [0, 2, 3, 4]]


def test_one_step_of_padding_costs_less_than_a_call():
    # 64 short rows are padded to 11 tokens rather than computed in two calls: OVERHEAD_TOKENS is the break-even.
    longer = 10 + OVERHEAD_TOKENS // 32 + 1
    assert len(plan(np.asarray([10] * 32 + [11] * 32, np.int64), max_tokens=2048)) == 1
    assert len(plan(np.asarray([10] * 32 + [longer] * 32, np.int64), max_tokens=2048)) == 2
