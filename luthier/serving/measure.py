"""ASGI middleware that counts and times every request."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from luthier.serving.context import MODEL
from luthier.serving.telemetry import Telemetry

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Measure:
    """Counts requests by model, route and status, and times them.

    The route is the path as declared, never as asked for: anyone can ask for any path, and each would be a new series.
    What no route family declared counts as ``other``.
    """

    def __init__(self, app: ASGIApp, telemetry: Telemetry) -> None:
        self._app = app
        self._telemetry = telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and count it when it is over, answered or not."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        # What stays 500 when the app breaks off before it says a status.
        status = 500

        async def note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, note)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            seconds = time.perf_counter() - started
            self._telemetry.count_request(scope.get(MODEL, ""), route, status, seconds)
