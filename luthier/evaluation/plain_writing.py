"""The simple writer: the text itself, its first sentence or three, or what was written for the most similar one.

Copying is hard to beat where texts are corrected, their first sentences where they are summed up ("LEAD-1", "LEAD-3"),
and the target of the nearest training text by TF-IDF where few targets come again and again. It learns nothing else;
which of the four it does is chosen by chrF on the validation rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from luthier.errors import DataError
from luthier.evaluation.outcomes import Array
from luthier.evaluation.text_statistics import chrf, chrf_counts
from luthier.evaluation.texts import targets_of
from luthier.plugins import require
from luthier.schema import Dataset, Generated, TextInput, parts
from luthier.text import sentences

WAYS = ("nearest", "copy", "first sentence", "three sentences")
"""In the order of preference where they score alike."""

_CELLS = 20_000_000
"""Similarities held at once."""


@dataclass(frozen=True, slots=True)
class PlainWriter:
    """A fitted baseline that writes like a bundle's predictor."""

    vectorizer: Any
    features: Any
    """(G, features) sparse, the TF-IDF of the training texts."""
    targets: tuple[str, ...]
    """G texts: the first target of each training row."""
    way: str
    """One of ``WAYS``."""

    def predict(self, texts: Sequence[TextInput]) -> list[Generated]:
        """Return a text for each of N texts; nothing is ever truncated."""
        return [Generated(text, "stop") for text in self.write(texts, self.way)]

    def write(self, texts: Sequence[TextInput], way: str) -> list[str]:
        """Return what one of the ways gives for N texts."""
        sources = [_source(text) for text in texts]
        if way == "copy":
            return sources
        if way == "first sentence":
            return [_lead(source, 1) for source in sources]
        if way == "three sentences":
            return [_lead(source, 3) for source in sources]
        return [self.targets[place] for place in self._nearest(sources)]

    def _nearest(self, sources: Sequence[str]) -> list[int]:
        places: list[int] = []
        size = max(1, _CELLS // len(self.targets))
        for start in range(0, len(sources), size):
            asked = self.vectorizer.transform(sources[start:start + size])
            places.extend((asked @ self.features.T).toarray().argmax(axis=1).tolist())
        return places


def fit_plain_writer(dataset: Dataset, make_vectorizer: Callable[[int], Any]) -> PlainWriter:
    """Index the training texts, and choose on the validation rows what is written.

    Args:
        dataset: prepared rows with targets.
        make_vectorizer: gives a TF-IDF vectoriser for so many train rows.

    Raises:
        MissingExtraError: scikit-learn or sacrebleu is not installed.
        DataError: there are no train rows, or a row has no target.
    """
    require("sklearn")
    if not dataset.train:
        raise DataError("the baseline needs train rows with targets, got none", "give more rows")
    targets = tuple(texts[0] for texts in targets_of(dataset.train))
    vectorizer = make_vectorizer(len(targets))
    features = vectorizer.fit_transform([_source(row.text_input) for row in dataset.train])
    writer = PlainWriter(vectorizer, features, targets, WAYS[0])
    if not dataset.valid:
        return writer
    asked, wanted = [row.text_input for row in dataset.valid], targets_of(dataset.valid)

    def merit(way: str) -> float:
        counts: Array = chrf_counts(writer.write(asked, way), wanted).sum(axis=0, keepdims=True).astype(np.float64)
        return float(chrf(counts)[0])

    return PlainWriter(vectorizer, features, targets, max(WAYS, key=merit))


def _source(text: TextInput) -> str:
    return "\n".join(parts(text))


def _lead(text: str, count: int) -> str:
    """Return the first sentences of a text, as they stand in it."""
    places = sentences(text)[:count]
    return text[places[0][0] : places[-1][1]] if places else text
