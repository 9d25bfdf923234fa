"""``POST /predict``: texts in; labels and probabilities, relations, entities, answers, numbers or vectors out."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from luthier.errors import DataError, LimitError
from luthier.schema import Answer
from luthier.serving.body import read_body
from luthier.serving.context import MODEL, Context
from luthier.serving.refusal import Refusal
from luthier.serving.schemas import REQUEST_BODY, PredictAnswer, errors
from luthier.serving.wire import answer, parse, unreadable


def router(context: Context) -> APIRouter:
    """Return the route over the repository's model."""
    routes = APIRouter(tags=["predict"])
    limits = context.limits

    @routes.post(
        "/predict",
        summary="Classify texts, tell relations, find entities, answer questions, compare texts, or write",
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
                              conversations=served.labels.of_dialogues)
                predictions = await _while_there(request, served.batcher.submit(asked.texts))
        except TimeoutError:
            raise _late(limits.timeout_seconds, arrived=body is not None) from None
        except (DataError, LimitError) as error:
            raise unreadable(error, single=asked.single) from None
        context.telemetry.count_predictions(served.name, predictions)
        content = answer(served.name, predictions, single=asked.single)
        return Response(content, media_type="application/json")

    return routes


async def _while_there(request: Request, work: Coroutine[Any, Any, list[Answer]]) -> list[Answer]:
    """Return the answers, unless the client goes before; then the work is given up."""
    answers, gone = asyncio.ensure_future(work), asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait((answers, gone), return_when=asyncio.FIRST_COMPLETED)
        if not answers.done():
            raise Refusal("gone", "the connection closed before the answer")
        return answers.result()
    finally:
        answers.cancel()
        gone.cancel()
        await asyncio.gather(answers, gone, return_exceptions=True)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _late(seconds: float, *, arrived: bool) -> Refusal:
    if arrived:
        return Refusal("timeout", f"no answer within {seconds:g} seconds", "send fewer texts, or try again later",
                       retry_after=1)
    return Refusal("slow_body", f"the body did not arrive within {seconds:g} seconds", "send the body faster")
