"""Read a request's body without ever holding more of it than the limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luthier.serving.refusal import Refusal

if TYPE_CHECKING:
    from starlette.requests import Request

_DRAINED_BYTES = 16 * 1024 * 1024
"""Bytes of a body over the limit that are read and thrown away. A connection that closes on a client which still sends
is a broken pipe to it, and the answer that says why is lost."""

_DIGITS = 15
"""Digits of a Content-Length worth reading."""


async def read_body(request: Request, max_bytes: int) -> bytes:
    """Return the whole body; it is counted as it comes, so that a chunked one is held to the limit too.

    Args:
        request: the request; its content type does not matter, the body is read as JSON whatever it says.
        max_bytes: most bytes.

    Raises:
        Refusal: the body is over the limit, compressed, or broke off.
    """
    from starlette.requests import ClientDisconnect

    if request.headers.get("content-encoding", "identity") != "identity":
        raise Refusal("unsupported", "the body is compressed", "send plain JSON, without a Content-Encoding header")
    declared = request.headers.get("content-length", "0")
    # A client that asks before it sends, or that is far over, is told at once.
    most = max_bytes if "expect" in request.headers else max(max_bytes, _DRAINED_BYTES)
    if not declared.isdecimal():
        raise Refusal("malformed", "the Content-Length is not a number", "leave the header to your HTTP client")
    if len(declared) > _DIGITS or int(declared) > most:
        raise _too_large(max_bytes)
    body = bytearray()
    size = 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > most:
                raise _too_large(max_bytes)
            if size <= max_bytes:
                body += chunk
    except ClientDisconnect:
        raise Refusal("malformed", "the connection closed before the body ended", "send the whole body") from None
    if size > max_bytes:
        raise _too_large(max_bytes)
    return bytes(body)


def _too_large(max_bytes: int) -> Refusal:
    return Refusal("too_large", f"the body is larger than {max_bytes} bytes", "send fewer texts a request")
