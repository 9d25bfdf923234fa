"""``POST /rerank``: a query and documents in, their order out, in the form that other servers of such models have."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request
from fastapi.responses import Response

from luthier.errors import DataError, LimitError
from luthier.serving.body import read_body
from luthier.serving.context import MODEL, Context
from luthier.serving.ordering import gathered, of_document, order_of, read_order, spread
from luthier.serving.refusal import Refusal
from luthier.serving.schemas import RERANK_BODY, RerankAnswer, errors
from luthier.serving.waiting import late, while_there


def router(context: Context) -> APIRouter:
    """Return the route over the repository's model."""
    routes = APIRouter(tags=["predict"])
    limits = context.limits

    @routes.post("/v1/rerank", include_in_schema=False)
    @routes.post(
        "/rerank",
        summary="Order documents by how well they answer a query",
        openapi_extra={"requestBody": RERANK_BODY},
        responses={200: {"model": RerankAnswer}, **errors(400, 408, 413, 415, 422, 429, 500, 503)},
    )
    async def rerank(request: Request) -> Response:
        """Give `query` and `documents`; `results` holds the numbers of documents with their scores, the best first."""
        served = context.repository.get()
        request.scope[MODEL] = served.name
        body: bytes | None = None
        try:
            async with asyncio.timeout(limits.timeout_seconds):
                body = await read_body(request, limits.max_body_bytes)
                asked = read_order(body, limits)
                if not served.labels.of_candidates:
                    raise Refusal("validation", f"{served.name} does not order passages",
                                  "use POST /predict, or serve a bundle of the task re-ranking")
                rows = [asked.candidates]
                (answer,) = gathered(rows, await while_there(request, served.batcher.submit(spread(rows))))
        except TimeoutError:
            raise late(limits.timeout_seconds, arrived=body is not None) from None
        except (DataError, LimitError) as error:
            raise of_document(error) from None
        context.telemetry.count_predictions(served.name, [answer])
        return Response(order_of(served.name, asked, answer), media_type="application/json")

    return routes
