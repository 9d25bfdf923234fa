"""The simple finder of entities: a dictionary of those in the training rows, the longest match first.

It is the baseline of the CoNLL-2003 shared task (Tjong Kim Sang and De Meulder, "Introduction to the CoNLL-2003 Shared
Task", 2003, section 2.6), made a little stricter: a string that the training texts use for something else more often
than not ("May", "Union") is left out. Where training entities overlap, all matches count and not the longest only.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from luthier.data.cells.spans import overlapping as count_overlapping
from luthier.errors import DataError
from luthier.evaluation.entities import gold_spans
from luthier.schema import Entities, Entity, Example, LabelSet, TextInput, parts
from luthier.text import units

Term = tuple[str, ...]
"""The words of a string, as they are written."""

_LEAST_SHARE = 0.5
"""Share of a string's matches in the training texts that are entities, from which it is kept."""


@dataclass(frozen=True, slots=True)
class Dictionary:
    """Strings that are entities; ``predict`` marks them like a bundle's predictor."""

    terms: Mapping[Term, Sequence[tuple[str, float]]]
    """Words -> their commonest type, or where entities overlap all that are common enough; each with the share of the
    matches in the training texts that are entities of it."""
    lengths: Mapping[str, tuple[int, ...]]
    """First word -> the lengths of the terms that it begins, in words, the longest first."""
    overlapping: bool
    """Whether entities may share words."""

    def predict(self, texts: Sequence[TextInput]) -> list[Entities]:
        """Return the entities of each of N texts (of the first of a pair); nothing is ever truncated."""
        return [self._entities(parts(text)[0]) for text in texts]

    def _entities(self, text: str) -> Entities:
        matches = _matches(text, self.terms, self.lengths, overlapping=self.overlapping)
        return Entities(tuple(Entity(label, score, text[start:end], start, end)
                              for start, end, term in matches for label, score in self.terms[term]))


def learn_dictionary(train: Sequence[Example], labels: LabelSet) -> Dictionary:
    """Collect the entities of the training rows.

    A string is kept when at least half of its matches in the training texts are entities. Matches are those that the
    dictionary itself would make, so that "China" within "Bank of China" counts neither for nor against "China".
    Entities that do not begin and end at the bounds of words (``luthier.text.units``) cannot be looked up.

    Args:
        train: rows with spans.
        labels: the types in order; the earlier one wins where two are as common.

    Raises:
        DataError: there are no rows, or one has no spans.
    """
    if not train:
        raise DataError("the dictionary of the training entities needs train rows, got none", "give more rows")
    gold = gold_spans(train, labels)
    types: dict[Term, Counter[str]] = defaultdict(Counter)
    for example, spans in zip(train, gold, strict=True):
        words = units(example.text)
        begins, ends = ({word[side]: number for number, word in enumerate(words)} for side in (0, 1))
        for span in spans:
            if span.start in begins and span.end in ends:
                inside = words[begins[span.start]:ends[span.end] + 1]
                types[_term(example.text, inside)][span.label] += 1
    lengths, shared = _lengths(types), any(count_overlapping(sorted(spans)) for spans in gold)
    seen: Counter[Term] = Counter()
    hits: dict[Term, Counter[str]] = defaultdict(Counter)
    for example, spans in zip(train, gold, strict=True):
        bounds = defaultdict(list)
        for span in spans:
            bounds[span.start, span.end].append(span.label)
        for start, end, term in _matches(example.text, types, lengths, overlapping=shared):
            seen[term] += 1
            hits[term].update(bounds.get((start, end), ()))
    terms = {}
    for term, counted in hits.items():
        kept = _kept(counted, seen[term], labels, overlapping=shared)
        if kept:
            terms[term] = [(label, counted[label] / seen[term]) for label in kept]
    return Dictionary(terms, _lengths(terms), shared)


def _kept(counted: Counter[str], seen: int, labels: LabelSet, *, overlapping: bool) -> list[str]:
    """Return the types that a string is given: none where most matches are no entities."""
    ranked = sorted(counted, key=lambda name: (-counted[name], labels.index(name)))
    if overlapping:
        return [label for label in ranked if counted[label] >= _LEAST_SHARE * seen]
    return ranked[:1] if counted.total() >= _LEAST_SHARE * seen else []


def _matches(
    text: str, terms: Mapping[Term, object], lengths: Mapping[str, tuple[int, ...]], *, overlapping: bool
) -> Iterator[tuple[int, int, Term]]:
    """Yield start, end and words of the terms in a text, from its left, the longest first; none overlaps another
    unless that is asked for."""
    words = units(text)
    strings = _term(text, words)
    place = 0
    while place < len(words):
        step = 1
        for length in lengths.get(strings[place], ()):
            term = strings[place:place + length]
            if len(term) == length and term in terms:
                yield words[place][0], words[place + length - 1][1], term
                if not overlapping:
                    step = length
                    break
        place += step


def _term(text: str, words: Sequence[tuple[int, int]]) -> Term:
    return tuple(text[start:end] for start, end in words)


def _lengths(terms: Mapping[Term, object]) -> dict[str, tuple[int, ...]]:
    found: dict[str, set[int]] = defaultdict(set)
    for term in terms:
        found[term[0]].add(len(term))
    return {first: tuple(sorted(every, reverse=True)) for first, every in found.items()}
