"""A choice made for the user."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Decision:
    """Something decided for the user, with the reason that the log shows."""

    value: str
    reason: str
