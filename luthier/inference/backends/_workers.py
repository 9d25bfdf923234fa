"""Several batches at once, each by one worker with one thread.

Threads that share one batch wait for the slowest of them after every operation; workers that have a batch each do not
(minilm-l6 on two cores, batches of 32: 1,211 texts/s shared and 1,380 by workers; docs/log.md).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice

from luthier.schema import Batch, Float32

_AHEAD = 2
"""Batches made for each worker before the first is waited for."""


class Workers:
    """A pool that computes batches side by side and gives their logits in order."""

    def __init__(
        self, count: int, prepare: Callable[[], object] = lambda: None, restore: Callable[[], object] = lambda: None
    ) -> None:
        """Take a number of workers, what each does first, and what the caller does once all have done it."""
        self.count = count
        self._prepare = prepare
        self._restore = restore
        self._pool: ThreadPoolExecutor | None = None

    def map(
        self, alone: Callable[[Batch], Float32], beside: Callable[[Batch], Float32], batches: Iterable[Batch]
    ) -> Iterator[Float32]:
        """Yield each batch's logits, in order.

        Args:
            alone: computes one batch with all threads; used when there is only one.
            beside: computes one batch in a worker, with one thread.
            batches: read a few at a time.
        """
        source = iter(batches)
        first = list(islice(source, 2))
        if len(first) < 2 or self.count < 2:
            yield from map(alone, chain(first, source))
            return
        yield from self._beside(beside, chain(first, source))

    def close(self) -> None:
        """End the threads."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None

    def _started(self) -> ThreadPoolExecutor:
        pool = ThreadPoolExecutor(self.count, "luthier-worker", self._prepare)
        together = threading.Barrier(self.count + 1)
        for _ in range(self.count):
            pool.submit(together.wait)
        together.wait()
        self._restore()
        return pool

    def _beside(self, run: Callable[[Batch], Float32], batches: Iterable[Batch]) -> Iterator[Float32]:
        if self._pool is None:
            self._pool = self._started()
        waiting: deque[Future[Float32]] = deque()
        try:
            for batch in batches:
                waiting.append(self._pool.submit(run, batch))
                if len(waiting) >= _AHEAD * self.count:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for left in waiting:
                left.cancel()
