"""The simplest language model: how common each token is in the training documents, whatever stands around it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Protocol

from luthier.errors import DataError
from luthier.schema import Dataset, Likelihood, TextInput, parts

Tokens = Sequence[Hashable]
Reads = Callable[[Sequence[str]], Sequence[Tokens]]


class Vocabulary(Protocol):
    """What cuts documents into tokens, as a model sees them."""

    def tokens(self, texts: Sequence[str]) -> Sequence[Tokens]:
        """Return all tokens of N documents."""

    def asked(self, texts: Sequence[str]) -> Sequence[Tokens]:
        """Return the tokens of N documents whose likelihood is asked."""


@dataclass(frozen=True, slots=True)
class TokenFrequencies:
    """A fitted baseline that weighs documents like a bundle's predictor."""

    counts: Counter[Hashable]
    asked: Reads

    def predict(self, texts: Sequence[TextInput]) -> list[Likelihood]:
        """Return how likely each of N documents is: each token by its share, what is new counted as seen once."""
        total = math.log(self.counts.total() + 1)
        common = max(self.counts, key=lambda token: self.counts[token])

        def weighed(tokens: Tokens) -> Likelihood:
            logs = sum(math.log(max(self.counts[token], 1)) - total for token in tokens)
            return Likelihood(logs, len(tokens), sum(token == common for token in tokens))

        return [weighed(tokens) for tokens in self.asked(["\n".join(parts(text)) for text in texts])]


def fit_token_frequencies(dataset: Dataset, vocabulary: Vocabulary | None) -> TokenFrequencies:
    """Count the tokens of the training documents.

    Args:
        dataset: prepared documents.
        vocabulary: cuts them; by characters when left out.

    Raises:
        DataError: there are no train rows.
    """
    tokens: Reads = vocabulary.tokens if vocabulary else lambda texts: texts
    counts = Counter(token for row in tokens([row.text for row in dataset.train]) for token in row)
    if not counts:
        raise DataError("the baseline needs train documents, got none", "give more documents")
    return TokenFrequencies(counts, vocabulary.asked if vocabulary else lambda texts: texts)
