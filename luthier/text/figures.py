"""Numbers as people read them: never with an exponent for being large."""

from __future__ import annotations

from math import isfinite

SHARES = 9.99995
"""Up to here a score is taken for a share, a correlation or a loss."""
FOUR_DIGITS = 9999.5
"""From here on four digits would be written with an exponent."""


def score(value: float) -> str:
    """Return a metric of any unit, as wide as the others in its table: ``0.8431``, ``90.42``, ``138.2``, ``45,132``."""
    if not isfinite(value) or abs(value) < SHARES:
        return f"{value:.4f}"
    return f"{value:,.{max(0, 4 - len(f'{abs(value):.0f}'))}f}"


def amount(value: float, *, signed: bool = False) -> str:
    """Return a number in the data's unit: four digits, or all of those before the point."""
    return f"{value:{'+' if signed else ''}{'.4g' if abs(value) < FOUR_DIGITS else ',.0f'}}"
