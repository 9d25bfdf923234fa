"""What the decoding loop needs to know of a model's tokens, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Stop = Callable[[int], bool]
"""Whether nobody waits for the answer to a row, given by its number, any more: what is written for it ends as it is."""


@dataclass(frozen=True, slots=True)
class Marks:
    """The tokens of a model that are no words."""

    eos: tuple[int, ...]
    """Ids that end a text; any of them."""
    pad: int
    """Id that fills a row up."""
    start: tuple[int, ...] = ()
    """Ids that every text begins with in the decoder, such as ``decoder_start_token_id`` and, of models of many
    languages, the one to write in; empty for models of a decoder alone."""
    never: tuple[int, ...] = ()
    """Ids that are never written."""


@dataclass(frozen=True, slots=True)
class Written:
    """What a model wrote for one row."""

    ids: tuple[int, ...]
    """Tokens, without start, end and padding; with those that spell a stop string."""
    text: str
    """The tokens as text, cut before a stop string."""
    score: float
    """Mean natural log probability of a token, the one that ends the text included, as the model gave it before any
    rule of decoding; of a beam its score: the sum, after the rules, divided by the length to the length penalty."""
    finish: Literal["stop", "length"]
    """Whether an end or a stop string ended it, or the most tokens allowed, or its caller before those."""
