"""Putting a finished directory in the place of an old one, and knowing whose unfinished directory is whose."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def swap_in(staging: Path, final: Path) -> None:
    """Make ``staging`` stand at ``final``; what stood there is removed afterwards.

    Where the system can exchange two names (Linux), there is no moment without a bundle at ``final``. Elsewhere the old
    one is moved aside first, and back when the second move fails.
    """
    if not final.exists():
        staging.rename(final)
    elif _exchange(staging, final):
        shutil.rmtree(staging, ignore_errors=True)
    else:
        _replace_in_two(staging, final)
    _sync_directory(final.parent)


def _replace_in_two(staging: Path, final: Path) -> None:
    aside = staging.with_name(staging.name + "-old")
    final.rename(aside)
    try:
        staging.rename(final)
    except OSError:
        aside.rename(final)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _exchange(first: Path, second: Path) -> bool:
    """Exchange two names in one step; ``False`` when the system or the file system cannot."""
    if sys.platform != "linux":
        return False
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is None:
        return False
    done = renameat2(_AT_FDCWD, os.fsencode(first), _AT_FDCWD, os.fsencode(second), _RENAME_EXCHANGE)
    return bool(done == 0)


@contextmanager
def hold(directory: Path) -> Iterator[None]:
    """Hold a lock on a directory; the system lets go of it when the process dies, however it dies."""
    if sys.platform == "win32":
        yield
        return
    import fcntl

    handle = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def is_held(directory: Path) -> bool:
    """Return whether a living process holds the directory; always true where locks cannot tell."""
    if sys.platform == "win32":
        return True
    import fcntl

    handle = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False


def _sync_directory(directory: Path) -> None:
    if sys.platform == "win32":
        return
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
