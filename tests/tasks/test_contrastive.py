"""The losses of whole batches against plain loops over rows."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.tasks._contrastive import cosent_loss, in_batch_loss
from luthier.tasks._ranking import NEGATIVE, POSITIVE, QUERY

torch = pytest.importorskip("torch")


def unit(rows: int, seed: int) -> torch.Tensor:
    torch.manual_seed(seed)
    return torch.nn.functional.normalize(torch.randn(rows, 6), dim=-1)


def dealt(random: np.random.Generator, rows: int, texts: int) -> np.ndarray:
    """Make targets of rows with one or two positives and up to two negatives, of few texts, so that many are equal."""
    found = []
    for row in range(rows):
        kinds = [QUERY, *[POSITIVE] * int(random.integers(1, 3)), *[NEGATIVE] * int(random.integers(0, 3))]
        found += [[row, kind, int(random.integers(0, texts)) + 100 * (kind == QUERY)] for kind in kinds]
    return np.array(found)


def plain_in_batch(vectors: torch.Tensor, rows: np.ndarray, scale: float, *, symmetric: bool) -> list[float]:
    queries = [place for place, row in enumerate(rows) if row[1] == QUERY]
    passages = [place for place, row in enumerate(rows) if row[1] != QUERY]

    def belongs(query: int, passage: int) -> bool:
        return any(rows[other, 1] == POSITIVE and rows[other, 2] == rows[passage, 2]
                   and rows[queries[rows[other, 0]], 2] == rows[query, 2] for other in passages)

    def score(query: int, passage: int) -> float:
        return scale * float(vectors[query] @ vectors[passage])

    found = []
    for query in queries:
        losses = []
        for passage in (one for one in passages if rows[one, 0] == rows[query, 0] and rows[one, 1] == POSITIVE):
            own = math.exp(score(query, passage))
            others = sum(math.exp(score(query, one)) for one in passages if not belongs(query, one))
            loss = -math.log(own / (own + others))
            if symmetric:
                others = sum(math.exp(score(one, passage)) for one in queries if not belongs(one, passage))
                loss = (loss - math.log(own / (own + others))) / 2
            losses.append(loss)
        found.append(sum(losses) / len(losses))
    return found


@given(st.integers(1, 7), st.integers(2, 12), st.booleans(), st.integers(0, 2**31))
def test_what_belongs_to_a_query_is_no_negative(rows: int, texts: int, symmetric: bool, seed: int) -> None:
    targets = dealt(np.random.default_rng(seed), rows, texts)
    vectors = unit(len(targets), seed)
    found = in_batch_loss(vectors, torch.from_numpy(targets), scale=5.0, symmetric=symmetric)
    assert found.tolist() == pytest.approx(plain_in_batch(vectors, targets, 5.0, symmetric=symmetric), abs=1e-4)


def test_the_same_passage_twice_is_no_negative() -> None:
    one = torch.eye(3)
    vectors = torch.stack([one[0], one[0], one[1], one[0]])  # the second row's passage equals the first row's
    same = torch.tensor([[0, QUERY, 0], [0, POSITIVE, 1], [1, QUERY, 2], [1, POSITIVE, 1]])
    other = same.clone()
    other[3, 2] = 3
    assert in_batch_loss(vectors, same, scale=20.0, symmetric=False)[0].item() == pytest.approx(0.0, abs=1e-6)
    assert in_batch_loss(vectors, other, scale=20.0, symmetric=False)[0].item() == pytest.approx(math.log(2))


@pytest.mark.parametrize("symmetric", [False, True])
def test_a_batch_of_one_row_asks_for_nothing(symmetric: bool) -> None:
    vectors = unit(2, 0).requires_grad_()
    loss = in_batch_loss(vectors, torch.tensor([[0, QUERY, 0], [0, POSITIVE, 1]]), scale=20.0, symmetric=symmetric)
    loss.sum().backward()
    assert loss.tolist() == pytest.approx([0.0], abs=1e-6)
    assert torch.isfinite(vectors.grad).all()


def test_gradients_stay_finite_at_any_scale() -> None:
    vectors = unit(8, 1).requires_grad_()
    targets = torch.from_numpy(dealt(np.random.default_rng(3), 2, 9))
    loss = in_batch_loss(vectors[: len(targets)], targets, scale=1000.0, symmetric=True)
    loss.mean().backward()
    assert torch.isfinite(loss).all()
    assert torch.isfinite(vectors.grad).all()


@given(st.integers(1, 9), st.integers(0, 2**31))
def test_cosent_is_what_its_formula_says(rows: int, seed: int) -> None:
    values = np.random.default_rng(seed).integers(0, 4, rows).astype(np.float32)
    vectors = unit(2 * rows, seed)
    cosines = (vectors[::2] * vectors[1::2]).sum(-1).tolist()
    expected = math.log(1 + sum(math.exp(5 * (cosines[i] - cosines[j])) for i in range(rows) for j in range(rows)
                                if values[j] > values[i]))
    found = cosent_loss(vectors, torch.from_numpy(np.repeat(values, 2)), scale=5.0)
    assert found.tolist() == pytest.approx([expected] * rows, abs=1e-4)
