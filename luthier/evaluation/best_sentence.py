"""The simple finder of answers: the sentence of the context that shares most words with the question.

The sliding window of Richardson et al. ("MCTest", 2013), a sentence at a time: each word of the question that stands in
the sentence counts by how rare it is in the context. It learns nothing and always answers.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from luthier.schema import FoundAnswer, TextInput, parts
from luthier.text import sentences, units


@dataclass(frozen=True, slots=True)
class BestSentence:
    """Answers with a sentence; ``predict`` as a bundle's predictor."""

    def predict(self, texts: Sequence[TextInput]) -> list[FoundAnswer]:
        """Return the best sentence for each of N pairs of question and context; nothing is ever truncated."""
        return [_answer(*parts(text)[:2]) for text in texts]


def _answer(question: str, context: str) -> FoundAnswer:
    places = sentences(context)
    if not places:
        return FoundAnswer("", 0.0, 0, 0)
    words = [_words(context[start:end]) for start, end in places]
    counts = Counter(word for each in words for word in each)
    wanted = _words(question)
    weights = {word: math.log(1 + 1 / counts[word]) for word in wanted if counts[word]}
    scores = [sum(weights[word] for word in each if word in weights) for each in words]
    best = max(range(len(places)), key=scores.__getitem__)
    start, end = places[best]
    total = sum(weights.get(word, math.log(2)) for word in wanted)
    return FoundAnswer(context[start:end], scores[best] / total if total else 0.0, start, end)


def _words(text: str) -> set[str]:
    return {text[start:end].casefold() for start, end in units(text)}
