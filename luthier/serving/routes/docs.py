"""``GET /docs``: the API description as a page that needs no network; Swagger UI comes from an installed package."""

from __future__ import annotations

from pathlib import Path

import swagger_ui_bundle
from fastapi import APIRouter
from fastapi.responses import FileResponse, RedirectResponse, Response

from luthier.serving.context import Context
from luthier.serving.refusal import of_status

# The policy makes it certain: a browser loads nothing for this page from any other place.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'"
)
_ASSETS = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "favicon-32x32.png": "image/png",
}
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Luthier API</title>
<link rel="stylesheet" href="docs/swagger-ui.css">
<link rel="icon" type="image/png" href="docs/favicon-32x32.png">
</head>
<body style="margin:0">
<div id="swagger-ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
_START = """SwaggerUIBundle({
  url: "openapi.json", dom_id: "#swagger-ui", deepLinking: true, layout: "BaseLayout",
  presets: [SwaggerUIBundle.presets.apis], defaultModelsExpandDepth: -1, tryItOutEnabled: true, validatorUrl: null
});
"""


def router(context: Context) -> APIRouter:  # noqa: ARG001 - every route family has this signature
    """Return the page, its files, and the way there from the root."""
    routes = APIRouter(include_in_schema=False)
    folder = Path(str(swagger_ui_bundle.swagger_ui_path))

    @routes.get("/")
    async def root() -> Response:
        return RedirectResponse("docs")

    @routes.get("/docs")
    async def docs() -> Response:
        return Response(_PAGE, media_type="text/html", headers={"content-security-policy": _POLICY})

    @routes.get("/docs/start.js")
    async def start() -> Response:
        return Response(_START, media_type="text/javascript")

    @routes.get("/docs/{name}")
    async def asset(name: str) -> Response:
        if name not in _ASSETS:
            raise of_status(404, "Not Found")
        return FileResponse(folder / name, media_type=_ASSETS[name], headers={"cache-control": "max-age=86400"})

    return routes
