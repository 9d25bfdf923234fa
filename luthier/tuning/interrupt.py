"""Ctrl-C while tuning: not to be lost where Python drops it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interruptible() -> Iterator[Callable[[], None]]:
    """Yield what raises ``KeyboardInterrupt`` if Ctrl-C was pressed and the work goes on all the same.

    Python raises it wherever the main thread stands. In a destructor, or in a callback that a library in C or Rust
    calls, it is printed or dropped, and the run would go on.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield lambda: None  # signals come to the main thread alone, and somebody may have turned this one off
        return
    pressed = False

    def handler(number: int, frame: FrameType | None) -> None:
        nonlocal pressed
        pressed = True
        before(number, frame)

    def check() -> None:
        if pressed:
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, handler)
    try:
        yield check
    finally:
        signal.signal(signal.SIGINT, before)
