"""Numbers as people read them: never with an exponent for being large."""

from __future__ import annotations

from math import isfinite

_DECIMALS = ((9.99995, 4), (99.995, 2), (999.95, 1))
"""Below a bound so many decimals are written; none from the last one on."""


def score(value: float) -> str:
    """Return a metric of any unit, as wide as the others in its table: ``0.8431``, ``90.42``, ``138.2``, ``45,132``."""
    decimals = next((count for bound, count in _DECIMALS if abs(value) < bound), 0)
    return f"{value:,.{decimals}f}" if isfinite(value) else f"{value}"


def amount(value: float, *, digits: int = 4, signed: bool = False) -> str:
    """Return a number in the data's unit: so many digits, or all of those before the point."""
    form = f".{digits}g" if abs(value) < 10**digits - 0.5 else ",.0f"
    return f"{value:{'+' if signed else ''}{form}}"
