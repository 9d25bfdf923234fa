"""The one thread in which the model runs, so that the event loop stays free to answer."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue

from luthier.errors import DataError, LuthierError
from luthier.schema import Answer, TextInput
from luthier.serving.refusal import Refusal

logger = logging.getLogger("luthier.serving")

Predict = Callable[[list[TextInput]], list[Answer]]
Outcome = list[Answer] | LuthierError
"""What became of one part of a batch."""


class Worker:
    """A daemon thread that runs jobs one after another.

    Not an executor: the interpreter waits for an executor's threads when it ends, so that a model call that hangs
    would hang the stop of the server as well.
    """

    def __init__(self, name: str) -> None:
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._loop, name=f"luthier-{name}", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def put(self, job: Callable[[], None]) -> None:
        """Queue a job; it must not raise."""
        self._jobs.put(job)

    def stop(self, timeout: float) -> bool:
        """Let the queued jobs finish; return whether they did within ``timeout`` seconds."""
        self._jobs.put(None)
        if self._thread.is_alive():
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _loop(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()


def run_parts(predict: Predict, parts: Sequence[list[TextInput]]) -> list[Outcome]:
    """Predict the parts of several requests as one batch.

    When the batch fails, each part is tried alone, so that only the requests at fault are refused.

    Args:
        predict: gives one prediction a text, in order.
        parts: the texts of each request in the batch.
    """
    joined = [text for part in parts for text in part]
    outcome = _attempt(predict, joined)
    if isinstance(outcome, LuthierError):
        return [outcome] if len(parts) == 1 else [_attempt(predict, part) for part in parts]
    answers = iter(outcome)
    return [[next(answers) for _ in part] for part in parts]


def _attempt(predict: Predict, texts: list[TextInput]) -> Outcome:
    try:
        predictions = predict(texts)
    except DataError as error:
        return error  # the texts are the caller's to mend
    except Exception:
        # Any other fault is the server's. It belongs to the requests that wait on it and must not end the worker.
        logger.exception("the model failed on a batch of %d texts", len(texts))
        return Refusal("backend", "the model failed on this request", "the server's log has the reason")
    if len(predictions) != len(texts):
        logger.error("the model gave %d answers to %d texts", len(predictions), len(texts))
        return Refusal("backend", f"the model gave {len(predictions)} answers to {len(texts)} texts",
                       "the server's log has the reason")
    return predictions
