"""Windows pooled to texts: the same in numpy and in torch, a plain loop's numbers, and nothing for short texts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.models.encoding import Ragged
from luthier.tasks import Pooling, pooled, pooled_tensor, shares

SIZES = st.lists(st.integers(1, 5), min_size=1, max_size=8)


def windows(sizes: list[int], seed: int) -> tuple[Ragged, np.ndarray]:
    random, count = np.random.default_rng(seed), sum(sizes)
    ragged = Ragged([[1]] * count, None, random.random(count) < 0.3, owners=np.repeat(np.arange(len(sizes)), sizes),
                    fresh=random.integers(1, 60, count))
    return ragged, random.normal(size=(count, 3)).astype(np.float32)


@given(SIZES, st.integers(0, 2**31), st.sampled_from(["mean", "max"]))
def test_pooling_is_what_a_plain_loop_gives(sizes: list[int], seed: int, how: Pooling) -> None:
    ragged, logits = windows(sizes, seed)
    assert ragged.owners is not None
    assert ragged.fresh is not None
    for text, row in enumerate(pooled(logits, ragged, how)):
        mine = ragged.owners == text
        mean = np.average(logits[mine].astype(np.float64), axis=0, weights=ragged.fresh[mine])
        np.testing.assert_allclose(row, mean if how == "mean" else logits[mine].max(axis=0), atol=1e-5)


@pytest.mark.slow
@given(SIZES, st.integers(0, 2**31), st.sampled_from(["mean", "max"]))
def test_the_loss_pools_as_the_answer_does(sizes: list[int], seed: int, how: Pooling) -> None:
    import torch

    ragged, logits = windows(sizes, seed)
    given = torch.from_numpy(logits).requires_grad_()
    found = pooled_tensor(given, np.array(sizes), shares(ragged), how)
    np.testing.assert_allclose(found.detach().numpy(), pooled(logits, ragged, how), atol=1e-5)
    found.sum().backward()
    assert given.grad is not None
    np.testing.assert_allclose(given.grad.sum(), 3 * len(sizes), rtol=1e-4)  # each text's windows share a gradient of 1


@pytest.mark.parametrize("how", ["mean", "max"])
def test_texts_in_one_window_are_left_as_they_are(how: Pooling) -> None:
    ragged, logits = windows([1, 1, 1], 0)
    assert pooled(logits, ragged, how) is logits
    assert shares(ragged).tolist() == [1, 1, 1]
    mixed, numbers = windows([1, 3], 0)
    assert (pooled(numbers, mixed, how)[0] == numbers[0]).all()
