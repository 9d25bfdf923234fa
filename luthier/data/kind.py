"""What a file in ``data/kinds/`` offers: everything that reading and preparing rows of one problem type needs.

A kind is a module named after its problem type. It knows its files (``find``), makes examples of their rows, checks and
settles them, names their labels and describes them. What several kinds do alike are plain functions that they import.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from luthier import plugins
from luthier.data.clean import Found, Splits
from luthier.data.layout_values import Layout, Seen
from luthier.data.rows import Record
from luthier.data.split import Division
from luthier.schema import Example, LabelSet, ProblemType
from luthier.text.normalize import Form

if TYPE_CHECKING:
    from luthier.data.report import DataReport

SEAM = "data.kinds"

ONLY_ASKED, BY_KEYS, BY_FORM, BY_VALUES, BY_NOTHING = 0, 10, 20, 30, 40
"""How surely a kind tells its files: it takes them only where its task is asked for; or by names of columns that only
it has, by the form of cells, by the values of a label, or not at all: it takes what is left. The surest is asked first,
of equals the first by name."""

PLAIN: ProblemType = "single_label_classification"
"""The kind that reads texts and pairs without labels, and labels of which nothing is said."""


class Kind(Protocol):
    """What a file in ``data/kinds/`` offers. Its name is that of the problem type.

    Functions that say of a row or a file that it cannot be used raise ``ValueError`` with the reason for one row of a
    file, which becomes a ``BadRow``, and ``DataError`` for anything else.
    """

    PROBLEM: ProblemType
    """The problem type: the file's own name."""
    TASK: str
    """The task whose files hold such rows; other tasks with such labels read the same."""
    SURENESS: int
    """When ``find`` is asked: ``ONLY_ASKED``, ``BY_KEYS``, ``BY_FORM``, ``BY_VALUES`` or ``BY_NOTHING``."""
    OWN_INPUT: bool
    """Whether rows without labels have a form of their own, such as a question with its context, and are found and
    read by this kind; else they are texts or pairs, whatever is made of them."""
    REPEATED: tuple[str, str]
    """What texts that stand more than once may differ in, and what ``settled`` does with them, in words."""
    NONE_LEFT: tuple[str, str]
    """Problem and fix where no row is left for the split ``{name}``."""

    def find(self, seen: Seen, task: str | None, *, labelled: bool) -> Layout | None:
        """Say where everything is in a file; ``None`` when the file is another kind's.

        Args:
            seen: the first rows.
            task: what the caller asked for. With ``TASK`` the file is this kind's or a fault; with another it is not
                this kind's; without, the rows must tell.
            labelled: whether labels are needed.

        Raises:
            DataError: the task was asked for and something is missing.
        """

    def example(self, record: Record, layout: Layout, name: str) -> Example:
        """Make an example of a row, unlabelled where ``layout.label`` is ``None``; ``name`` is its id.

        Raises:
            ValueError: why the row cannot be used.
        """

    def from_memory(self, row: Any, label: Any, name: str, *, labelled: bool) -> Example:
        """Make an example of a row in memory; ``name`` is its id.

        Raises:
            DataError: the row or its label cannot be used.
        """

    def unlearnable(self, row: Example, /) -> str | None:
        """Return why nothing can be learned from a row that may well be scored; ``None`` when something can."""

    def check(self, split: str, rows: Sequence[Example], /) -> None:
        """Refuse rows without the labels of this kind.

        Raises:
            DataError: says which rows lack what.
        """

    def normal(self, row: Example, form: Form, /) -> Example | None:
        """Return the row with its texts in their normal form, the same object where nothing changes; ``None`` when it
        lacks a text."""

    def target(self, row: Example, /) -> Hashable:
        """Return what the row is labelled with, in one order."""

    def settled(self, splits: Splits, found: Found, /, *, drop: bool) -> Splits:
        """Make one of the rows that have the same texts and other labels, or leave them; without ``drop`` count only.

        Counts of the report are added to ``found``.
        """

    def sampled(self, rows: Sequence[Example], size: int, seed: int, /) -> list[Example]:
        """Return ``size`` rows in their order, alike in their labels."""

    def divided(self, rows: Sequence[Example], shares: Mapping[str, float],
                seed: int, /) -> Division:
        """Split rows by the shares, those that tell each other's answers together."""

    def label_names(self, rows: Sequence[Example], called: str, /) -> tuple[str, ...]:
        """Return the names of the label set, from the train rows before they are split.

        Args:
            rows: N rows.
            called: the name of the label column.

        Raises:
            DataError: there is nothing to learn.
        """

    def label_set(self, names: tuple[str, ...], rows: Sequence[Example], /) -> LabelSet:
        """Return the label set, from the rows that are learned from.

        Raises:
            DataError: there is nothing to learn.
        """

    def hashed(self, row: Example, /) -> list[object]:
        """Return what enters the content hash beside id, texts and labels, as JSON holds it."""

    def remarks(self, splits: Splits, labels: LabelSet, /) -> list[str]:
        """Say what a person should know of the labels before trusting a score."""

    def described(self, splits: Splits, labels: LabelSet, /) -> dict[str, Any]:
        """Return the fields of the ``DataReport`` that this kind fills."""

    def lines(self, report: DataReport) -> list[str]:
        """Return what the report says of the labels, one fact a line."""


class SomeKind(Protocol):
    """The members that only some kinds have; who reads one asks first whether it is there."""

    UNLABELLED: bool
    """Whether its rows are learned from without labels."""
    NEAR: str
    """What becomes of rows that are nearly equal, in words, where ``settled`` drops them itself."""

    def task_for(self, rows: Sequence[Example], /) -> tuple[str, str] | None:
        """Return the name of the task that learns from these rows, and the reason; ``None`` where ``TASK`` will do."""

    def leaking(self, early: Sequence[Example], late: Sequence[Example], found: Found, /) -> list[bool]:
        """Return which early rows hold an answer of a late one, where not only nearly equal rows do."""

    def gathered(self, rows: Sequence[Example], /) -> tuple[list[Example], list[str]]:
        """Return labelled rows with those that are one example joined, and what was left out, in sentences."""

    def scored_together(self, rows: Sequence[Example], /) -> tuple[list[Example], list[str]]:
        """Return what labelled rows become that are scored together, and what was left out or counts as wrong, in
        sentences."""


def kind_of(problem_type: str) -> Kind:
    """Return the kind of a problem type.

    Raises:
        UnknownNameError: there is no file of that name, here or in an installed package.
    """
    module: Any = plugins.load(SEAM, problem_type)
    kind: Kind = module
    return kind


def kinds() -> list[Kind]:
    """Return all kinds in the order in which they are asked about a file: the surest first."""
    return sorted(map(kind_of, plugins.names(SEAM)), key=lambda kind: (kind.SURENESS, kind.PROBLEM))
