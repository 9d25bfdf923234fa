"""How alike two texts are, as a number: learned as the order of cosines. Unasked, such files are read as regression."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from luthier.data import names as roles
from luthier.data.cells import numbers
from luthier.data.columns.texts import find_texts
from luthier.data.kind import ONLY_ASKED
from luthier.data.kinds.regression import (
    described,
    divided,
    example,
    from_memory,
    hashed,
    label_names,
    lines,
    normal,
    remarks,
    sampled,
    settled,
    target,
    unlearnable,
)
from luthier.data.layout_values import Layout, Seen
from luthier.data.split import NONE_LEFT
from luthier.errors import DataError
from luthier.schema import Example, LabelSet, ProblemType

__all__ = ["NONE_LEFT", "OWN_INPUT", "PROBLEM", "REPEATED", "SURENESS", "TASK", "check", "described", "divided",
           "example", "find", "from_memory", "hashed", "label_names", "label_set", "lines", "normal", "remarks",
           "sampled", "settled", "target", "unlearnable"]

PROBLEM: ProblemType = "similarity"
TASK = "similarity"
SURENESS = ONLY_ASKED
OWN_INPUT = False
_CLASSES = 4
"""Of inference: entailment, neutral, contradiction, and none."""
REPEATED = ("different scores", "averaged to one a pair")


def find(seen: Seen, task: str | None, *, labelled: bool) -> Layout | None:
    """Take files of pairs with a column of numbers, where texts shall be compared."""
    columns = seen.columns
    if task != TASK or not labelled or not (columns.text_b or roles.named_pair(seen.present)):
        return None
    scores = [column for column in seen.present if not roles.numbers_rows(column)
              and numbers.numbers_in(seen.rows, column, share=numbers.MOST)]
    score = columns.label or roles.named(scores, (*roles.LABEL_NAMES, *roles.NUMBER_NAMES))
    if score is None and len(scores) > 1:
        raise DataError(f"{seen.path}: several columns of numbers may tell how alike the texts are: "
                        f"{roles.shown(scores)}", "name one: --label COLUMN")
    score = score or next(iter(scores), None)
    if score is None or roles.plain(score) not in map(roles.plain, scores):
        return None
    if columns.label is None:
        _refuse_classes(seen, score)
    layout = find_texts(replace(seen, columns=replace(columns, label=score)), task, labelled=True, numeric=True)
    note = f"similarity: column {layout.label!r} tells how alike {layout.text!r} and {layout.text_b!r} are"
    return replace(layout, problem_type=PROBLEM, notes=(*layout.notes, note))


def _refuse_classes(seen: Seen, score: str) -> None:
    """Refuse the numbers of the classes of inference, which have no order.

    Raises:
        DataError: premises and hypotheses stand beside whole numbers.
    """
    listed = {roles.plain(column) for column in seen.present}
    found = numbers.numbers_in(seen.rows, score, share=numbers.MOST) or []
    if {"premise", "hypothesis"} <= listed and numbers.whole(found) and len(set(found)) <= _CLASSES:
        raise DataError(f"{seen.path}: column {score!r} seems to number classes, which tell no degree of similarity",
                        f"learn them with --task text-classification, or name the column: --label {score}")


def check(split: str, rows: Sequence[Example]) -> None:
    """Refuse rows that are no pairs, or have no finite number."""
    numbers.values_of(rows)
    bare = [row.id for row in rows if row.text_b is None]
    if bare:
        raise DataError(f"{split}: {len(bare)} rows are no pairs of texts, such as {', '.join(bare[:3])}",
                        "name the second text: --text-b COLUMN")


def label_set(names: tuple[str, ...], rows: Sequence[Example]) -> LabelSet:
    """Return the name of the score; refuse scores that are all the same, which have no order."""
    numbers.scale_of(rows)
    return LabelSet(names, PROBLEM)
