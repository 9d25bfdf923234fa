"""Rules and warpers against transformers' logits processors, and draws against their probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from luthier.inference.generation import Decoding, Marks
from luthier.inference.generation.rules import Rules, candidates, draw, penalise, without_repeats

ROWS, VOCABULARY = 40, 30


@pytest.fixture
def scores() -> torch.Tensor:
    return torch.randn((ROWS, VOCABULARY), generator=torch.Generator().manual_seed(0)) * 3


@pytest.fixture
def history() -> torch.Tensor:
    return torch.randint(0, 6, (ROWS, 14), generator=torch.Generator().manual_seed(1))


@pytest.fixture
def real(history: torch.Tensor) -> torch.Tensor:
    """Padded on the left, by as much as ten tokens."""
    return torch.arange(14) >= torch.arange(ROWS)[:, None] % 11


@pytest.mark.parametrize("penalty", [1.3, 0.7])
def test_repetition_is_penalised_as_in_transformers(scores: torch.Tensor, history: torch.Tensor, penalty: float,
                                                    ) -> None:
    from transformers import RepetitionPenaltyLogitsProcessor

    wanted = RepetitionPenaltyLogitsProcessor(penalty)(history, scores.clone())
    assert torch.equal(penalise(scores, history, None, penalty), wanted)


@pytest.mark.parametrize("size", [1, 2, 3, 15])
def test_repeated_runs_are_barred_as_in_transformers(scores: torch.Tensor, history: torch.Tensor, size: int) -> None:
    from transformers import NoRepeatNGramLogitsProcessor

    wanted = NoRepeatNGramLogitsProcessor(size)(history, scores.clone())
    assert torch.equal(without_repeats(scores, history, None, size), wanted)


@pytest.mark.parametrize("rule", [lambda *given: penalise(*given, 1.5), lambda *given: without_repeats(*given, 2),
                                  lambda *given: without_repeats(*given, 1)])
def test_rules_do_not_see_padding(rule: Any, scores: torch.Tensor, history: torch.Tensor, real: torch.Tensor) -> None:
    got = rule(scores, history, real)
    for row in range(ROWS):
        alone = rule(scores[row:row + 1], history[row:row + 1, real[row]], None)
        assert torch.equal(got[row:row + 1], alone)


def test_ends_are_barred_while_they_must_be_and_other_tokens_always(scores: torch.Tensor, history: torch.Tensor,
                                                                    ) -> None:
    rules = Rules(Decoding(min_new_tokens=3), Marks((2, 5), 0, (), (7,)))
    assert set(rules.apply(scores, history, None, 2).isinf().nonzero()[:, 1].tolist()) == {2, 5, 7}
    assert set(rules.apply(scores, history, None, 3).isinf().nonzero()[:, 1].tolist()) == {7}
    assert not scores.isinf().any()


@pytest.mark.parametrize(("temperature", "top_k", "top_p"), [
    (1.0, 0, 1.0), (0.5, 0, 1.0), (1.0, 4, 1.0), (1.0, 0, 0.6), (2.0, 8, 0.8), (1.0, 99, 0.95), (1.0, 1, 1.0),
])
def test_probabilities_are_those_behind_transformers_warpers(
    scores: torch.Tensor, temperature: float, top_k: int, top_p: float,
) -> None:
    from transformers import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

    none: Any = torch.zeros((ROWS, 1), dtype=torch.long)
    wanted = TemperatureLogitsWarper(temperature)(none, scores)
    wanted = TopKLogitsWarper(top_k)(none, wanted) if top_k else wanted
    wanted = TopPLogitsWarper(top_p)(none, wanted) if top_p < 1 else wanted
    decoding = Decoding(do_sample=True, temperature=temperature, top_k=top_k, top_p=top_p)
    ids, shares = candidates(scores, decoding)
    got = torch.zeros((ROWS, VOCABULARY), dtype=torch.float64).scatter(1, ids, shares)
    assert torch.allclose(got, wanted.double().softmax(1), atol=1e-6)
    assert torch.equal(got > 0, wanted.softmax(1) > 0)


def test_draws_fall_by_their_probabilities(scores: torch.Tensor) -> None:
    decoding = Decoding(do_sample=True, top_k=6, top_p=0.9)
    ids, shares = candidates(scores[:1], decoding)
    count = 20_000
    # Evenly spread numbers must be met exactly, but for rounding at the borders.
    even = (torch.arange(count, dtype=torch.float64) + 0.5) / count
    drawn = draw(scores[:1].expand(count, -1), decoding, even)
    counts = np.bincount(drawn.numpy(), minlength=VOCABULARY)
    assert np.abs(counts[ids[0]] / count - shares[0].numpy()).max() < 1.5 / count
    assert counts.sum() == counts[ids[0, shares[0] > 0]].sum()


def test_the_highest_number_draws_the_last_token_that_has_a_share(scores: torch.Tensor) -> None:
    decoding = Decoding(do_sample=True, top_k=0, top_p=0.5)
    ids, shares = candidates(scores, decoding)
    last = ids.gather(1, (shares > 0).sum(1, keepdim=True) - 1)[:, 0]
    assert torch.equal(draw(scores, decoding, torch.full((ROWS,), 1.0, dtype=torch.float64)), last)
