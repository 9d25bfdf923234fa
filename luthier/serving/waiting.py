"""Waiting for answers no longer than the client does."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from luthier.schema import Answer
from luthier.serving.refusal import Refusal

if TYPE_CHECKING:
    from starlette.requests import Request


async def while_there(request: Request, work: Coroutine[Any, Any, list[Answer]]) -> list[Answer]:
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


def late(seconds: float, *, arrived: bool) -> Refusal:
    """Return the refusal of a request that took longer than the time limit, in the model or on its way here."""
    if arrived:
        return Refusal("timeout", f"no answer within {seconds:g} seconds", "send fewer texts, or try again later",
                       retry_after=1)
    return Refusal("slow_body", f"the body did not arrive within {seconds:g} seconds", "send the body faster")
