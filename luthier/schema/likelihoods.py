"""What language models say: how likely a text is, and what may stand at its masks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

MOST = 700.0
"""Largest number whose exponential is a float."""


@dataclass(frozen=True, slots=True)
class Likelihood:
    """How likely a model finds the tokens of a text."""

    log_probability: float
    """Sum over the tokens that were asked for, natural."""
    tokens: int
    """How many these are: all of a text, or those that were hidden in it."""
    right: int = 0
    """How many of them were the likeliest at their place."""
    truncated: bool = False
    """Never: a long text is weighed piece by piece."""

    KEYS: ClassVar = ("perplexity", "log_probability", "tokens", "truncated")
    """Of ``to_dict``."""
    COLUMNS: ClassVar = KEYS
    """Of ``to_cells``."""

    @property
    def perplexity(self) -> float:
        """Return e to the mean negative log probability of a token; 1 without any."""
        return math.exp(min(-self.log_probability / max(self.tokens, 1), MOST))

    @property
    def labels(self) -> tuple[str, ...]:
        """Return nothing; a likelihood is no label."""
        return ()

    @property
    def label(self) -> str:
        """Return the perplexity."""
        return f"{self.perplexity:.7g}"

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"perplexity": float(self.label), "log_probability": float(f"{self.log_probability:.7g}"),
                "tokens": self.tokens, "truncated": self.truncated}

    to_cells = to_dict


@dataclass(frozen=True, slots=True)
class Fill:
    """A token that may stand at a mask, in the words of a transformers pipeline."""

    sequence: str
    """The caller's text with the token in place of the mask; other masks stay."""
    score: float
    """Its probability in [0, 1]."""
    token: int
    """Its number."""
    token_str: str
    """What it spells."""


@dataclass(frozen=True, slots=True)
class Filled:
    """What may stand at the masks of a text."""

    masks: tuple[tuple[Fill, ...], ...]
    """For each mask in the order of the text its likeliest tokens, the likeliest first."""
    truncated: bool = False
    """True when the model did not see the end of the text."""

    KEYS: ClassVar = ("masks", "truncated")
    """Of ``to_dict``."""
    COLUMNS: ClassVar = ("masks", "truncated")
    """Of ``to_cells``."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Return none: a word of the vocabulary is no label."""
        return ()

    @property
    def label(self) -> str:
        """Return the likeliest token of each mask in one line."""
        return "|".join(fills[0].token_str for fills in self.masks)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form that the server and ``luthier predict`` share: a list of fills for each mask."""
        return {"masks": [[{"sequence": one.sequence, "score": round(one.score, 6), "token": one.token,
                            "token_str": one.token_str} for one in fills] for fills in self.masks],
                "truncated": self.truncated}

    def to_cells(self) -> dict[str, Any]:
        """Return what a table shows of it: the fills as a list, and whether the end was cut."""
        return self.to_dict()
