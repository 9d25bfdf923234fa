"""The search that comes first: TF-IDF over all passages of the rows, through scikit-learn.

It is what a re-ranking model is given to order, in evaluation and for the wrong passages that it learns from. Rare
n-grams are counted in the passages that are searched, as search engines do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from luthier.evaluation.tfidf import make_vectorizer
from luthier.plugins import require
from luthier.schema import Example, Passages
from luthier.tasks import blocks
from luthier.text import dominant_language


def corpus(examples: Sequence[Example]) -> list[str]:
    """Return each different passage of the rows, right or wrong, sorted: no order of theirs tells which are right."""
    return sorted({text for row in examples if row.passages
                   for text in (*row.passages.positive, *row.passages.negative)})


def candidates(examples: Sequence[Example], depth: int) -> list[tuple[str, ...]]:
    """Return up to ``depth`` passages for each query, the likeliest first; none that shares no n-gram with it.

    Args:
        examples: N queries with their passages.
        depth: most passages; 0 for a query's own alone, right and wrong, all of them.

    Raises:
        MissingExtraError: scikit-learn is not installed.
    """
    passages = corpus(examples)
    if not passages:
        return [() for _ in examples]
    require("sklearn")
    from sklearn.preprocessing import normalize

    # All n-grams, also those of one passage alone: they find it.
    vectorizer = make_vectorizer(dominant_language(passages).code, rows=0)
    known = normalize(vectorizer.fit_transform(passages)).T.tocsr()
    queries = normalize(vectorizer.transform([row.text for row in examples]))
    numbers = {text: place for place, text in enumerate(passages)}
    found = []
    for start, stop in blocks(len(examples), len(passages)):
        for scores, row in zip((queries[start:stop] @ known).toarray(), examples[start:stop], strict=True):
            places = _best(scores, depth) if depth else _own(scores, row, numbers)
            found.append(tuple(passages[place] for place in places))
    return found


def _own(scores: Any, row: Example, numbers: dict[str, int]) -> list[int]:
    """Return the places of a query's own passages, those with the highest of (P,) scores first."""
    own = row.passages or Passages(())
    places = sorted({numbers[text] for text in (*own.positive, *own.negative)})
    return sorted(places, key=lambda place: -float(scores[place]))


def _best(scores: Any, depth: int) -> list[int]:
    """Return the places of the highest of (P,) scores above 0, the highest first; of equal ones the first."""
    least = np.partition(scores, -depth)[-depth] if depth < len(scores) else 0.0
    near = np.flatnonzero((scores >= least) & (scores > 0))
    places: list[int] = near[np.argsort(-scores[near], kind="stable")][:depth].tolist()
    return places
