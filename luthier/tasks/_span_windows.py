"""Spans found in windows, put together as the entities of whole texts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from luthier.models.encoding import Ragged
from luthier.schema import Bool, Entities, Entity, Int64, LabelSet, TextInput, parts
from luthier.tasks._pairs import Found
from luthier.tasks._windows import cut_texts, whole_texts
from luthier.tasks._words import widened


def joined(found: Sequence[Found], ragged: Ragged, texts: Sequence[TextInput], labels: LabelSet, *,
           most: int | None, whole_words: bool) -> list[Entities]:
    """Return the entities of N texts, by first character and the longest first.

    A span that several windows hold counts as the one in which it stands furthest from the edge has it.

    Args:
        found: the spans of each of W windows.
        ragged: the W windows, with offsets.
        texts: the N texts as they came.
        labels: K types.
        most: most characters of an entity.
        whole_words: whether spans are widened until they cut no word; what is one then has the best score.
    """
    names = [parts(text)[0] for text in texts]
    best: list[dict[tuple[int, int, int], float]] = [{} for _ in texts]
    for owner, places, windows in whole_texts(ragged):
        text, entities = names[owner], best[owner]
        for number, (row, own, part) in enumerate(windows):
            spans = found[row].spans
            first, last = (np.searchsorted(own, spans[:, side]) + part.start for side in (0, 1))
            near = [other for *_, other in windows[max(0, number - 1):number + 2]]
            for one in np.flatnonzero(_furthest_in(first, last, near, min(number, 1), len(places))).tolist():
                start, end = int(places[first[one], 0]), int(places[first[one]:last[one] + 1, 1].max())
                if end - start > (most or len(text)):
                    continue
                start, end = widened(text, start, end) if whole_words else (start, end)
                key = start, -end, int(spans[one, 2])
                entities[key] = max(entities.get(key, -np.inf), float(found[row].scores[one]))
    return [Entities(tuple(
        Entity(labels.names[kind], float(1 / (1 + np.exp(-score))), text[start:-end], start, -end)
        for (start, end, kind), score in sorted(entities.items())), cut)
        for text, entities, cut in zip(names, best, cut_texts(ragged, len(texts)).tolist(), strict=True)]


def _furthest_in(first: Int64, last: Int64, windows: Sequence[slice], own: int, tokens: int) -> Bool:
    """Return for each span of one of up to three neighbouring windows whether it stands further from an edge than in
    the others, (E,) bool.

    Args:
        first: (E,) first tokens, counted in the whole text.
        last: (E,) last tokens.
        windows: where the neighbours stand in the text, in their order.
        own: which of them the spans are from.
        tokens: of the whole text, whose ends are no edges.
    """
    away = []
    for part in windows:
        left = first - part.start if part.start else np.full(len(first), tokens)
        right = part.stop - 1 - last if part.stop < tokens else np.full(len(first), tokens)
        away.append(np.where((first >= part.start) & (last < part.stop), np.minimum(left, right), -1))
    keep = np.ones(len(first), np.bool_)
    for number, other in enumerate(away):
        if number != own:
            keep &= away[own] > other if number < own else away[own] >= other
    return keep
