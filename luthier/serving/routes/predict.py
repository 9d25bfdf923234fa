"""``POST /predict``: texts in; labels and probabilities, relations, entities, answers, numbers or vectors out."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request
from fastapi.responses import Response

from luthier.errors import DataError, LimitError
from luthier.serving.body import read_body
from luthier.serving.context import MODEL, Context
from luthier.serving.ordering import gathered, of_row, spread
from luthier.serving.schemas import REQUEST_BODY, PredictAnswer, errors
from luthier.serving.waiting import late, while_there
from luthier.serving.wire import answer, parse, unreadable


def router(context: Context) -> APIRouter:
    """Return the route over the repository's model."""
    routes = APIRouter(tags=["predict"])
    limits = context.limits

    @routes.post(
        "/predict",
        summary="Classify texts, tell relations, find entities, answer questions, compare or order texts, or write",
        openapi_extra={"requestBody": REQUEST_BODY},
        responses={200: {"model": PredictAnswer}, **errors(400, 408, 413, 415, 422, 429, 500, 503)},
    )
    async def predict(request: Request) -> Response:
        """Give `inputs` one text or a list; `predictions` comes back in the same form and order."""
        served = context.repository.get()
        request.scope[MODEL] = served.name
        body: bytes | None = None
        try:
            async with asyncio.timeout(limits.timeout_seconds):
                body = await read_body(request, limits.max_body_bytes)
                asked = parse(body, limits, pair=served.pair, relations=served.labels.of_relations,
                              conversations=served.labels.of_dialogues, candidates=served.labels.of_candidates)
                work = served.batcher.submit(spread(asked.texts))
                predictions = gathered(asked.texts, await while_there(request, work))
        except TimeoutError:
            raise late(limits.timeout_seconds, arrived=body is not None) from None
        except (DataError, LimitError) as error:
            raise unreadable(of_row(asked.texts, error), single=asked.single) from None
        context.telemetry.count_predictions(served.name, predictions)
        content = answer(served.name, predictions, single=asked.single)
        return Response(content, media_type="application/json")

    return routes
