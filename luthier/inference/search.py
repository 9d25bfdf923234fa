"""Searching a corpus: its texts embedded once, and each query compared with all of them. Exact, with NumPy alone.

A hundred thousand passages of width 384 are 150 MB, and a query against them takes some ten milliseconds; larger
corpora are for an index library, which ``Corpus.vectors`` can be given to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from luthier.errors import DataError
from luthier.inference.inputs import checked
from luthier.inference.predictor import Predictor
from luthier.schema import Embedding, Float32, Passage
from luthier.tasks import top_k


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that was found."""

    number: int
    """Its place in the corpus, from 0."""
    score: float
    """Cosine of its vector and the query's, in [-1, 1]; what ``rerank`` gives it is the model's, in [0, 1]."""
    text: str


@dataclass(frozen=True, slots=True)
class Corpus:
    """Passages and their vectors. ``Corpus.of`` makes one."""

    predictor: Predictor
    texts: tuple[str, ...] = field(repr=False)
    vectors: Float32 = field(repr=False)
    """(P, D) float32, of length 1, in the order of the texts."""

    @classmethod
    def of(cls, predictor: Predictor, texts: Sequence[str]) -> Corpus:
        """Embed P passages with an opened bundle that compares texts.

        Raises:
            DataError: the bundle gives no vectors, or something else than a text came.
        """
        if not predictor.labels.of_embeddings:
            raise DataError(f"{predictor.name} gives texts no vectors, so nothing can be searched with it",
                            "tune one with --task similarity")
        rows = tuple(map(str, checked(texts, pair=False)))
        return cls(predictor, rows, _vectors(predictor, [Passage(text) for text in rows]))

    def search(self, queries: Sequence[str], k: int = 10) -> list[list[Hit]]:
        """Return the k passages nearest to each query, the best first; of equal ones the first of the corpus.

        Raises:
            DataError: something else than a text came.
            ValueError: ``k`` is below 1.
        """
        if k < 1:
            raise ValueError(f"k must be 1 or more, got {k}")
        scores, places = top_k(_vectors(self.predictor, queries), self.vectors, k)
        return [[Hit(place, score, self.texts[place]) for place, score in zip(row, own, strict=True)]
                for row, own in zip(places.tolist(), scores.tolist(), strict=True)]


def _vectors(predictor: Predictor, texts: Sequence[str]) -> Float32:
    """Return the vectors of texts, (N, D) float32."""
    found = [answer.vector for answer in predictor.predict(texts) if isinstance(answer, Embedding)]
    if len(found) != len(texts):
        raise DataError(f"{len(texts) - len(found)} of {len(texts)} rows are pairs, and one text each is searched for",
                        "give texts, not pairs")
    return np.stack(found) if found else np.empty((0, 0), np.float32)
