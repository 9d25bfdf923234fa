"""What every route family is given."""

from __future__ import annotations

from dataclasses import dataclass

from luthier.serving.limits import Limits
from luthier.serving.repository import Repository
from luthier.serving.telemetry import Telemetry

MODEL = "luthier.model"
"""Key of the ASGI scope under which a route notes the model that answered, for the metrics."""


@dataclass(frozen=True, slots=True)
class Context:
    """The parts of one app that its routes use."""

    repository: Repository
    limits: Limits
    telemetry: Telemetry
