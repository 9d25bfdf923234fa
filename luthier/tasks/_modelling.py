"""What both tasks of language modelling share: how many blocks texts give, and the metrics with perplexity."""

from __future__ import annotations

import math
from collections.abc import Sequence

from luthier.schema import Example, Float32, LabelSet
from luthier.tasks import text_to_text
from luthier.tasks._tokens import IGNORED, TokenTargets

_MOST = 700.0
"""Largest loss whose exponential is a float."""
_BYTES_A_TOKEN = 4
"""Of UTF-8, about, in the languages that a model knows: to choose epochs before a tokenizer is opened."""


def blocks_of(examples: Sequence[Example], length: int, *, together: bool) -> int:
    """Return about how many blocks N documents give.

    Args:
        examples: N rows.
        length: tokens of a block.
        together: whether blocks go on with the next document.
    """
    sizes = [len(row.text.encode("utf-8", "replace")) / _BYTES_A_TOKEN + 1 for row in examples]
    if together:
        return max(1, math.ceil(sum(sizes) / length))
    return sum(math.ceil(size / length) for size in sizes)


def metrics(found: Sequence[Float32], targets: TokenTargets, labels: LabelSet) -> dict[str, float]:
    """Score N blocks for validation: ``accuracy``, ``loss`` in nats a token, and ``perplexity``, its exponential.

    Args:
        found: N arrays (T, 2) float32: the log probability of the target, and 1 where it is the likeliest token.
        targets: of the same blocks.
    """
    asked = [(row, row != IGNORED) for row in targets.rows]  # asked for once: they may be drawn when they are
    kept = [one[: len(row)][real] for one, (row, real) in zip(found, asked, strict=True)]
    return told(text_to_text.metrics(kept, TokenTargets([row[real] for row, real in asked]), labels))


def learned(targets: TokenTargets) -> TokenTargets:
    """Return the targets without the places that have none."""
    return TokenTargets([row[row != IGNORED] for row in targets.rows])


def told(scored: dict[str, float]) -> dict[str, float]:
    """Return metrics with the perplexity."""
    return {**scored, "perplexity": math.exp(min(scored["loss"], _MOST))}
