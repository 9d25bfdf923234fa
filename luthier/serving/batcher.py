"""Requests share batches: an asyncio front over the worker thread.

Nothing ever waits for company. While the model is idle a request goes to it at once; while it is busy requests pile
up, and all of them share the next batch. So a lone request is as fast as the model, and a crowd gets the throughput of
large batches.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice

from luthier.errors import LuthierError
from luthier.schema import Answer, TextInput
from luthier.serving import plan
from luthier.serving.refusal import Refusal, stopping
from luthier.serving.worker import Outcome, Part, Worker, run_parts, stoppable


@dataclass(frozen=True, slots=True)
class BatchRun:
    """What one batch was like, for the metrics."""

    rows: int
    seconds: float
    """Time in the model."""
    waits: tuple[float, ...]
    """Seconds in the queue of each request that entered the model with this batch."""


@dataclass(slots=True, eq=False)
class _Request:
    texts: list[TextInput]
    answer: asyncio.Future[list[Answer]]
    weights: list[int]
    queued_at: float = field(default_factory=time.perf_counter)
    taken: int = 0
    """Texts that went into the model, from the front."""
    predictions: list[Answer] = field(default_factory=list)


_Chosen = tuple[_Request, int, int]
"""A request, the first of its texts that go into a batch, and how many do."""


class Batcher:
    """Gathers the texts of concurrent requests into batches for one model.

    All methods but the model's ``predict`` run on the event loop, so nothing here needs a lock.
    """

    def __init__(
        self,
        predict: Callable[..., list[Answer]],
        *,
        max_batch: int,
        max_queue: int = 1024,
        name: str = "model",
        on_batch: Callable[[BatchRun], None] | None = None,
    ) -> None:
        self._predict = stoppable(predict)
        self._max_batch = max_batch
        self._max_queue = max_queue
        self._on_batch = on_batch
        self._worker = Worker(name)
        self._waiting: deque[_Request] = deque()
        self._queued = 0
        self._busy = False
        self._closing = False
        self._ends_at = math.inf
        self._seconds_per_row = 0.0
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def queued(self) -> int:
        """Return the number of texts that wait for the model."""
        return self._queued

    def start(self) -> None:
        """Start the worker thread."""
        self._worker.start()

    async def submit(self, texts: Sequence[TextInput]) -> list[Answer]:
        """Return one prediction a text, in order.

        Cancelling the call takes its texts out of the queue. Those in the model already are dropped: what is written
        for them ends at the next token, the search for relations at the next pairs, other work when it is done.

        Raises:
            Refusal: the queue is full, the batcher is closing, or the model failed on these texts.
            LuthierError: what the predictor refused these texts with.
        """
        if self._closing:
            raise stopping()
        if not texts:
            return []
        if self._queued and self._queued + len(texts) > self._max_queue:
            raise Refusal(
                "overloaded",
                f"the queue is full: {self._queued} texts wait and {len(texts)} more would pass {self._max_queue}",
                "try again after the seconds in Retry-After, or send fewer texts a request",
                retry_after=self._seconds_to_drain(),
            )
        answer: asyncio.Future[list[Answer]] = asyncio.get_running_loop().create_future()
        request = _Request(list(texts), answer, [plan.weigh(text) for text in texts])
        self._waiting.append(request)
        self._queued += len(request.texts)
        self._dispatch()
        try:
            return await answer
        finally:
            self._withdraw(request)

    async def close(self, timeout: float) -> bool:
        """Refuse new texts, answer those accepted, stop the worker.

        Returns:
            Whether everything accepted was answered within ``timeout`` seconds.
        """
        self._closing = True
        try:
            await asyncio.wait_for(self._idle.wait(), timeout)
        except TimeoutError:
            return False
        return self._worker.stop(timeout=1.0)

    def hurry(self, seconds: float) -> None:
        """Give texts that are being written so many seconds more; what is not written by then is refused."""
        self._ends_at = time.perf_counter() + seconds

    def _seconds_to_drain(self) -> int:
        return min(60, max(1, math.ceil(self._queued * self._seconds_per_row)))

    def _withdraw(self, request: _Request) -> None:
        """Take out what is left of a request that was answered, failed or cancelled."""
        if request.taken < len(request.texts) and request in self._waiting:
            self._waiting.remove(request)
            self._queued -= len(request.texts) - request.taken

    def _dispatch(self) -> None:
        if self._busy or not self._waiting:
            return
        front = list(islice(self._waiting, self._max_batch))
        stop = self._max_batch
        counts = plan.deal([each.weights[each.taken : each.taken + stop] for each in front], max_rows=stop)
        chosen = [(each, each.taken, n) for each, n in zip(front, counts, strict=True) if n]
        now = time.perf_counter()
        waits = tuple(now - each.queued_at for each, first, _ in chosen if not first)
        for each, _, n in chosen:
            each.taken += n
            self._queued -= n
        self._waiting = deque(each for each in self._waiting if each.taken < len(each.texts))
        self._busy = True
        self._idle.clear()
        loop = asyncio.get_running_loop()
        self._worker.put(lambda: self._run(loop, chosen, waits))

    def _run(self, loop: asyncio.AbstractEventLoop, chosen: list[_Chosen], waits: tuple[float, ...]) -> None:
        """Run one batch; in the worker thread."""
        started = time.perf_counter()
        parts = [Part(each.texts[first : first + n], partial(self._given_up, each)) for each, first, n in chosen]
        outcomes = run_parts(self._predict, parts)
        run = BatchRun(sum(n for *_, n in chosen), time.perf_counter() - started, waits)
        # A loop that is closed has nobody left who waits for the answer.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(self._finish, chosen, outcomes, run)

    def _given_up(self, request: _Request) -> bool:
        """Return whether nobody waits for a request any more; in the worker thread, which only looks."""
        return request.answer.done() or time.perf_counter() >= self._ends_at

    def _finish(self, chosen: list[_Chosen], outcomes: list[Outcome], run: BatchRun) -> None:
        """Hand out a batch's answers and start the next batch; on the event loop."""
        for (request, first, _), outcome in zip(chosen, outcomes, strict=True):
            self._settle(request, first, outcome)
        self._busy = False
        self._seconds_per_row = run.seconds / run.rows
        self._dispatch()
        if not self._busy:
            self._idle.set()
        if self._on_batch is not None:
            self._on_batch(run)

    def _settle(self, request: _Request, first: int, outcome: Outcome) -> None:
        if request.answer.done():
            return
        if isinstance(outcome, LuthierError):
            request.answer.set_exception(outcome if outcome.row is None else outcome.at(first + outcome.row))
            self._withdraw(request)
            return
        request.predictions.extend(outcome)
        if len(request.predictions) == len(request.texts):
            request.answer.set_result(request.predictions)
