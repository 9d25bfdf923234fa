"""The simple finder of triples: a dictionary of the training entities, and one relation for each pair of types."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from luthier.evaluation.dictionary import Dictionary, learn_dictionary
from luthier.evaluation.triples import types_of
from luthier.schema import Example, Extraction, FoundRelation, LabelSet, Span, TextInput, parts
from luthier.tasks import Bounds, farthest, most_between, pairs_of

Types = tuple[str, str]
"""The type of a subject and that of an object."""

_MOST_PAIRS = 1000
"""Pairs of one text at most, the nearest: as of the task."""


@dataclass(frozen=True, slots=True)
class PairTypes:
    """Entities by a dictionary, relations by the types of their ends; ``predict`` answers like a bundle's predictor."""

    entities: Dictionary
    relations: Mapping[Types, tuple[str, float]]
    """Types -> the relation that is told, and its share of the pairs of such entities in the training rows."""
    bounds: Bounds

    def predict(self, texts: Sequence[TextInput]) -> list[Extraction]:
        """Return entities and relations of each of N texts; nothing is ever truncated."""
        return [self._told(parts(text)[0], Extraction(row.entities))
                for text, row in zip(texts, self.entities.predict(texts), strict=True)]

    def _told(self, text: str, row: Extraction) -> Extraction:
        pairs, _ = pairs_of(text, [one.span for one in row.entities], self.bounds)
        found = [(one, other, self.relations[row.entities[one].entity_group, row.entities[other].entity_group])
                 for one, other in pairs]
        return Extraction(row.entities, tuple(FoundRelation(label, share, one, other)
                                              for one, other, (label, share) in found))


def learn_pair_types(train: Sequence[Example], labels: LabelSet) -> PairTypes:
    """Collect the entities of the training rows, and the commonest relation of each pair of types.

    The pairs of types that carry it most often are told, as many of them as give the best F1 on the training pairs.
    """
    anywhere = Bounds(None, farthest(train), _MOST_PAIRS, most_between(train))
    seen: Counter[Types] = Counter()
    labelled: dict[Types, Counter[str]] = {}
    for row in train:
        spans = sorted(row.spans or ())
        seen.update((spans[one].label, spans[other].label) for one, other in pairs_of(row.text, spans, anywhere)[0])
        for one in row.triples or ():
            labelled.setdefault(_types(one.subject, one.object), Counter())[one.label] += 1
    told = {types: _commonest(counts, labels, seen[types]) for types, counts in labelled.items()}
    kept = _best_together(told, seen, sum(len(row.triples or ()) for row in train))
    bounds = replace(anywhere, types=frozenset(kept))
    return PairTypes(learn_dictionary(train, types_of(labels)), {types: told[types] for types in kept}, bounds)


def _types(one: Span, other: Span) -> Types:
    return one.label, other.label


def _commonest(counts: Counter[str], labels: LabelSet, pairs: int) -> tuple[str, float]:
    name = min(counts, key=lambda label: (-counts[label], labels.index(label)))
    return name, min(1.0, counts[name] / max(pairs, 1))


def _best_together(told: Mapping[Types, tuple[str, float]], seen: Counter[Types], triples: int) -> list[Types]:
    """Return the pairs of types, those of the highest shares first, that give the best F1 together."""
    order = sorted(told, key=lambda types: (-told[types][1], types))
    best, kept, right, given = 0.0, 0, 0.0, 0
    for number, types in enumerate(order, start=1):
        right += told[types][1] * seen[types]
        given += seen[types]
        if (f1 := 2 * right / max(given + triples, 1)) > best:
            best, kept = f1, number
    return order[:kept]
