"""What one request may ask for, and what the server may keep waiting."""

from __future__ import annotations

from dataclasses import dataclass, fields

from luthier.errors import ServingError


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one server; a request over one of them is refused with that limit in the message."""

    max_body_bytes: int = 1024 * 1024
    """Bytes of one request body."""
    max_inputs: int = 256
    """Texts, or pairs, of one request."""
    max_text_chars: int = 20_000
    """Characters of one text; of each text of a pair."""
    max_queue: int = 1024
    """Texts that may wait for the model, over all requests; a request that finds none waiting is always taken."""
    max_batch: int = 64
    """Texts given to the model at once."""
    timeout_seconds: float = 30.0
    """Seconds from a request's first byte to its answer."""

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if not value > 0:
                raise ServingError(f"{each.name} must be above 0, got {value}", f"set {each.name} to 1 or more")
