"""Ordering what a search has found: the passages of a corpus, or any others, by a model that reads them."""

from __future__ import annotations

from collections.abc import Sequence

from luthier.errors import DataError
from luthier.inference.predictor import Predictor
from luthier.inference.search import Hit
from luthier.schema import Candidates, Reranked


def rerank(predictor: Predictor, query: str, passages: Sequence[str | Hit], k: int | None = None) -> list[Hit]:
    """Return passages in the order of how well they answer a query, the best first; of equal ones the first.

    Args:
        predictor: an opened bundle of the task re-ranking.
        query: what is asked.
        passages: texts, or what ``Corpus.search`` found, which keep their numbers in the corpus.
        k: how many of them; all when left out.

    Returns:
        Up to ``k`` hits. ``score`` is the model's, in [0, 1]; ``number`` the place of a text in ``passages``.

    Raises:
        DataError: the bundle does not order passages, or something else than a list of texts came.
        ValueError: ``k`` is below 1.
    """
    if k is not None and k < 1:
        raise ValueError(f"k must be 1 or more, got {k}")
    if not predictor.labels.of_candidates:
        raise DataError(f"{predictor.name} does not order passages", "tune one with --task re-ranking")
    if isinstance(passages, str):
        raise DataError("passages is one text, expected a list of them", "put it into a list")
    given = [one if isinstance(one, Hit) else Hit(number, 0.0, one) for number, one in enumerate(passages)]
    (answer,) = predictor.predict([Candidates(query, tuple(one.text for one in given))])
    assert isinstance(answer, Reranked)  # noqa: S101 - what such bundles answer
    return [Hit(given[one.index].number, one.score, given[one.index].text) for one in answer.results[:k]]
