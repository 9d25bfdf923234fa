"""The one thread in which the model runs, so that the event loop stays free to answer."""

from __future__ import annotations

import inspect
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import SimpleQueue

from luthier.errors import DataError, LimitError, LuthierError
from luthier.inference.generation import Stop
from luthier.schema import Answer, TextInput
from luthier.serving.refusal import Refusal, stopping

logger = logging.getLogger("luthier.serving")

Predict = Callable[[list[TextInput], Stop], list[Answer]]
Outcome = list[Answer] | LuthierError
"""What became of one part of a batch."""

_THREAD = "luthier-model-"


@dataclass(frozen=True, slots=True)
class Part:
    """What of a request goes into a batch."""

    texts: list[TextInput]
    given_up: Callable[[], bool]
    """Whether nobody waits for the answer any more; asked in the worker's thread."""


class Worker:
    """A daemon thread that runs jobs one after another.

    Not an executor: the interpreter waits for an executor's threads when it ends, so that a model call that hangs
    would hang the stop of the server as well.
    """

    def __init__(self, name: str) -> None:
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._loop, name=_THREAD + name, daemon=True)

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


def unfinished() -> bool:
    """Return whether a model still computes in a thread of this process, though its server has stopped."""
    return any(thread.name.startswith(_THREAD) for thread in threading.enumerate())


def stoppable(predict: Callable[..., list[Answer]]) -> Predict:
    """Return a predictor's ``predict`` as the worker calls it: with ``stop``, where it takes one."""
    if "stop" in inspect.signature(predict).parameters:
        return lambda texts, stop: predict(texts, stop=stop)
    return lambda texts, _: predict(texts)


def run_parts(predict: Predict, parts: Sequence[Part]) -> list[Outcome]:
    """Predict the parts of several requests as one batch.

    When the batch fails, each part is tried alone, so that only the requests at fault are refused. A part that was
    given up while the model wrote is refused, too; most often nobody hears it.

    Args:
        predict: gives one prediction a text, in order.
        parts: of each request in the batch.
    """
    owners = [number for number, part in enumerate(parts) for _ in part.texts]
    ended = set[int]()

    def stop(row: int) -> bool:
        if parts[owners[row]].given_up():
            ended.add(owners[row])
        return owners[row] in ended

    outcome = _attempt(predict, [text for part in parts for text in part.texts], stop)
    if isinstance(outcome, LuthierError) and len(parts) > 1:
        return [one for part in parts for one in run_parts(predict, [part])]
    if isinstance(outcome, LuthierError):
        return [outcome]
    answers = iter(outcome)
    found = [[next(answers) for _ in part.texts] for part in parts]
    return [stopping() if number in ended else own for number, own in enumerate(found)]


def _attempt(predict: Predict, texts: list[TextInput], stop: Stop) -> Outcome:
    try:
        predictions = predict(texts, stop)
    except (DataError, LimitError) as error:
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
