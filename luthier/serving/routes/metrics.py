"""``GET /metrics``: counters and histograms for Prometheus."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response
from prometheus_client.exposition import choose_encoder

from luthier.serving.context import Context


def router(context: Context) -> APIRouter:
    """Return the route over the app's own registry."""
    routes = APIRouter(tags=["metrics"])

    @routes.get("/metrics", summary="Prometheus metrics", responses={200: {"content": {"text/plain": {}}}})
    async def metrics(request: Request) -> Response:
        """Give the text format, or OpenMetrics to a scraper that asks for it."""
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(context.telemetry.registry), headers={"content-type": content_type})

    return routes
