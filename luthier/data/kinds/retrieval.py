"""Queries with passages that belong to them, and perhaps such that do not: pairs, triplets, questions and answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from luthier.data import both_ways, clean, split
from luthier.data.cells.texts import text_cell, texts_in_memory
from luthier.data.clean import Found, Splits
from luthier.data.columns.passages import find_passages, joined, passages_of
from luthier.data.columns.texts import check_distinct
from luthier.data.kind import BY_KEYS
from luthier.data.layout_values import Layout, Seen
from luthier.data.report import DataReport
from luthier.data.rows import Record
from luthier.data.split import Division
from luthier.errors import DataError
from luthier.schema import Example, LabelSet, Passages, ProblemType
from luthier.text import normalize
from luthier.text.normalize import Form

PROBLEM: ProblemType = "retrieval"
TASK = "similarity"
SURENESS = BY_KEYS
OWN_INPUT = False
REPEATED = ("other passages", "joined to one row a query")
NONE_LEFT = ("no row is left for {name}: equal queries stay together",
             "give more different queries, or a file for it: --{name} FILE")

RELEVANT = "relevant"
"""What a passage is to its query; the one name of the label set."""
_SMALL = 100
"""Passages below which finding the right one says little."""

sampled = split.sample


def find(seen: Seen, task: str | None, *, labelled: bool) -> Layout | None:
    """Take files with columns of queries and passages: by names that only they have, or where texts are compared."""
    if task not in (None, TASK) or not labelled:
        return None
    found = find_passages(seen, asked=task == TASK)
    if found is None:
        if task is None:
            return None
        raise DataError(f"{seen.path}: found no columns of queries and passages, nor pairs with a score, among "
                        f"{', '.join(map(repr, seen.present[:20]))}",
                        "name them: --text QUERY --label PASSAGE, or for pairs --text ONE --text-b OTHER --label SCORE")
    return layout_of(seen, found, TASK)


def layout_of(seen: Seen, found: tuple[str, str, tuple[str, ...]], task: str) -> Layout:
    """Return the layout of a file whose columns of queries, passages and negatives are found.

    Raises:
        DataError: one column is named for two of them.
    """
    query, passage, negatives = found
    check_distinct(seen.path, {"text": query, "label": passage})
    beside = f", {', '.join(map(repr, negatives))} what does not" if negatives else ""
    note = f"{task}: column {query!r} asks, {passage!r} holds what shall be found{beside}"
    return Layout(path=seen.path, reader="", encoding=None, text=query, text_b=None, label=passage,
                  label_separator=None, notes=(*seen.notes, note), problem_type=PROBLEM,
                  more={f"negative {number}": column for number, column in enumerate(negatives)})


def example(record: Record, layout: Layout, name: str) -> Example:
    """Make an example of a query and its passages."""
    query = text_cell(record.values, layout.text)
    if layout.label is None:
        return Example(name, query)
    negatives = [record.values.get(column) for column in layout.more.values()]
    try:
        return Example(name, query, passages=passages_of(record.values.get(layout.label), negatives))
    except ValueError as error:
        raise ValueError(f"{layout.label!r}: {error}") from None


def from_memory(row: Any, label: Any, name: str, *, labelled: bool) -> Example:
    """Make an example of a query and ``Passages``, a passage or a list of them."""
    query, other = texts_in_memory(row)
    fix = "give queries, and for each a passage, a list of passages, or Passages(positive, negative)"
    if other is not None:
        raise DataError("expected one query, came a pair of texts", fix)
    if not labelled or isinstance(label, Passages):
        return Example(name, query, passages=label if labelled else None)
    try:
        return Example(name, query, passages=passages_of(label, ()))
    except ValueError as error:
        raise DataError(str(error), fix) from None


def unlearnable(_row: Example) -> None:
    """Learn from every row."""


def check(split: str, rows: Sequence[Example]) -> None:
    """Refuse rows to which no passage belongs."""
    bare = [row.id for row in rows if row.passages is None or not row.passages.positive]
    if bare:
        raise DataError(f"{split}: {len(bare)} rows have no passage that belongs to the query, such as "
                        f"{', '.join(bare[:3])}", "give every row one, or leave it out")


def normal(row: Example, form: Form) -> Example | None:
    """Return the row with query and passages in their normal form; ``None`` without a query or a right passage."""
    found = clean.normal_texts(row, form)
    if found is None or row.passages is None:
        return found
    graded = [(text, grade) for one, grade in zip(row.passages.positive, row.passages.relevance, strict=True)
              if (text := normalize(one, form)).strip()]
    if not graded:
        return None
    positive, grades = zip(*graded, strict=True)
    negative = tuple(text for one in row.passages.negative if (text := normalize(one, form)).strip())
    passages = Passages(positive, negative, grades if row.passages.grades else ())
    return found if passages == row.passages else replace(found, passages=passages)


def target(row: Example) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the passages in one order."""
    own = row.passages or Passages(())
    return tuple(sorted(own.positive)), tuple(sorted(own.negative))


def settled(splits: Splits, found: Found, *, drop: bool) -> Splits:
    """Join the rows of one query to one with all of its passages, in the place of the first."""
    result: Splits = {}
    for name, rows in splits.items():
        several = clean.contradictory(name, rows, target, _told, found)
        first = {texts: same[0].id for texts, same in several.items()}
        result[name] = rows if not drop else [
            joined(several[clean.texts_of(row)]) if clean.texts_of(row) in several else row
            for row in rows if first.get(clean.texts_of(row), row.id) == row.id]
    return result


def scored_together(rows: Sequence[Example]) -> tuple[list[Example], list[str]]:
    """Return one row for each query: one that stands in three rows counts once, as where it is learned."""
    same: dict[str, list[Example]] = {}
    for row in rows:
        same.setdefault(row.text, []).append(row)
    return [joined(own) if own[1:] else own[0] for own in same.values()], []


def divided(rows: Sequence[Example], shares: Mapping[str, float], seed: int) -> Division:
    """Split the rows, nearly equal queries together, and rows in which a query is the passage of another.

    A passage that is no query may belong to queries of several splits.
    """
    return split.stratified(rows, shares, seed, ties=both_ways.ties(rows, _positive))


def leaking(early: Sequence[Example], late: Sequence[Example], _found: Found) -> list[bool]:
    """Tell which early rows have a late row's query, or its pair of query and passage the other way round."""
    return both_ways.leaking(early, late, _positive)


def label_names(_rows: Sequence[Example], _called: str) -> tuple[str, ...]:
    """Return what a passage is to its query."""
    return (RELEVANT,)


def label_set(names: tuple[str, ...], _rows: Sequence[Example]) -> LabelSet:
    """Return the one name as a label set."""
    return LabelSet(names, PROBLEM)


def hashed(row: Example) -> list[object]:
    """Return the passages as they stand in the row."""
    return [] if row.passages is None else [list(row.passages.positive), list(row.passages.negative)]


def remarks(splits: Splits, _labels: LabelSet) -> list[str]:
    """Tell where queries are looked for among few passages."""
    count = _counts(splits["test"])["passages"]
    return [] if count >= _SMALL else [
        f"test queries look for theirs among {count} passages only: among more, fewer will be found"]


def described(splits: Splits, _labels: LabelSet) -> dict[str, Any]:
    """Count queries, passages and those that do not belong to the query they came with."""
    return {"passages": {name: _counts(rows) for name, rows in splits.items()}}


def lines(report: DataReport) -> list[str]:
    """Tell these counts."""
    told = (f"{name} {one['queries']:,} queries, {one['passages']:,} passages" for name, one in report.passages.items())
    given = report.passages.get("train", {}).get("negatives", 0)
    return [f"{'; '.join(told)}" + (f"; {given:,} given negatives to learn from" if given else "")]


def _positive(row: Example) -> tuple[str, ...]:
    return row.passages.positive if row.passages else ()


def _counts(rows: Sequence[Example]) -> dict[str, int]:
    every = [row.passages for row in rows if row.passages]
    wrong = [text for one in every for text in one.negative]
    return {"queries": len(rows), "passages": len({*wrong, *(text for one in every for text in one.positive)}),
            "negatives": len(wrong)}


def _told(row: Example) -> str:
    own = row.passages or Passages(())
    return f"{len(own.positive)} passages, {len(own.negative)} negatives"
