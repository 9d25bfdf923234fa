"""A query with the passages to be ordered for it, and what a bundle that orders them says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, overload

DIGITS = 6
"""Decimals of a score in JSON."""


@dataclass(frozen=True, slots=True)
class Candidates(Sequence[str]):
    """A query and the passages that another search found for it; as a sequence, the query and then each of them."""

    query: str
    passages: tuple[str, ...]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Return the query with each passage."""
        return [(self.query, passage) for passage in self.passages]

    def __len__(self) -> int:
        """Return the number of texts."""
        return 1 + len(self.passages)

    @overload
    def __getitem__(self, place: int) -> str: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[str]: ...

    def __getitem__(self, place: int | slice) -> str | Sequence[str]:
        """Return the query, a passage, or several of these."""
        return (self.query, *self.passages)[place]


@dataclass(frozen=True, slots=True)
class Relevance:
    """How well a passage answers a query."""

    score: float
    """In [0, 1]. Compare it with that of other passages of the same query: it is no probability."""
    truncated: bool = False
    """True when the model did not see the end of the query or of the passage."""

    KEYS: ClassVar = ("score", "truncated")
    """Of ``to_dict``."""
    COLUMNS: ClassVar = KEYS
    """Of ``to_cells``."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Return none: a number is no label."""
        return ()

    @property
    def label(self) -> str:
        """Return nothing: where relevant begins is for the caller to say."""
        return ""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form that the server, ``luthier predict`` and the report share."""
        return {"score": round(self.score, DIGITS), "truncated": self.truncated}

    to_cells = to_dict


@dataclass(frozen=True, slots=True)
class Ranked:
    """One passage in its place."""

    index: int
    """Which of the passages that came it is, from 0."""
    score: float
    """As that of a ``Relevance``."""


@dataclass(frozen=True, slots=True)
class Reranked:
    """The passages of a query in their new order."""

    results: tuple[Ranked, ...]
    """Every passage, the best first; of equal ones the one that came first."""
    truncated: bool = False
    """True when the model did not see the end of the query or of a passage."""

    KEYS: ClassVar = ("results", "truncated")
    """Of ``to_dict``."""
    COLUMNS: ClassVar = KEYS
    """Of ``to_cells``."""

    @classmethod
    def of(cls, scored: Sequence[Relevance]) -> Reranked:
        """Order passages by their scores, given in the order in which they came."""
        order = sorted(range(len(scored)), key=lambda index: -scored[index].score)
        return cls(tuple(Ranked(index, scored[index].score) for index in order), any(one.truncated for one in scored))

    @property
    def labels(self) -> tuple[str, ...]:
        """Return none: an order is no label."""
        return ()

    @property
    def label(self) -> str:
        """Return the order in one line."""
        return " ".join(str(one.index) for one in self.results)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form, in the words that servers of re-ranking models share."""
        found = [{"index": one.index, "relevance_score": round(one.score, DIGITS)} for one in self.results]
        return {"results": found, "truncated": self.truncated}

    to_cells = to_dict
