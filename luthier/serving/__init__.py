"""HTTP serving: a bundle goes in, JSON answers come out.

    from luthier.serving import serve
    serve(Path("runs/reviews"), port=8000)

Importing this package imports neither fastapi nor torch; they load when a server starts.
"""

from __future__ import annotations

from luthier.serving.app import create_app
from luthier.serving.limits import Limits
from luthier.serving.repository import Repository
from luthier.serving.server import background, serve

__all__ = ["Limits", "Repository", "background", "create_app", "serve"]
