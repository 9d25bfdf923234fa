"""``GET /health`` and ``GET /ready``: is the process alive, and does it take requests."""

from __future__ import annotations

from fastapi import APIRouter

from luthier.serving.context import Context
from luthier.serving.schemas import HealthAnswer, ModelBody, ReadyAnswer, errors


def router(context: Context) -> APIRouter:
    """Return the two routes."""
    routes = APIRouter(tags=["health"])

    @routes.get("/health", summary="Is the process alive")
    async def health() -> HealthAnswer:
        """Answer as long as the event loop runs, whatever the model does, and while it loads."""
        return HealthAnswer(status="ok", models=context.repository.state)

    @routes.get("/ready", summary="Are requests taken", responses=errors(503))
    async def ready() -> ReadyAnswer:
        """Answer 200 once the models are loaded and their probes have passed, 503 before that and while stopping."""
        context.repository.get()
        return ReadyAnswer(
            status="ready",
            models=[
                ModelBody(
                    name=served.name,
                    labels=list(served.labels.names),
                    problem_type=served.labels.problem_type,
                    pair=served.pair,
                )
                for served in context.repository.models
            ],
        )

    return routes
