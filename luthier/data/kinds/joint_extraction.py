"""Labelled stretches of a text, such as names of people and places, and the relations between them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from luthier.data import clean, split
from luthier.data.cells.labels import natural_order
from luthier.data.cells.texts import text_cell, texts_in_memory, tokens_of_row
from luthier.data.cells.triples import linked, spoken
from luthier.data.clean import Found, Splits
from luthier.data.columns.joint import PROBLEM, TRIPLES, find_triples
from luthier.data.counting import LEAST_ROWS, by_split, counts_line
from luthier.data.kind import BY_KEYS
from luthier.data.layout_values import Layout
from luthier.data.report import DataReport
from luthier.data.rows import Record
from luthier.errors import DataError
from luthier.schema import Example, LabelSet

__all__ = ["NONE_LEFT", "OWN_INPUT", "PROBLEM", "REPEATED", "SURENESS", "TASK", "check", "described", "divided",
           "example", "find", "from_memory", "hashed", "label_names", "label_set", "lines", "normal", "remarks",
           "sampled", "settled", "target", "unlearnable"]

TASK = TRIPLES
SURENESS = BY_KEYS
OWN_INPUT = False
REPEATED = ("contradictory entities or relations", "left out")
NONE_LEFT = split.NONE_LEFT

find = find_triples
normal = clean.texts_as_they_came
sampled = split.sample
divided = split.stratified


def example(record: Record, layout: Layout, name: str) -> Example:
    """Make an example of a text, which stays as it came, or is joined from its tokens, its spans and relations."""
    values, places = record.values, None
    if layout.tokens is not None:
        text, places = tokens_of_row(values, layout.tokens, layout.glue)
    else:
        text = text_cell(values, layout.text)
    if layout.label is None:
        return Example(name, text)
    relations = values.get(layout.label)
    found = (linked(text, values.get(layout.more["entities"]), relations, places, by_place="by place" in layout.more)
             if layout.more else spoken(text, relations))
    return Example(name, text, spans=found.spans, triples=found.triples)


def from_memory(row: Any, label: Any, name: str, *, labelled: bool) -> Example:
    """Make an example of a text with its entities, ``(text, entities)``, and its relations; or of a text, and of an
    object with ``entities`` and ``relations``."""
    fix = 'give (text, entities) and a list of relations, or a text and {"entities": […], "relations": […]}'
    text, entities, relations = row, None, label
    if isinstance(row, tuple | list) and len(row) == 2 and not isinstance(row[1], str):
        text, entities = row
    elif isinstance(label, Mapping):
        entities, relations = label.get("entities"), label.get("relations")
    if not isinstance(text, str):
        text, _ = texts_in_memory(text)
    if not labelled:
        return Example(name, text)
    try:
        found = linked(text, entities, relations)
    except ValueError as error:
        raise DataError(str(error), fix) from None
    return Example(name, text, spans=found.spans, triples=found.triples)


def unlearnable(_row: Example) -> None:
    """Learn from every row."""


def check(split: str, rows: Sequence[Example]) -> None:
    """Refuse rows in which nobody looked for entities and relations."""
    bare = [row.id for row in rows if row.spans is None or row.triples is None]
    if bare:
        raise DataError(f"{split}: in {len(bare)} rows no entities and relations are marked, such as "
                        f"{', '.join(bare[:3])}", "give every row both lists, empty where there are none")


def target(row: Example) -> Hashable:
    """Return the spans and the relations in their order."""
    return tuple(sorted(row.spans or ())), tuple(sorted(row.triples or ()))


def settled(splits: Splits, found: Found, *, drop: bool) -> Splits:
    """Set aside all rows of a text with different spans or relations."""
    return clean.consistent(splits, target, _in_one_line, found, drop=drop)


def label_names(rows: Sequence[Example], _called: str) -> tuple[str, ...]:
    """Return the types of the entities, then the relations; refuse rows without any relation."""
    if not any(row.triples for row in rows):
        raise DataError(f"no relation is marked in {len(rows):,} rows; there is nothing to learn but entities",
                        "give rows with relations, or take --task named-entities")
    return (*natural_order({span.label for row in rows for span in row.spans or ()}), *_relations(rows))


def label_set(_names: tuple[str, ...], rows: Sequence[Example]) -> LabelSet:
    """Return the relations as a label set, with the types of the entities.

    Raises:
        DataError: the rows that are learned from have no relation.
    """
    if not any(row.triples for row in rows):
        raise DataError("no relation is marked in the rows of train", "give more rows with relations")
    return LabelSet(_relations(rows), PROBLEM,
                    types=natural_order({span.label for row in rows for span in row.spans or ()}))


def hashed(row: Example) -> list[object]:
    """Return the spans and the relations as they stand in the row."""
    spans = row.spans or ()
    places = {span: number for number, span in reversed(tuple(enumerate(spans)))}
    return [[[span.start, span.end, span.label] for span in spans],
            [[places[one.subject], places[one.object], one.label] for one in row.triples or ()]]


def remarks(splits: Splits, labels: LabelSet) -> list[str]:
    """Name types and relations that hardly anything can be learned of."""
    counts = {"entities": _entity_counts(splits["train"], labels), "triples": _triple_counts(splits["train"], labels)}
    few = {what: [name for name, count in each.items() if count < LEAST_ROWS] for what, each in counts.items()}
    return [f"{len(names)} label(s) have fewer than {LEAST_ROWS} {what} to learn from: "
            + ", ".join(map(repr, names[:10])) for what, names in few.items() if names]


def described(splits: Splits, labels: LabelSet) -> dict[str, Any]:
    """Count relations and entities, and the rows without any entity."""
    counts = {name: _triple_counts(rows, labels) for name, rows in splits.items()}
    present = [count for count in counts["train"].values() if count]
    return {"label_counts": counts, "imbalance": round(max(present) / min(present), 3) if present else 0.0,
            "entity_counts": {name: _entity_counts(rows, labels) for name, rows in splits.items()},
            "without_entities": {name: sum(not row.spans for row in rows) for name, rows in splits.items()}}


def lines(report: DataReport) -> list[str]:
    """Tell the commonest relations and types, and the rows without entities."""
    types = report.entity_counts.get("train", {})
    told = [counts_line(report, "relations, triples in train"),
            f"{len(types)} entity types, entities in train: "
            + ", ".join(f"{name} {count:,}" for name, count in list(types.items())[:10])
            + (f" and {len(types) - 10} more" if len(types) > 10 else "")]
    if any(report.without_entities.values()):
        told.append(f"rows without entities: {by_split(report.without_entities)}")
    return told


def _relations(rows: Sequence[Example]) -> tuple[str, ...]:
    return natural_order({one.label for row in rows for one in row.triples or ()})


def _triple_counts(rows: Sequence[Example], labels: LabelSet) -> dict[str, int]:
    counts = Counter(one.label for row in rows for one in row.triples or ())
    return {name: counts[name] for name in labels.names}


def _entity_counts(rows: Sequence[Example], labels: LabelSet) -> dict[str, int]:
    counts = Counter(span.label for row in rows for span in row.spans or ())
    return {name: counts[name] for name in labels.types}


def _in_one_line(row: Example) -> str:
    said = [f"{one.subject.start}-{one.subject.end} {one.label} {one.object.start}-{one.object.end}"
            for one in row.triples or ()]
    return "; ".join([*(f"{span.label} {span.start}-{span.end}" for span in row.spans or ()), *said]) or "-"
