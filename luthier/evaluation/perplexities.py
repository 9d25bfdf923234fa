"""Judging language models by how likely they find documents: perplexity, and bits by character and byte."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from luthier.errors import DataError
from luthier.evaluation.likelihoods import MOST, PERPLEXITY
from luthier.evaluation.outcomes import Array, Keys, RowOutcomes
from luthier.evaluation.scores import Judged, Scores
from luthier.schema import Answer, Bool, Document, Example, Float32, Int64, Likelihood, TextInput

ACCURACY = "accuracy"
BITS_CHARACTER, BITS_BYTE = "bits_per_character", "bits_per_byte"
_LOG, _TOKENS, _RIGHT, _CHARACTERS, _BYTES = range(5)


@dataclass(frozen=True, slots=True)
class Perplexities:
    """What N documents score."""

    sums: Array
    """(N, 5) float64: log probability of the tokens asked for, natural; how many these are; how many of them were the
    likeliest; characters and bytes of UTF-8 of the document."""
    whole: bool
    """Whether all tokens of a document were asked for, so that a character has a number of bits."""

    def __len__(self) -> int:
        """Return N."""
        return len(self.sums)

    @property
    def right(self) -> Bool:
        """Return (N,) bool: each token that was asked for was the likeliest."""
        return np.asarray(self.sums[:, _RIGHT] == self.sums[:, _TOKENS])

    @property
    def keys(self) -> Keys:
        """Return the sums of each row as bytes, (N, bytes) uint8: equal where rows have equal outcomes."""
        return np.ascontiguousarray(self.sums).view(np.uint8)

    def metrics(self, times: Array, rows: Int64) -> dict[str, Array]:
        """Return each metric for each of R resamples, (R,).

        ``perplexity`` is e to the mean negative log probability of a token (Jelinek et al., 1977), ``accuracy`` the
        share of tokens that were the likeliest at their place.

        Args:
            times: (R, G) float64, how often each of G documents is drawn; whole numbers.
            rows: (G,) int64, which documents these are.
        """
        sums = times @ self.sums[rows]
        tokens = np.maximum(sums[:, _TOKENS], 1)
        found = {PERPLEXITY: np.exp(np.minimum(-sums[:, _LOG] / tokens, MOST)), ACCURACY: sums[:, _RIGHT] / tokens}
        if self.whole:
            bits = -sums[:, _LOG] / np.log(2)
            found |= {BITS_CHARACTER: bits / np.maximum(sums[:, _CHARACTERS], 1),
                      BITS_BYTE: bits / np.maximum(sums[:, _BYTES], 1)}
        return found

    def same_truth(self, other: RowOutcomes) -> bool:
        """Return whether the same documents were asked for, in the same order, with as many tokens each."""
        asked = [_TOKENS, _CHARACTERS, _BYTES]
        return isinstance(other, Perplexities) and np.array_equal(self.sums[:, asked], other.sums[:, asked])


def documents_of(examples: Sequence[Example]) -> list[TextInput]:
    """Return what a language model is asked of the examples.

    Raises:
        DataError: one is a pair of texts.
    """
    for example in examples:
        if example.text_b is not None:
            raise DataError(f"{example.id}: expected a document, came a pair of texts", "join the two to one text")
    return [Document(example.text) for example in examples]


def judge_likelihoods(answers: Sequence[Answer], examples: Sequence[Example], *, whole: bool) -> Judged:
    """Sum up how likely N documents were found.

    Args:
        answers: a ``Likelihood`` for each document.
        examples: the N documents.
        whole: whether all tokens of a document were asked for.

    Raises:
        DataError: too few answers, or of another kind; no token was asked for.
    """
    given = [answer for answer in answers if isinstance(answer, Likelihood)]
    if len(given) != len(examples):
        raise DataError(f"the predictor answered {len(given)} of {len(examples)} documents with a likelihood",
                        "evaluate with a bundle of language modelling")
    if not any(one.tokens for one in given):
        raise DataError("no document has a token to be told", "give longer documents")
    sums = np.array([(one.log_probability, one.tokens, one.right, len(row.text),
                      len(row.text.encode("utf-8", "surrogatepass")))
                     for one, row in zip(given, examples, strict=True)], np.float64)
    outcomes = Perplexities(sums, whole)
    values = {name: float(value[0]) for name, value in
              outcomes.metrics(np.ones((1, len(sums))), np.arange(len(sums))).items()}
    return Judged(Scores(len(given), values, (), None), outcomes, _surprise(sums))


def _surprise(sums: Array) -> Float32:
    """Return the mean negative log probability of a token of each document, (N,), and 0 for those without a token."""
    return np.asarray(np.maximum(-sums[:, _LOG], 0) / np.maximum(sums[:, _TOKENS], 1), np.float32)
