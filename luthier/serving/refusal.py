"""The one way in which a request is refused: a kind, a sentence and what to do about it.

The body is ``{"error": "...", "error_type": "..."}``, the form of Hugging Face's text-embeddings-inference.
"""

from __future__ import annotations

import json

from luthier.errors import LuthierError

STATUS = {
    "malformed": 400,
    "not_found": 404,
    "method_not_allowed": 405,
    "slow_body": 408,
    "too_large": 413,
    "unsupported": 415,
    "validation": 422,
    "overloaded": 429,
    "gone": 499,
    "backend": 500,
    "unavailable": 503,
    "timeout": 503,
}
"""``error_type`` -> HTTP status."""

_KIND_OF_STATUS = {status: kind for kind, status in reversed(STATUS.items())}


class Refusal(LuthierError):
    """A request that is answered with an error; the server itself goes on."""

    def __init__(self, kind: str, problem: str, fix: str = "", *, retry_after: int | None = None) -> None:
        super().__init__(problem, fix)
        self.kind = kind
        self.retry_after = retry_after

    @property
    def status(self) -> int:
        """Return the HTTP status."""
        return STATUS[self.kind]

    @property
    def headers(self) -> dict[str, str]:
        """Return the HTTP headers that go with the refusal."""
        return {} if self.retry_after is None else {"retry-after": str(self.retry_after)}

    def body(self) -> bytes:
        """Return the JSON body, UTF-8."""
        message = f"{self.problem}; {self.fix}" if self.fix else self.problem
        return json.dumps({"error": message, "error_type": self.kind}, ensure_ascii=False).encode()


def stopping() -> Refusal:
    """Return the refusal of requests that come, or wait for what a model writes, while the server stops."""
    return Refusal("unavailable", "the server is stopping", "try again in a moment", retry_after=1)


def of_status(status: int, detail: str) -> Refusal:
    """Return the refusal for a status that the web framework decided on, such as 404 or 405."""
    fixes = {404: "GET /docs lists what there is", 405: "GET /docs shows the method of each path"}
    kind = _KIND_OF_STATUS.get(status, "validation" if status < 500 else "backend")
    return Refusal(kind, detail, fixes.get(status, ""))
