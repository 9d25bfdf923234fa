"""Threads for work that lets go of Python's lock: one for each core, kept for the next call."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

_Job = TypeVar("_Job")
_Found = TypeVar("_Found")


def in_threads(work: Callable[[_Job], _Found], jobs: Iterable[_Job], threads: int) -> list[_Found]:
    """Do all jobs, so many at once, and return what they gave, in their order."""
    return list(_pool(threads).map(work, jobs))


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "luthier-thread")


if hasattr(os, "register_at_fork"):  # a forked child has no threads but its own
    os.register_at_fork(after_in_child=_pool.cache_clear)
