"""The DataReport: what was read, what was left out and why, and what is in each split."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from luthier.data.clean import Contradiction
from luthier.data.kind import kind_of
from luthier.data.rows import BadRow
from luthier.schema import ProblemType

_BAD_KEPT = 100
"""Bad rows told with their reasons; all are counted."""
_REASONS = 5
"""Reasons named in a line, the commonest."""
_VARYING = re.compile(r"'[^']*'|\"[^\"]*\"|\d+")
"""What a reason says of its own row alone."""


@dataclass(frozen=True)
class DataReport:
    """Everything *prepare* did to the rows. ``to_dict`` is its JSON form, without the split ids."""

    rows_read: dict[str, int]
    """Split or file given (``train``, ``valid``, ``test``) -> rows that were readable."""
    multi_label: bool
    normalize: str
    """Unicode form given to the texts."""
    normalized: int
    """Rows whose text was changed by that."""
    deduplicated: bool
    """Whether duplicates, contradictions and leaks were left out, or only counted."""
    empty: int
    """Rows without text, left out."""
    duplicates: int
    """Rows that repeat an earlier row of their split, text and labels or spans."""
    contradictory_texts: int
    """Texts that came with different labels."""
    contradictory_rows: int
    """Rows of these texts, set aside; those with numbers become one row a text, with their mean."""
    contradictions: tuple[Contradiction, ...]
    """The first 100 of them."""
    near_duplicate_groups: int
    """Groups of rows that differ only in case, width, punctuation and spaces; each stands in one split."""
    near_duplicate_rows: int
    """Rows in these groups."""
    leaks: dict[str, int]
    """``train in test`` and so on -> rows of the first that nearly equal a row of the second, left out."""
    split_sizes: dict[str, int]
    """Split -> rows in the end."""
    label_counts: dict[str, dict[str, int]]
    """Split -> label -> rows (of spans: entities), the labels in their order."""
    imbalance: float
    """Rows (entities) of the commonest label for each row of the rarest, in train."""
    language: str
    """Code of the language that prevails: zh, en, mixed or other."""
    scripts: dict[str, float]
    """Script -> share of the words."""
    lengths: dict[str, int]
    """Quantile of the text length -> characters (both texts of a pair together)."""
    content_hash: str
    """sha256 over the kept rows in split order."""
    notes: tuple[str, ...] = ()
    """What else a person should know, in sentences."""
    bad_rows: int = 0
    """Rows that could not be read."""
    bad_examples: tuple[dict[str, Any], ...] = ()
    """The first 100 of them: file, line, reason."""
    bad_reasons: dict[str, int] = field(default_factory=dict)
    """Reason, with ``…`` for what differs from row to row -> rows that could not be read for it, the most first."""
    split_ids: dict[str, list[str]] = field(default_factory=dict, repr=False, compare=False)
    """Split -> ids of its rows; stored as ``splits.json``."""
    problem_type: ProblemType = "single_label_classification"
    """What the labels are given to."""
    without_entities: dict[str, int] = field(default_factory=dict)
    """Split -> rows in which no entity is marked; empty where the labels are not those of spans."""
    entity_counts: dict[str, dict[str, int]] = field(default_factory=dict)
    """Split -> type -> entities, where the labels are those of relations between them; else empty."""
    overlapping: int = 0
    """Entities that begin within an earlier one, over all splits."""
    values: dict[str, dict[str, float]] = field(default_factory=dict)
    """Split -> minimum, mean, maximum and standard deviation of its numbers; empty where the labels are no numbers."""
    passages: dict[str, dict[str, int]] = field(default_factory=dict)
    """Split -> its ``queries``, different ``passages`` and given ``negatives``; empty where nothing is looked for."""
    unanswerable: dict[str, int] = field(default_factory=dict)
    """Split -> questions that their contexts answer not; empty where the rows are no questions."""
    targets: dict[str, dict[str, float]] = field(default_factory=dict)
    """Split -> least, mean and most characters of the texts to be written (``min``, ``mean``, ``max``), how many there
    are (``count``) and for how many rows (``rows``); empty where no texts are to be written."""

    @property
    def rows(self) -> int:
        """Return the rows kept, over all splits."""
        return sum(self.split_sizes.values())

    def with_bad_rows(self, bad: Mapping[str, list[BadRow]]) -> DataReport:
        """Return the report with the rows that could not be read, by the name of their file."""
        told = [{"file": file, "line": row.line, "reason": row.reason} for file, rows in bad.items() for row in rows]
        reasons = Counter(_VARYING.sub("…", row.reason) for rows in bad.values() for row in rows)
        return replace(self, bad_rows=len(told), bad_examples=tuple(told[:_BAD_KEPT]),
                       bad_reasons=dict(reasons.most_common(_BAD_KEPT)))

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; ``split_ids`` is left out, for it is stored by itself."""
        values = asdict(self)
        del values["split_ids"]
        values["contradictions"] = [{**one, "ids": list(one["ids"]), "labels": list(one["labels"])}
                                    for one in values["contradictions"]]
        return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}

    def lines(self) -> list[str]:
        """Return a short summary for a terminal, one fact a line."""
        sizes = ", ".join(f"{name} {size:,}" for name, size in self.split_sizes.items())
        lines = [f"{sum(self.rows_read.values()):,} rows read, {self.rows:,} kept: {sizes}"]
        if self.bad_rows:
            first = self.bad_examples[0]
            lines.append(f"{self.bad_rows:,} unreadable rows left out, the first at {first['file']}:{first['line']}: "
                         f"{first['reason']}")
            if len(self.bad_reasons) > 1:
                lines.append("of these: " + "; ".join(f"{count:,} {reason}" for reason, count in
                                                      list(self.bad_reasons.items())[:_REASONS]))
        lines.extend(self._dropped())
        lines.extend(kind_of(self.problem_type).lines(self))
        lines.append(f"language {self.language}; length in characters: "
                     + ", ".join(f"{name} {value:,}" for name, value in self.lengths.items()))
        return lines + list(self.notes)

    def _dropped(self) -> list[str]:
        done = "left out" if self.deduplicated else "kept, as asked"
        lines = [f"{self.empty:,} empty rows left out"] if self.empty else []
        if self.duplicates:
            lines.append(f"{self.duplicates:,} exact duplicates {done}")
        if self.contradictory_texts:
            what, fate = kind_of(self.problem_type).REPEATED
            lines.append(f"{self.contradictory_texts:,} texts with {what}: {self.contradictory_rows:,} rows "
                         f"{fate if self.deduplicated else done}")
        lines.extend(f"{count:,} rows of {where.replace(' in ', ' stand in ')} too: {done}"
                     for where, count in self.leaks.items() if count)
        if self.near_duplicate_groups:
            kept = getattr(kind_of(self.problem_type), "NEAR", ", each kept within one split")
            together = kept if self.deduplicated else ""
            lines.append(f"{self.near_duplicate_groups:,} groups of near-duplicates "
                         f"({self.near_duplicate_rows:,} rows){together}")
        return lines
