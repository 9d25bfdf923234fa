"""The app factory: repository and limits in, ASGI app out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from luthier import __version__, plugins
from luthier.errors import LuthierError
from luthier.serving.context import Context
from luthier.serving.limits import Limits
from luthier.serving.measure import Measure
from luthier.serving.refusal import Refusal, of_status
from luthier.serving.repository import Repository
from luthier.serving.telemetry import Telemetry

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import Response

_STOP_SECONDS = 3
"""Given to the batch in the model at shutdown. Servers shut the app down after the last connection, so that nobody
waits for that batch any more."""

_ABOUT = "Answers from one Luthier bundle. Errors have the form `{\"error\": \"…\", \"error_type\": \"…\"}`."


def create_app(repository: Repository, limits: Limits | None = None) -> FastAPI:
    """Return the app; its start-up starts the repository, its shutdown drains it.

    Args:
        repository: opened predictors.
        limits: what a request may ask for; the defaults when left out.
    """
    plugins.require("fastapi", "prometheus_client", "swagger_ui_bundle")
    from fastapi import FastAPI

    context = Context(repository, limits or Limits(), Telemetry.create())

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        repository.start(context.limits, context.telemetry)
        yield
        await repository.stop(_STOP_SECONDS)

    app = FastAPI(
        title="Luthier",
        version=__version__,
        description=_ABOUT,
        docs_url=None,
        redoc_url=None,
        openapi_tags=[{"name": "predict"}],  # what people come for stands first
        lifespan=lifespan,
    )
    # The newest that the bundled Swagger UI can show.
    app.openapi_version = "3.0.3"
    app.add_middleware(Measure, telemetry=context.telemetry)
    _answer_errors(app)
    for name in plugins.names("serving.routes"):
        app.include_router(plugins.load("serving.routes", name).router(context))
    return app


def _answer_errors(app: FastAPI) -> None:
    """Give every error the one form."""
    from starlette.exceptions import HTTPException
    from starlette.responses import Response

    def respond(refusal: Refusal) -> Response:
        return Response(refusal.body(), refusal.status, refusal.headers, "application/json")

    async def refused(_: Request, error: Exception) -> Response:
        if isinstance(error, Refusal):
            return respond(error)
        problem, fix = (error.problem, error.fix) if isinstance(error, LuthierError) else (str(error), "")
        return respond(Refusal("validation", problem, fix))

    async def framework(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - what the handler is registered for
        return respond(of_status(error.status_code, error.detail))

    async def broken(_: Request, __: Exception) -> Response:
        return respond(Refusal("backend", "the server failed on this request", "the server's log has the reason"))

    app.add_exception_handler(LuthierError, refused)
    app.add_exception_handler(HTTPException, framework)
    app.add_exception_handler(Exception, broken)

