"""What a bundle that compares texts says: the vector of a text, or how alike two texts are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from luthier.schema.arrays import Float32

DIGITS = 7
"""Decimals of a vector in JSON: its numbers are about 0.05."""


@dataclass(frozen=True, slots=True)
class Embedding:
    """The vector of one text, of length 1: the product of two is the cosine of their texts."""

    vector: Float32 = field(repr=False)
    """(D,) float32."""
    truncated: bool = False
    """True when the model did not see the end of the text."""

    KEYS: ClassVar = ("embedding", "truncated")
    """Of ``to_dict``."""
    COLUMNS: ClassVar = KEYS
    """Of ``to_cells``."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Return none: a vector is no label."""
        return ()

    @property
    def label(self) -> str:
        """Return nothing: a vector decides nothing."""
        return ""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form that the server, ``luthier predict`` and the report share."""
        numbers = np.round(self.vector.astype(np.float64), DIGITS).tolist()
        return {"embedding": numbers, "truncated": self.truncated}

    to_cells = to_dict


@dataclass(frozen=True, slots=True)
class Similarity:
    """How alike two texts are, or how well a passage fits a query."""

    score: float
    """Cosine of their vectors, in [-1, 1]. Only its order means something: of some models all lie above 0.7."""
    truncated: bool = False
    """True when the model did not see the end of one of the texts."""

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
        """Return nothing: where alike begins is for the caller to say."""
        return ""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form that the server, ``luthier predict`` and the report share."""
        return {"score": round(self.score, 6), "truncated": self.truncated}

    to_cells = to_dict
