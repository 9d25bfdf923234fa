"""How often each label stands in the rows, for the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from luthier.data.clean import Splits
from luthier.schema import Example, LabelSet

if TYPE_CHECKING:
    from luthier.data.report import DataReport

LEAST_ROWS = 10
"""Fewer rows than this can be neither learned from nor scored."""


def counted(splits: Splits, labels: LabelSet) -> dict[str, Any]:
    """Return the label counts of each split and the imbalance in train, as fields of the ``DataReport``."""
    counts = {name: _counts(rows, labels) for name, rows in splits.items()}
    present = [count for count in counts["train"].values() if count]
    return {"label_counts": counts, "imbalance": round(max(present) / min(present), 3) if present else 0.0}


def rare(splits: Splits, labels: LabelSet, counted: str = "rows") -> list[str]:
    """Name the labels that hardly anything can be learned of; ``counted`` says what carries them."""
    few = [name for name, count in _counts(splits["train"], labels).items() if count < LEAST_ROWS]
    if not few:
        return []
    return [f"{len(few)} label(s) have fewer than {LEAST_ROWS} {counted} to learn from: "
            + ", ".join(repr(name) for name in few[:10])]


def levels_told(labels: LabelSet) -> list[str]:
    """Say that labels are read as paths, if they are."""
    if labels.path_separator is None:
        return []
    deepest = max(labels.names, key=lambda name: name.count(str(labels.path_separator)))
    return [f"labels are paths with {labels.path_separator!r} between up to "
            f"{deepest.count(labels.path_separator) + 1} levels, such as {deepest!r}: each level has its score"]


def counts_line(report: DataReport, what: str) -> str:
    """Return the commonest labels in one line; ``what`` is said of their number."""
    counts = report.label_counts.get("train", {})
    shown = ", ".join(f"{name} {count:,}" for name, count in list(counts.items())[:10])
    more = f" and {len(counts) - 10} more" if len(counts) > 10 else ""
    return f"{len(counts)} {what}: {shown}{more}; imbalance {report.imbalance:.1f} to 1"


def by_split(counts: dict[str, int]) -> str:
    """Return a number for each split in one line."""
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())


def _counts(rows: Sequence[Example], labels: LabelSet) -> dict[str, int]:
    counts = Counter(label for row in rows for label in row.label_names)
    return {name: counts[name] for name in labels.names}
