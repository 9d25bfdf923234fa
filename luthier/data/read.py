"""Read examples from a file whose layout is known, or from lists in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from luthier import plugins
from luthier.data.cells.annotations import unfolded
from luthier.data.cells.labels import label_name
from luthier.data.kind import PLAIN, kind_of
from luthier.data.layout import SEAM, Columns, Layout, inspect
from luthier.data.rows import BadRow, Reader, Record
from luthier.errors import DataError
from luthier.schema import Example, ProblemType

__all__ = ["Columns", "Layout", "from_arrays", "inspect", "label_name", "read", "read_all", "read_with_cells"]

_NOT_ACCEPTED = ("reject", "ignore")
"""What Prodigy's annotators say of rows whose labels are not right."""
_SHOWN = 5
"""Bad rows listed in an error."""


def read(layout: Layout, *, on_bad: Callable[[BadRow], None]) -> Iterator[Example]:
    """Yield the examples of a file lazily; ids are ``<file name>:<line>``.

    Args:
        layout: from ``inspect``.
        on_bad: called with each row that cannot be used, in the order of the file.
    """
    return (example for example, _ in read_with_cells(layout, on_bad=on_bad))


def read_with_cells(layout: Layout, *, on_bad: Callable[[BadRow], None]) -> Iterator[tuple[Example, dict[str, Any]]]:
    """Yield the examples as ``read`` does, each with all cells of its row: column name -> cell, in the file's order."""
    reader: Any = plugins.load(SEAM, layout.reader)
    return _examples(reader, layout, on_bad)


def read_all(layout: Layout, *, max_bad_rows: int, learning: bool = False) -> tuple[list[Example], list[BadRow]]:
    """Read a whole file; return the examples and the rows that could not be used.

    Args:
        layout: from ``inspect``.
        max_bad_rows: most of the rows that could not be used.
        learning: leave rows out that can be scored and not learned from, such as questions whose answers do not stand
            in their contexts.

    Raises:
        DataError: more than ``max_bad_rows`` rows are bad, or no row is left.
    """
    bad: list[BadRow] = []

    def note(row: BadRow) -> None:
        bad.append(row)
        if len(bad) > max_bad_rows:
            raise DataError(f"{layout.path}: more than {max_bad_rows} bad rows:\n{_listed(bad)}",
                            f"mend them, or allow more: data.max_bad_rows={max(1000, 10 * max_bad_rows)}")

    examples, kind = [], kind_of(layout.problem_type or PLAIN)
    for example in read(layout, on_bad=note):
        why = kind.unlearnable(example) if learning else None
        if why is None:
            examples.append(example)
        else:
            note(BadRow(int(example.id.rpartition(":")[2]), why))
    if not examples:
        problem = f"{layout.path}: no row can be used" + (f":\n{_listed(bad)}" if bad else "")
        raise DataError(problem, "check that the columns are the right ones: --text COLUMN --label COLUMN")
    return examples, bad


def from_arrays(texts: Sequence[Any], labels: Sequence[Any] | None, *, name: str = "memory",
                problem_type: ProblemType | None = None) -> list[Example]:
    """Return examples from texts (or pairs of texts) and labels in memory; ids are ``<name>:<position from 1>``.

    Args:
        texts: N strings, or N pairs of strings; lists, arrays and data frame columns will do. For
            ``relation_classification`` N ``Marked`` texts, their JSON forms, or triples of a text, its head and tail.
        labels: N labels of any type, N lists of labels, or ``None``. For ``token_classification`` N lists of entities:
            ``(start, end, label)``, objects with these keys, or ``Span``, counted in code points; for
            ``question_answering``, whose texts are pairs of question and context, N lists of answers.
        name: what the ids begin with.
        problem_type: needed for ``token_classification``, ``question_answering``, ``relation_classification`` and
            ``regression`` (N numbers); else told from the labels.

    Raises:
        DataError: a text is no string, a label is missing, an entity lies outside its text, or the lengths differ.
    """
    if isinstance(texts, str):
        raise DataError("expected a list of texts, came one string", "put it in a list: [text]")
    rows = list(texts)
    given = [None] * len(rows) if labels is None else list(labels)
    if len(given) != len(rows):
        raise DataError(f"{len(rows)} texts came with {len(given)} labels",
                        "give one label (or list of labels) for each text")
    kind = kind_of(problem_type or PLAIN)
    examples = []
    for number, (row, label) in enumerate(zip(rows, given, strict=True), start=1):
        try:
            examples.append(kind.from_memory(row, label, f"{name}:{number}", labelled=labels is not None))
        except DataError as error:
            raise DataError(f"row {number}: {error.problem}", error.fix) from None
    return examples


def _examples(
    reader: Reader, layout: Layout, on_bad: Callable[[BadRow], None]
) -> Iterator[tuple[Example, dict[str, Any]]]:
    kind = kind_of(layout.problem_type or PLAIN)
    for row in reader.records(layout.path, layout.encoding):
        if isinstance(row, BadRow):
            on_bad(row)
            continue
        row = Record(row.line, unfolded(row.values))
        if layout.label is not None and "_input_hash" in row.values and row.values.get("answer") in _NOT_ACCEPTED:
            on_bad(BadRow(row.line, f"its annotator said {row.values['answer']!r} to it in Prodigy"))
            continue
        try:
            example = kind.example(row, layout, f"{layout.path.name}:{row.line}")
        except ValueError as error:
            on_bad(BadRow(row.line, str(error)))
            continue
        yield example, row.values


def _listed(bad: Sequence[BadRow]) -> str:
    shown = "\n".join(f"  line {row.line}: {row.reason}" for row in bad[:_SHOWN])
    return shown + (f"\n  … and {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else "")
