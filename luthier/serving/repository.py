"""The models that a server holds: each name with its predictor and its batcher."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, Protocol

from luthier.schema import Answer, LabelSet, TextInput
from luthier.serving.batcher import Batcher
from luthier.serving.limits import Limits
from luthier.serving.refusal import Refusal, stopping
from luthier.serving.telemetry import Telemetry


class Servable(Protocol):
    """What can be served; ``luthier.inference.Predictor`` is one."""

    @property
    def name(self) -> str:
        """Return the name under which it is served."""

    @property
    def labels(self) -> LabelSet:
        """Return the label set, C names."""

    @property
    def pair(self) -> bool | None:
        """Return whether each row is a pair of texts; ``None`` where it may be one text or two."""

    def predict(self, texts: Sequence[TextInput]) -> list[Answer]:
        """Return one prediction a text, in order.

        One that takes ``stop`` too (see ``luthier.inference.Predictor``) is given it, and asks it between the steps of
        long work, by a row's number: rows for which it says so are waited for no more.
        """


@dataclass(frozen=True, slots=True)
class Served:
    """One model at work."""

    name: str
    labels: LabelSet
    pair: bool | None
    batcher: Batcher


class Repository:
    """Holds opened predictors; ``start`` gives each its batcher and thread, ``stop`` drains them.

    One model today; the first given answers requests that name none. It may be added after the start, so that a server
    answers while its model loads.
    """

    def __init__(self, predictors: Sequence[Servable] = ()) -> None:
        self._predictors = tuple(predictors)
        self._settings: tuple[Limits, Telemetry] | None = None
        self._served: dict[str, Served] = {}
        self._stopping = False

    @property
    def state(self) -> Literal["loading", "ready", "stopping"]:
        """Return whether requests are taken, or not yet, or no more."""
        return "stopping" if self._stopping else "ready" if self._served else "loading"

    @property
    def models(self) -> tuple[Served, ...]:
        """Return the models at work."""
        return tuple(self._served.values())

    def start(self, limits: Limits, telemetry: Telemetry) -> None:
        """Start a batcher for each predictor."""
        self._settings = limits, telemetry
        for predictor in self._predictors:
            self.add(predictor)

    def add(self, predictor: Servable) -> None:
        """Start a batcher for a predictor that was opened after the start; from any thread."""
        if self._settings is None:
            raise RuntimeError("start the repository first")  # the caller's own fault, not a user's
        limits, telemetry = self._settings
        batcher = Batcher(
            predictor.predict,
            max_batch=limits.max_batch,
            max_queue=limits.max_queue,
            name=predictor.name,
            on_batch=telemetry.batch_observer(predictor.name),
        )
        batcher.start()
        gauge = telemetry.queue_size.labels(predictor.name)
        gauge.set_function(partial(_queued, batcher))
        self._served[predictor.name] = Served(predictor.name, predictor.labels, predictor.pair, batcher)

    def refuse_new(self) -> None:
        """Take no new requests; those accepted are answered."""
        self._stopping = True

    def hurry(self, seconds: float) -> None:
        """Give texts that are being written so many seconds more; what is not written by then is refused."""
        for served in self.models:
            served.batcher.hurry(seconds)

    async def stop(self, timeout: float) -> bool:
        """Answer what was accepted and end the threads.

        Returns:
            Whether everything was answered within ``timeout`` seconds.
        """
        self.refuse_new()
        return all(await asyncio.gather(*(served.batcher.close(timeout) for served in self.models)))

    def get(self) -> Served:
        """Return the model that answers.

        Raises:
            Refusal: no model is ready, or the server is stopping.
        """
        if self._stopping:
            raise stopping()
        if not self._served:
            raise Refusal("unavailable", "the model is still loading", "wait until GET /ready answers 200",
                          retry_after=1)
        return next(iter(self._served.values()))


def _queued(batcher: Batcher) -> float:
    return batcher.queued
